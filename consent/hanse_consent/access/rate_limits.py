"""How often somebody may come: token buckets in bounded memory.

Three kinds of keys never share a bucket: proven nodes, proven accounts, and addresses of strangers. A request that
proves who sent it draws on its sender's bucket alone; only failures and sign-ins draw on the address. So a stranger
spends a stranger's allowance, also where it shares its address with a partner.

Buckets live in the process: a service of several processes allows each its share.
"""

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from hanse_consent.access.errors import RateLimitedError
from hanse_privacy.validation import require_at_least, require_positive


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So many at once, and so many per second in the long run."""

    burst: int
    per_s: float

    def __post_init__(self) -> None:
        require_at_least(1, burst=self.burst)
        require_positive(per_s=self.per_s)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Tokens left at a moment of a monotonic clock."""

    tokens: float
    at_s: float


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What became of an attempt to take a token."""

    bucket: Bucket
    wait_s: float
    """0 if the token was taken; otherwise the seconds until there is one."""


def refilled(bucket: Bucket, rate: Rate, *, now_s: float) -> Bucket:
    """The bucket as time has filled it."""
    elapsed_s = max(0.0, now_s - bucket.at_s)
    return Bucket(tokens=min(float(rate.burst), bucket.tokens + elapsed_s * rate.per_s), at_s=max(now_s, bucket.at_s))


def draw(bucket: Bucket, rate: Rate, *, now_s: float) -> Draw:
    """Take a token if there is one."""
    full = refilled(bucket, rate, now_s=now_s)
    if full.tokens >= 1:
        return Draw(bucket=Bucket(tokens=full.tokens - 1, at_s=full.at_s), wait_s=0.0)
    return Draw(bucket=full, wait_s=(1 - full.tokens) / rate.per_s)


class RateLimiter:
    """A bucket per key, the least recently used forgotten first. May be used from several threads.

    A forgotten bucket is a full one: ``max_keys`` should be more than come while a bucket fills.

    Args:
        rate: How much each key is allowed.
        max_keys: Buckets kept.
        clock: Monotonic seconds.
    """

    def __init__(self, rate: Rate, *, max_keys: int, clock: Callable[[], float]) -> None:
        require_at_least(1, max_keys=max_keys)
        self._rate = rate
        self._max_keys = max_keys
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Take a token from the key's bucket.

        Raises:
            RateLimitedError: If it is empty.
        """
        with self._lock:
            now_s = self._clock()
            bucket = self._buckets.pop(key, None) or Bucket(tokens=float(self._rate.burst), at_s=now_s)
            drawn = draw(bucket, self._rate, now_s=now_s)
            self._buckets[key] = drawn.bucket
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        if drawn.wait_s > 0:
            retry_after_s = math.ceil(drawn.wait_s)
            raise RateLimitedError(
                "Too many requests in too short a time.",
                f"Send the next one in {retry_after_s} seconds.",
                retry_after_s=retry_after_s,
            )

    def give_back(self, key: str) -> None:
        """Return a token that was taken for something that is not to count."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is not None:
                tokens = min(float(self._rate.burst), bucket.tokens + 1)
                self._buckets[key] = Bucket(tokens=tokens, at_s=bucket.at_s)

    def __len__(self) -> int:
        """Buckets kept now."""
        return len(self._buckets)


_HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class AccessLimits:
    """How often each may come. NIST SP 800-63B 5.2.2 allows 100 failed sign-ins in a row; these allow fewer."""

    node: Rate = Rate(burst=2000, per_s=600.0)
    """Signed requests of one node."""
    account: Rate = Rate(burst=100, per_s=20.0)
    """Requests in the sessions of one account."""
    stranger: Rate = Rate(burst=60, per_s=0.5)
    """Requests from one address that prove nothing."""
    sign_in_from_address: Rate = Rate(burst=20, per_s=1 / 6)
    """Sign-ins from one address, whoever it claims to be; those that succeed do not count."""
    sign_in_as_account_from_address: Rate = Rate(burst=5, per_s=60 / _HOUR_S)
    """Failed sign-ins to one account from one address."""
    sign_in_as_account: Rate = Rate(burst=30, per_s=30 / _HOUR_S)
    """Failed sign-ins to one account from all addresses it never succeeded from."""
    max_keys: int = 100_000
    """Buckets of each kind; about 300 bytes each."""


def client_address(request: Request) -> str:
    """Whom a connection is counted for: an IPv4 address, or the /64 network of an IPv6 address.

    Behind a reverse proxy the server must be told whose ``X-Forwarded-For`` to believe; otherwise all have one address.
    """
    host = request.client.host if request.client is not None else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
