"""The parts of :mod:`consent_scale`: a world of customers, the service around them, and one module per measurement."""
