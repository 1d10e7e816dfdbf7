"""The parts of ``round_overhead.py``: two leagues to time, what messages cost, and the figures."""
