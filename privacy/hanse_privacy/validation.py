"""Checks at the door: an error names the argument, its value and its bound."""

import math
from collections.abc import Sized

from hanse_privacy.errors import InvalidValueError


def require(condition: bool, *, name: str, value: object, bound: str) -> None:  # noqa: FBT001 - a condition reads best first
    """Raise unless ``condition`` holds.

    Args:
        condition: What must be true of ``value``.
        name: The argument, as its caller knows it.
        value: What was given (never a secret or a row: it is shown).
        bound: What would have been accepted, in words.

    Raises:
        InvalidValueError: If ``condition`` is false.
    """
    if not condition:
        raise InvalidValueError(f"{name} is {value!r}.", f"It must be {bound}.")


def require_positive(**values: float) -> None:
    """Require each value to be finite and greater than zero."""
    for name, value in values.items():
        require(math.isfinite(value) and value > 0, name=name, value=value, bound="a finite number above 0")


def require_non_negative(**values: float) -> None:
    """Require each value to be finite and at least zero."""
    for name, value in values.items():
        require(math.isfinite(value) and value >= 0, name=name, value=value, bound="a finite number, 0 or more")


def require_probability(**values: float) -> None:
    """Require each value to lie strictly between 0 and 1."""
    for name, value in values.items():
        require(0 < value < 1, name=name, value=value, bound="above 0 and below 1")


def require_at_least(minimum: float, **values: float) -> None:
    """Require each value to be at least ``minimum``."""
    for name, value in values.items():
        require(value >= minimum, name=name, value=value, bound=f"{minimum} or more")


def require_not_empty(**values: Sized) -> None:
    """Require each collection to hold something."""
    for name, value in values.items():
        require(len(value) > 0, name=name, value=value, bound="not empty")
