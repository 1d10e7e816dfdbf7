"""Signing in and changing one's password: slow to guess at, and the same answer for every failure."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from hanse_consent.access.accounts import Account, Accounts, StoredPassword
from hanse_consent.access.errors import PasswordRefusedError
from hanse_consent.access.passwords import Passwords, check_password
from hanse_consent.access.rate_limits import AccessLimits, RateLimiter
from hanse_consent.access.sessions import OpenedSession, Sessions, credentials_invalid


class SignIns:
    """Opens sessions for people who know a password.

    Guessing is held up three times: by address, by account and address together, and by account over all addresses.
    The last does not hold for addresses from which the account succeeded before, because otherwise anybody
    could keep a person out by failing in that person's name.

    Args:
        accounts: Whose passwords are compared.
        sessions: Where sessions are opened.
        passwords: Hashes.
        limits: How often anybody may try.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        passwords: Passwords,
        limits: AccessLimits,
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._passwords = passwords
        self._by_address = RateLimiter(limits.sign_in_from_address, max_keys=limits.max_keys, clock=clock)
        self._by_pair = RateLimiter(limits.sign_in_as_account_from_address, max_keys=limits.max_keys, clock=clock)
        self._by_account = RateLimiter(limits.sign_in_as_account, max_keys=limits.max_keys, clock=clock)
        self._familiar = _Familiar(max_pairs=limits.max_keys)

    async def open(self, *, name: str, password: str, address: str) -> OpenedSession:
        """Open a session.

        Raises:
            CredentialsInvalidError: If name and password do not match an account in use.
            RateLimitedError: If there were too many failures.
        """
        stored = await self._verified(name=name, password=password, address=address)
        return await run_in_threadpool(self._sessions.open, account=name, password_hash=stored.password_hash)

    async def change_password(self, account: Account, *, old: str, new: str, address: str) -> OpenedSession:
        """Set one's own password; ends all sessions of the account and opens a new one.

        Raises:
            CredentialsInvalidError: If the old password is wrong.
            PasswordRefusedError: If the new one is not good enough, or the old one again.
            RateLimitedError: If there were too many failures.
        """
        await self._verified(name=account.name, password=old, address=address)
        check_password(new, account=account.name)
        if new == old:
            raise PasswordRefusedError("The new password is the old one.", "Choose another one.")
        new_hash = await self._passwords.hash(new)

        def store() -> OpenedSession:
            self._accounts.set_password(
                name=account.name, password_hash=new_hash, must_change=False, actor=f"account:{account.name}"
            )
            return self._sessions.open(account=account.name, password_hash=new_hash)

        return await run_in_threadpool(store)

    async def _verified(self, *, name: str, password: str, address: str) -> StoredPassword:
        pair = f"{address} {name}"
        drawn = [(self._by_address, address), (self._by_pair, pair)]
        # Otherwise anybody could keep a person out by failing in that person's name.
        if not self._familiar.holds(pair):
            drawn.append((self._by_account, name))
        # Taken before the password is looked at, so that many guesses at once are no way around.
        for limiter, key in drawn:
            limiter.take(key)
        stored = await self._compared(name=name, password=password, drawn=drawn)
        self._familiar.add(pair)
        return stored

    async def _compared(self, *, name: str, password: str, drawn: list[tuple[RateLimiter, str]]) -> StoredPassword:
        guessed = False
        try:
            stored = await run_in_threadpool(self._accounts.stored_password, name)
            known_hash = None if stored is None else stored.password_hash
            verification = await self._passwords.verify(password, stored=known_hash)
            guessed = stored is None or stored.disabled or not verification.matches
        finally:
            # A success is no guess, and neither is what the service could not look at.
            if not guessed:
                for limiter, key in drawn:
                    limiter.give_back(key)
        if stored is None or guessed:
            raise credentials_invalid()
        if verification.new_hash is None:
            return stored
        await run_in_threadpool(
            self._accounts.renew_hash, name=name, old_hash=stored.password_hash, new_hash=verification.new_hash
        )
        return StoredPassword(password_hash=verification.new_hash, disabled=False)


class _Familiar:
    """Pairs of address and account that have succeeded; the oldest forgotten first. Used in the event loop only."""

    def __init__(self, *, max_pairs: int) -> None:
        self._max_pairs = max_pairs
        self._pairs: dict[str, None] = {}

    def holds(self, pair: str) -> bool:
        return pair in self._pairs

    def add(self, pair: str) -> None:
        self._pairs.pop(pair, None)
        self._pairs[pair] = None
        if len(self._pairs) > self._max_pairs:
            del self._pairs[next(iter(self._pairs))]
