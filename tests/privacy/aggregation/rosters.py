"""Rosters whose vaults have agreed on their secrets, for tests of what they do with them."""

import functools
from dataclasses import dataclass

from hanse_privacy.aggregation.session_keys import RunIdentity, SessionKey, verified_keys
from hanse_privacy.identity import SigningKey

PROPOSAL = "5e" * 32


@dataclass(frozen=True, kw_only=True)
class Vault:
    partner: str
    lasting: SigningKey
    session: SessionKey
    pair_secrets: dict[str, bytes]


@functools.cache
def lasting_key(number: int) -> SigningKey:
    del number
    return SigningKey.generate()


def identity_of(count: int, *, run: str = "spring", proposal: str = PROPOSAL) -> RunIdentity:
    return RunIdentity(
        run=run,
        proposal=proposal,
        roster=tuple((f"partner-{number}", lasting_key(number).public) for number in range(count)),
    )


def messages_of(identity: RunIdentity, sessions: list[SessionKey]) -> list[bytes]:
    return [
        session.message(identity, partner=partner, key=lasting_key(number))
        for number, (partner, session) in enumerate(zip(identity.partners, sessions, strict=True))
    ]


@functools.cache
def league(count: int) -> tuple[RunIdentity, tuple[Vault, ...]]:
    """A roster in which every vault has verified every key."""
    identity = identity_of(count)
    sessions = [SessionKey.generate() for _ in range(count)]
    keys = verified_keys(messages_of(identity, sessions), identity)
    return identity, tuple(
        Vault(
            partner=partner,
            lasting=lasting_key(number),
            session=sessions[number],
            pair_secrets=sessions[number].pair_secrets(identity, keys, partner=partner),
        )
        for number, partner in enumerate(identity.partners)
    )
