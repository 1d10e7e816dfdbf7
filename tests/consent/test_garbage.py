"""While acts are made in bulk, the collector of cyclic garbage walks between portions and at no other time."""

import gc
import weakref

import pytest

from hanse_consent.garbage import collected_between


class _Knot:
    """Refers to itself, so that only the collector can take it away."""

    def __init__(self) -> None:
        self.itself = self


def test_it_walks_between_portions_only() -> None:
    knots = []
    for portion in collected_between(range(3)):
        assert not gc.isenabled()
        assert all(knot() is None for knot in knots[:portion])
        knots.append(weakref.ref(_Knot()))
        assert knots[-1]() is not None
    assert all(knot() is None for knot in knots)
    assert gc.isenabled()


def test_it_walks_again_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        for portion in collected_between([1, 0]):
            assert 1 // portion
    gc.collect()
    assert gc.isenabled()


def test_what_was_off_stays_off() -> None:
    gc.disable()
    try:
        assert list(collected_between([1])) == [1]
        assert not gc.isenabled()
    finally:
        gc.enable()
