"""The games that benchmarks/audit.py plays at length can be imported by these tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
