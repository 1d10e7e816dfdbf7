"""Passwords: what is accepted, and hashing that cannot take the whole machine."""

import asyncio
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pwdlib import PasswordHash

from hanse_consent.access.errors import PasswordRefusedError, RateLimitedError
from hanse_privacy.validation import require_at_least

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 256

_MIN_DIFFERENT_CHARACTERS = 5
_HASHES_AT_ONCE = 2
_Result = TypeVar("_Result")


def normalised(password: str) -> str:
    """The same characters however a keyboard composed them (NIST SP 800-63B 5.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, *, account: str) -> None:
    """Accept a new password or raise. Length counts, not kinds of characters (NIST SP 800-63B 5.1.1.2).

    Raises:
        PasswordRefusedError: If it is shorter than 12 or longer than 256 characters, holds the account's name,
            or is made of fewer than 5 different characters.
    """
    text = normalised(password)
    if not MIN_PASSWORD_CHARACTERS <= len(text) <= MAX_PASSWORD_CHARACTERS:
        raise PasswordRefusedError(
            f"The password has not between {MIN_PASSWORD_CHARACTERS} and {MAX_PASSWORD_CHARACTERS} characters.",
            "Use several words that do not belong together.",
        )
    folded = text.casefold()
    if account.casefold() in folded:
        raise PasswordRefusedError("The password holds the account's name.", "Use words that are not about you.")
    if len(set(folded)) < _MIN_DIFFERENT_CHARACTERS:
        raise PasswordRefusedError(
            f"The password has fewer than {_MIN_DIFFERENT_CHARACTERS} different characters.",
            "Use several words that do not belong together.",
        )


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Whether a password is right, and its new hash where the old one has outdated parameters."""

    matches: bool
    new_hash: str | None


class Passwords:
    """Hashes with Argon2id, two at a time: each takes 64 MiB and two tenths of a second on a small machine.

    Args:
        hasher: How; without one ``PasswordHash.recommended()``, which is RFC 9106's second recommended choice.
        max_waiting: Hashes that may wait for their turn; more are refused.
    """

    def __init__(self, *, hasher: PasswordHash | None = None, max_waiting: int = 32) -> None:
        require_at_least(1, max_waiting=max_waiting)
        self._hasher = PasswordHash.recommended() if hasher is None else hasher
        # Two threads of its own: waiting for a hash must not use up the threads that answer everybody else.
        self._threads = ThreadPoolExecutor(max_workers=_HASHES_AT_ONCE, thread_name_prefix="passwords")
        self._places = threading.BoundedSemaphore(max_waiting + _HASHES_AT_ONCE)
        self._decoy = self._hasher.hash(secrets.token_hex(16))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def hash_now(self, password: str) -> str:
        """Hash in the caller's own thread; for the command line."""
        return self._hasher.hash(normalised(password))

    async def hash(self, password: str) -> str:
        """Hash a password for keeping.

        Raises:
            RateLimitedError: If too many wait already.
        """
        return await self._in_turn(lambda: self.hash_now(password))

    async def verify(self, password: str, *, stored: str | None) -> Verification:
        """Compare with a stored hash.

        Without a stored hash the same work is done and nothing matches, so that an unknown account takes as long.

        Raises:
            RateLimitedError: If too many wait already.
        """
        matches, new_hash = await self._in_turn(
            lambda: self._hasher.verify_and_update(normalised(password), self._decoy if stored is None else stored)
        )
        if stored is None or not matches:
            return Verification(matches=False, new_hash=None)
        return Verification(matches=True, new_hash=new_hash)

    async def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        if not self._places.acquire(blocking=False):
            raise RateLimitedError("Too many people sign in at once.", "Try again in a moment.", retry_after_s=5)
        future: Future[_Result] = self._threads.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
