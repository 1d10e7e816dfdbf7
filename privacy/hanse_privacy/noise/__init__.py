"""Exact integer noise: samplers whose distribution is the one they name, not one near it."""
