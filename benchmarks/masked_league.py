"""A league of vaults that have agreed on their secrets, in one process."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.aggregation.centre_side import Collection
from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.ring import Ring
from hanse_privacy.aggregation.session_keys import RunIdentity, SessionKey, verified_keys
from hanse_privacy.identity import SigningKey


@dataclass(frozen=True, kw_only=True)
class MaskedLeague:
    """One run of a league.

    Args:
        identity: The run.
        lasting: The partners' signing keys, in the roster's order.
        sessions: The vaults' ephemeral keys.
        messages: Those keys, signed.
        pair_secrets: Of each vault, one for each other partner.
    """

    identity: RunIdentity
    lasting: tuple[SigningKey, ...]
    sessions: tuple[SessionKey, ...]
    messages: tuple[bytes, ...]
    pair_secrets: tuple[dict[str, bytes], ...]

    @property
    def partners(self) -> tuple[str, ...]:
        """Names, in the roster's order."""
        return self.identity.partners

    def masked(self, place: int, vector: NDArray[np.int64], *, ring: Ring, attempt: Attempt) -> bytes:
        """What the vault at one place of the roster sends."""
        return mask(
            vector,
            ring=ring,
            identity=self.identity,
            attempt=attempt,
            partner=self.partners[place],
            pair_secrets=self.pair_secrets[place],
        ).tobytes()

    def total(self, vectors: Sequence[NDArray[np.int64]], *, ring: Ring, attempt: Attempt) -> NDArray[np.int64]:
        """Mask each vault's vector, collect all of them and add up."""
        collection = Collection(partners=self.partners, attempt=attempt, ring=ring, size=len(vectors[0]))
        for place, vector in enumerate(vectors):
            sent = self.masked(place, vector, ring=ring, attempt=attempt)
            collection = collection.receive(self.partners[place], sent)
        return collection.total()


def new_league(count: int) -> MaskedLeague:
    """Make a league of so many vaults, each of which has verified every key."""
    lasting = tuple(SigningKey.generate() for _ in range(count))
    roster = tuple((f"partner-{number}", key.public) for number, key in enumerate(lasting))
    identity = RunIdentity(run="benchmark", proposal="5e" * 32, roster=roster)
    sessions = tuple(SessionKey.generate() for _ in lasting)
    messages = tuple(
        session.message(identity, partner=partner, key=key)
        for session, partner, key in zip(sessions, identity.partners, lasting, strict=True)
    )
    keys = verified_keys(messages, identity)
    pair_secrets = tuple(
        session.pair_secrets(identity, keys, partner=partner)
        for session, partner in zip(sessions, identity.partners, strict=True)
    )
    return MaskedLeague(
        identity=identity, lasting=lasting, sessions=sessions, messages=messages, pair_secrets=pair_secrets
    )
