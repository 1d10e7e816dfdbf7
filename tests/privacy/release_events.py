"""Releases, as short as they can be said."""

from hanse_privacy.accounting import ReleaseEvent


def event_of(squared_sensitivity: int, variance_parameter: int, *, shares: int = 1, size: int = 1) -> ReleaseEvent:
    return ReleaseEvent(
        squared_sensitivity=squared_sensitivity, variance_parameter=variance_parameter, shares=shares, size=size
    )


EVENT = event_of(100**2, 400**2)
