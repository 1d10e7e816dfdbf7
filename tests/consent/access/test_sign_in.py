import asyncio
import logging
import secrets
import statistics
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from pwdlib import PasswordHash
from sqlmodel import select

from hanse_consent.access.errors import (
    AccountExistsError,
    AccountUnknownError,
    CredentialsInvalidError,
    PasswordRefusedError,
    RateLimitedError,
    SessionInvalidError,
)
from hanse_consent.access.passwords import Passwords
from hanse_consent.access.rate_limits import Rate
from hanse_consent.access.roles import Role, RoleGrant
from hanse_consent.access.sign_in import SignIns
from hanse_consent.access.tables import AccessEventRow, SessionRow

PASSWORD = "correct horse battery"
OFFICER = frozenset({RoleGrant(controller="aurora", role=Role.OFFICER)})


def add(room, name: str = "ada", *, quick_hasher: PasswordHash) -> None:
    room.accounts.add(name=name, password_hash=quick_hasher.hash(PASSWORD), grants=OFFICER, actor="machine:test")


def sign_in(room, name: str = "ada", password: str = PASSWORD, address: str = "192.0.2.1"):
    return asyncio.run(room.sign_ins.open(name=name, password=password, address=address))


def test_the_right_password_opens_a_session(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    opened = sign_in(room)
    account = room.sessions.find(opened.token)
    assert (account.name, account.grants, account.must_change_password) == ("ada", OFFICER, True)
    assert opened.token not in repr(opened)
    assert len(opened.token) >= 43


def test_only_hashes_are_kept(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    opened = sign_in(room)
    with room.transactions.reading_across_controllers() as session:
        (row,) = session.exec(select(SessionRow)).all()
        assert len(row.token_sha256) == 32
        assert opened.token.encode() not in row.token_sha256
    stored = room.accounts.stored_password("ada")
    assert stored is not None
    assert stored.password_hash.startswith("$argon2id$")


def test_unknown_wrong_and_disabled_are_answered_alike(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    add(room, "eve", quick_hasher=quick_hasher)
    room.accounts.disable(name="eve", actor="machine:test")
    answers = set()
    for name, password in (("ada", "wrong password"), ("nobody", PASSWORD), ("eve", PASSWORD)):
        with pytest.raises(CredentialsInvalidError) as refused:
            sign_in(room, name, password)
        answers.add((str(refused.value), refused.value.status, tuple(refused.value.headers.items())))
    assert len(answers) == 1


def test_an_unknown_account_takes_as_long_as_a_wrong_password(sqlite_room) -> None:
    room = sqlite_room
    hasher = PasswordHash.recommended()
    limits = replace(
        room.limits,
        sign_in_from_address=Rate(burst=1000, per_s=1.0),
        sign_in_as_account_from_address=Rate(burst=1000, per_s=1.0),
        sign_in_as_account=Rate(burst=1000, per_s=1.0),
    )
    passwords = Passwords(hasher=hasher)
    slow = SignIns(
        accounts=room.accounts,
        sessions=room.sessions,
        passwords=passwords,
        limits=limits,
        clock=room.clock.monotonic,
    )
    room.accounts.add(name="ada", password_hash=hasher.hash(PASSWORD), grants=OFFICER, actor="machine:test")

    async def timed(name: str) -> float:
        started = time.perf_counter()
        with pytest.raises(CredentialsInvalidError):
            await slow.open(name=name, password="wrong password", address="192.0.2.1")
        return time.perf_counter() - started

    async def both() -> tuple[float, float]:
        known, unknown = [], []
        for _ in range(5):  # in turn, so that a noisy moment meets both
            known.append(await timed("ada"))
            unknown.append(await timed("nobody"))
        return statistics.median(known), statistics.median(unknown)

    known_s, unknown_s = asyncio.run(both())
    passwords.close()
    # Without the decoy the ratio is below a tenth.
    assert 0.5 < unknown_s / known_s < 2


def test_guessing_at_one_account_from_one_address_is_held_up(room, clock, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    for _ in range(5):
        with pytest.raises(CredentialsInvalidError):
            sign_in(room, password="wrong password")
    with pytest.raises(RateLimitedError) as refused:
        sign_in(room)  # also the right one: otherwise the answer would tell
    assert refused.value.retry_after_s == 60
    clock.advance(seconds=60.1)
    sign_in(room)


def test_many_guesses_at_once_are_no_way_around(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)

    async def burst() -> list[object]:
        guesses = (room.sign_ins.open(name="ada", password=f"wrong {n:09d}", address="192.0.2.1") for n in range(15))
        return list(await asyncio.gather(*guesses, return_exceptions=True))

    outcomes = asyncio.run(burst())
    assert sum(isinstance(outcome, CredentialsInvalidError) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, RateLimitedError) for outcome in outcomes) == 10


def test_unknown_accounts_are_held_up_alike(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)

    def outcomes(name: str, address: str) -> list[str]:
        found = []
        for _ in range(8):
            try:
                sign_in(room, name, "wrong password", address)
            except (CredentialsInvalidError, RateLimitedError) as refusal:
                found.append(str(refusal))
        return found

    assert outcomes("ada", "192.0.2.1") == outcomes("nobody", "192.0.2.2")


def test_one_address_cannot_try_many_accounts(room) -> None:
    outcomes = []
    for number in range(25):
        try:
            sign_in(room, f"somebody{number}", "password 123456")
        except (CredentialsInvalidError, RateLimitedError) as refusal:
            outcomes.append(refusal.code)
    assert outcomes == ["CREDENTIALS_INVALID"] * 20 + ["RATE_LIMITED"] * 5


def test_many_addresses_cannot_try_one_account_nor_keep_its_owner_out(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    sign_in(room, address="198.51.100.7")  # where the owner always is
    outcomes = []
    for number in range(40):
        try:
            sign_in(room, password="wrong password", address=f"192.0.2.{number}")
        except (CredentialsInvalidError, RateLimitedError) as refusal:
            outcomes.append(refusal.code)
    assert outcomes == ["CREDENTIALS_INVALID"] * 30 + ["RATE_LIMITED"] * 10
    sign_in(room, address="198.51.100.7")


def test_signing_in_rightly_costs_no_allowance(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    for _ in range(30):
        sign_in(room)


def test_a_changed_password_ends_every_session(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    first, second = sign_in(room), sign_in(room)
    account = room.sessions.find(first.token)
    change = room.sign_ins.change_password(account, old=PASSWORD, new="another long one", address="192.0.2.1")
    third = asyncio.run(change)
    for token in (first.token, second.token):
        with pytest.raises(SessionInvalidError):
            room.sessions.find(token)
    assert not room.sessions.find(third.token).must_change_password
    with pytest.raises(CredentialsInvalidError):
        sign_in(room)
    sign_in(room, password="another long one")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("not the old one", "another long one", CredentialsInvalidError),
        (PASSWORD, "short", PasswordRefusedError),
        (PASSWORD, PASSWORD, PasswordRefusedError),
    ],
)
def test_a_password_is_changed_by_whoever_knows_it_to_a_good_one(room, quick_hasher, old, new, error) -> None:
    add(room, quick_hasher=quick_hasher)
    account = room.sessions.find(sign_in(room).token)
    with pytest.raises(error):
        asyncio.run(room.sign_ins.change_password(account, old=old, new=new, address="192.0.2.1"))
    sign_in(room)


def test_a_session_is_not_opened_with_a_password_that_was_just_changed(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    stored = room.accounts.stored_password("ada")
    assert stored is not None
    room.accounts.set_password(
        name="ada", password_hash=quick_hasher.hash("another long one"), must_change=True, actor="machine:test"
    )
    with pytest.raises(CredentialsInvalidError):
        room.sessions.open(account="ada", password_hash=stored.password_hash)


def test_an_older_hash_is_renewed_at_sign_in(room) -> None:
    older = PasswordHash((type(PasswordHash.recommended().hashers[0])(time_cost=2, memory_cost=64, parallelism=1),))
    room.accounts.add(name="ada", password_hash=older.hash(PASSWORD), grants=OFFICER, actor="machine:test")
    token = sign_in(room).token
    stored = room.accounts.stored_password("ada")
    assert stored is not None
    assert "t=1" in stored.password_hash
    assert room.sessions.find(token).name == "ada"
    sign_in(room)


def test_disabling_ends_sessions_and_names_are_not_used_twice(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    token = sign_in(room).token
    room.accounts.disable(name="ada", actor="machine:test")
    with pytest.raises(SessionInvalidError):
        room.sessions.find(token)
    with pytest.raises(AccountExistsError):
        add(room, quick_hasher=quick_hasher)
    with pytest.raises(AccountUnknownError):
        room.accounts.disable(name="nobody", actor="machine:test")
    assert [account.disabled for account in room.accounts.all()] == [True]


def test_changes_of_accounts_are_noted_with_their_author(room, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    room.accounts.disable(name="ada", actor="machine:eve")
    room.accounts.disable(name="ada", actor="machine:eve")
    with room.transactions.reading_across_controllers() as session:
        rows = session.exec(select(AccessEventRow).order_by(AccessEventRow.number)).all()  # type: ignore[arg-type]
        noted = [(row.actor, row.action, row.subject, row.reason) for row in rows]
    assert noted == [
        ("machine:test", "account-added", "ada", "Roles: officer@aurora."),
        ("machine:eve", "account-disabled", "ada", ""),
    ]


def test_no_password_and_no_token_reaches_a_log(room, quick_hasher, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    add(room, quick_hasher=quick_hasher)
    secret = secrets.token_hex(8)
    with pytest.raises(CredentialsInvalidError) as refused:
        sign_in(room, password=f"wrong {secret}")
    token = sign_in(room).token
    room.sessions.find(token)
    shown = caplog.text + str(refused.value) + repr(refused.value)
    assert secret not in shown
    assert token not in shown
    assert PASSWORD not in shown


def test_more_sessions_than_allowed_end_the_oldest(room, clock, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    tokens = []
    for _ in range(room.lifetime.per_account + 2):
        tokens.append(sign_in(room).token)
        clock.advance(seconds=1)
    for token in tokens[:2]:
        with pytest.raises(SessionInvalidError):
            room.sessions.find(token)
    for token in tokens[2:]:
        room.sessions.find(token)


def test_a_session_in_use_ends_at_its_absolute_end_and_not_before(room, clock, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    opened = sign_in(room)
    while clock.at + timedelta(minutes=29) < opened.ends_at:
        clock.advance(seconds=29 * 60)
        room.sessions.find(opened.token)
    clock.advance(seconds=(opened.ends_at - clock.at).total_seconds() - 0.001)
    room.sessions.find(opened.token)
    clock.advance(seconds=0.001)
    with pytest.raises(SessionInvalidError):
        room.sessions.find(opened.token)


def test_an_unused_session_ends_after_its_idle_time_and_not_before(room, clock, quick_hasher) -> None:
    add(room, quick_hasher=quick_hasher)
    early, late = sign_in(room), sign_in(room)
    clock.advance(seconds=30 * 60 - 0.001)
    room.sessions.find(early.token)
    clock.advance(seconds=0.001)
    with pytest.raises(SessionInvalidError):
        room.sessions.find(late.token)
    room.sessions.find(early.token)


def test_lifetimes_out_of_order_are_refused(room) -> None:
    with pytest.raises(Exception, match="rising order"):
        replace(room.lifetime, idle=timedelta(days=2))
