"""Ephemeral keys: believed under the partner's own signature only, for one run, one roster, one partner."""

import dataclasses

import msgspec
import pytest
from rosters import identity_of, lasting_key, league, messages_of

from hanse_privacy.aggregation.session_keys import SessionKey, SessionKeysError, verified_keys
from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import SigningKey

IDENTITY = identity_of(3)


def sessions() -> list[SessionKey]:
    return [SessionKey.generate() for _ in range(3)]


def test_every_pair_has_one_secret_of_its_own() -> None:
    _, vaults = league(5)
    secrets = {
        frozenset((vault.partner, other)): secret for vault in vaults for other, secret in vault.pair_secrets.items()
    }
    for vault in vaults:
        assert set(vault.pair_secrets) == {other.partner for other in vaults} - {vault.partner}
        for other, secret in vault.pair_secrets.items():
            assert secret == secrets[frozenset((vault.partner, other))]
    assert len(set(secrets.values())) == 10


def test_a_restored_key_agrees_on_the_same_secrets() -> None:
    made = sessions()
    keys = verified_keys(messages_of(IDENTITY, made), IDENTITY)
    again = SessionKey(made[0].private_bytes())
    agreed = [key.pair_secrets(IDENTITY, keys, partner="partner-0") for key in (made[0], again)]
    assert agreed[0] == agreed[1]


def test_another_run_has_other_secrets_with_the_same_keys() -> None:
    made = sessions()
    found = []
    for identity in (IDENTITY, identity_of(3, run="summer"), identity_of(3, proposal="aa" * 32)):
        keys = verified_keys(messages_of(identity, made), identity)
        found.append(made[0].pair_secrets(identity, keys, partner="partner-0")["partner-1"])
    assert len(set(found)) == 3


def test_a_stranger_cannot_put_a_key_in_a_partners_place() -> None:
    honest, stranger = messages_of(IDENTITY, sessions()), SigningKey.generate()
    forged = SessionKey.generate().message(IDENTITY, partner="partner-1", key=stranger)
    with pytest.raises(SignatureInvalidError):
        verified_keys([honest[0], forged, honest[2]], IDENTITY)


def test_a_partner_cannot_sign_in_anothers_place() -> None:
    honest = messages_of(IDENTITY, sessions())
    swapped = SessionKey.generate().message(IDENTITY, partner="partner-1", key=lasting_key(2))
    for messages in ([honest[0], swapped, honest[2]], [honest[0], honest[2], honest[1]]):
        with pytest.raises(SignatureInvalidError):
            verified_keys(messages, IDENTITY)


@pytest.mark.parametrize(
    "other",
    [
        identity_of(3, run="summer"),
        identity_of(3, proposal="aa" * 32),
        dataclasses.replace(IDENTITY, roster=IDENTITY.roster[:2]),
        dataclasses.replace(IDENTITY, roster=IDENTITY.roster[::-1]),
    ],
    ids=["run", "proposal", "roster", "order"],
)
def test_a_key_for_another_run_or_roster_is_refused(other) -> None:
    made = sessions()
    honest = messages_of(IDENTITY, made)
    replayed = made[0].message(other, partner="partner-0", key=lasting_key(0))
    with pytest.raises(SessionKeysError, match="another run"):
        verified_keys([replayed, *honest[1:]], IDENTITY)


def test_a_key_for_another_partner_is_refused() -> None:
    honest = messages_of(IDENTITY, sessions())
    misnamed = SessionKey.generate().message(IDENTITY, partner="partner-2", key=lasting_key(1))
    with pytest.raises(SessionKeysError, match="another run, roster or partner"):
        verified_keys([honest[0], misnamed, honest[2]], IDENTITY)


def test_missing_doubled_and_shared_keys_are_refused() -> None:
    made = sessions()
    honest = messages_of(IDENTITY, made)
    for messages in (honest[:2], [], [*honest, honest[0]]):
        with pytest.raises(SessionKeysError, match="roster of 3"):
            verified_keys(messages, IDENTITY)
    made[2] = made[1]
    with pytest.raises(SessionKeysError, match="same ephemeral key"):
        verified_keys(messages_of(IDENTITY, made), IDENTITY)


def test_every_changed_byte_is_noticed() -> None:
    honest = messages_of(IDENTITY, sessions())
    for place in range(len(honest[0])):
        changed = bytearray(honest[0])
        changed[place] ^= 1
        with pytest.raises(HanseError) as caught:
            verified_keys([bytes(changed), *honest[1:]], IDENTITY)
        assert caught.value.code in {"SESSION_KEYS_INVALID", "SIGNATURE_INVALID"}


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_keys_that_make_every_secret_known_are_refused(point: bytes) -> None:
    with pytest.raises(SessionKeysError, match="partner-1"):
        SessionKey.generate().pair_secrets(
            IDENTITY, {"partner-1": point, "partner-2": SessionKey.generate().public}, partner="partner-0"
        )


def test_garbage_is_no_key_message() -> None:
    for garbage in (b"", b"\x93\x01\x02\x03", b"\x90" * 2000, msgspec.msgpack.encode({"body": b"", "signature": b""})):
        with pytest.raises(HanseError):
            verified_keys([garbage] * 3, IDENTITY)


def test_a_private_key_is_shown_nowhere() -> None:
    key = SessionKey.generate()
    assert repr(key) == "SessionKey(…)"
