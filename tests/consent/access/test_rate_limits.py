import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from hanse_consent.access.errors import RateLimitedError
from hanse_consent.access.rate_limits import Rate, RateLimiter, client_address
from hanse_privacy.errors import InvalidValueError


class Seconds:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@given(
    gaps=st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=60),
    burst=st.integers(min_value=1, max_value=6),
    per_s=st.floats(min_value=0.1, max_value=3),
)
def test_no_window_ever_holds_more_than_the_burst_and_the_rate(gaps: list[float], burst: int, per_s: float) -> None:
    clock = Seconds()
    limiter = RateLimiter(Rate(burst=burst, per_s=per_s), max_keys=10, clock=clock)
    taken: list[float] = []
    for gap in gaps:
        clock.at += gap
        try:
            limiter.take("a")
            taken.append(clock.at)
        except RateLimitedError as refusal:
            assert refusal.retry_after_s >= 1
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - start) * per_s + 1e-6


@given(burst=st.integers(min_value=1, max_value=5), per_s=st.floats(min_value=0.01, max_value=3))
def test_after_the_time_named_there_is_a_token(burst: int, per_s: float) -> None:
    clock = Seconds()
    limiter = RateLimiter(Rate(burst=burst, per_s=per_s), max_keys=10, clock=clock)
    for _ in range(burst):
        limiter.take("a")
    with pytest.raises(RateLimitedError) as refused:
        limiter.take("a")
    assert refused.value.headers == {"retry-after": str(refused.value.retry_after_s)}
    clock.at += refused.value.retry_after_s + 1e-6
    limiter.take("a")


def test_one_key_does_not_spend_another_key_s_allowance() -> None:
    limiter = RateLimiter(Rate(burst=1, per_s=0.001), max_keys=10, clock=Seconds())
    limiter.take("a")
    limiter.take("b")
    with pytest.raises(RateLimitedError):
        limiter.take("a")


def test_memory_is_bounded_and_the_least_recently_used_is_forgotten() -> None:
    limiter = RateLimiter(Rate(burst=1, per_s=0.001), max_keys=3, clock=Seconds())
    for key in ("a", "b", "c"):
        limiter.take(key)
    with pytest.raises(RateLimitedError):
        limiter.take("a")  # used just now, so b is the oldest
    limiter.take("d")
    assert len(limiter) == 3
    with pytest.raises(RateLimitedError):
        limiter.take("a")
    limiter.take("b")


def test_what_is_given_back_never_overfills() -> None:
    limiter = RateLimiter(Rate(burst=2, per_s=0.001), max_keys=3, clock=Seconds())
    limiter.take("a")
    for _ in range(5):
        limiter.give_back("a")
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(RateLimitedError):
        limiter.take("a")


@pytest.mark.parametrize("bad", [{"burst": 0, "per_s": 1.0}, {"burst": 1, "per_s": 0.0}, {"burst": 1, "per_s": -1.0}])
def test_rates_outside_their_bounds_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidValueError):
        Rate(**bad)


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
    ],
)
def test_addresses_are_counted_by_who_can_change_them(host: str, counted: str) -> None:
    assert client_address(Request({"type": "http", "client": (host, 1), "headers": []})) == counted


def test_a_connection_without_an_address_is_counted_too() -> None:
    assert client_address(Request({"type": "http", "client": None, "headers": []})) == "unknown"
