import asyncio
import threading

import pytest
from pwdlib import PasswordHash

from hanse_consent.access.errors import PasswordRefusedError, RateLimitedError
from hanse_consent.access.passwords import Passwords, check_password


@pytest.mark.parametrize(
    "password",
    ["", "elevenchars", "x" * 257, "my name is ada.l now", "MY NAME IS ADA.L NOW", "aaaabbbbaaaabbbb", "ﬁve" * 1],
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordRefusedError) as refused:
        check_password(password, account="ada.l")
    assert password == "" or password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["twelve chars", "correct horse battery", "长城上的月亮照着谁的窗口呢", "a b c d e f g h" * 17]
)
def test_long_enough_is_enough(password: str) -> None:
    check_password(password, account="ada.l")


def test_what_is_kept_is_argon2id_and_one_password_has_one_spelling() -> None:
    passwords = Passwords(hasher=PasswordHash.recommended())
    try:
        stored = asyncio.run(passwords.hash("ﬁne passwörd here"))
        assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        composed = asyncio.run(passwords.verify("fine passwo\u0308rd here", stored=stored))
        assert composed.matches
        assert composed.new_hash is None
    finally:
        passwords.close()


def test_an_unknown_account_never_matches(quick_hasher: PasswordHash) -> None:
    passwords = Passwords(hasher=quick_hasher)
    assert not asyncio.run(passwords.verify("anything at all", stored=None)).matches
    passwords.close()


def test_a_hash_with_older_parameters_is_renewed(quick_hasher: PasswordHash) -> None:
    passwords = Passwords(hasher=PasswordHash.recommended())
    found = asyncio.run(passwords.verify("correct horse", stored=quick_hasher.hash("correct horse")))
    assert found.matches
    assert found.new_hash is not None
    assert "m=65536" in found.new_hash
    passwords.close()


class SlowHasher:
    """Counts how many hash at the same time."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.running = 0
        self.most = 0
        self.lock = threading.Lock()
        self.decoy_done = False

    def hash(self, password: str) -> str:
        if not self.decoy_done:
            self.decoy_done = True
            return "decoy"
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.release.wait(timeout=10)
        with self.lock:
            self.running -= 1
        return "hash"


def test_two_hash_at_once_a_few_wait_and_more_are_refused() -> None:
    hasher = SlowHasher()
    passwords = Passwords(hasher=hasher, max_waiting=3)  # type: ignore[arg-type]

    async def all_at_once() -> list[object]:
        tasks = [asyncio.create_task(passwords.hash(f"password {n}")) for n in range(8)]
        await asyncio.sleep(0.2)
        hasher.release.set()
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(all_at_once())
    assert outcomes.count("hash") == 5
    assert sum(isinstance(outcome, RateLimitedError) for outcome in outcomes) == 3
    assert hasher.most == 2
    hasher.release.set()
    assert asyncio.run(passwords.hash("a place is free again")) == "hash"
    passwords.close()
