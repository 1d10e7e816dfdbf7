"""What a vault may answer in a run's sums: one vector per attempt, one set of keys per run, in order.

A decision without time and storage. An attempt is *begun* before anybody is asked for its customers, paid for before
anything is computed, and *answered* once its exact bytes are kept, before they leave; the vault's register and ledger
hold it durably.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.errors import HanseError


class SumRefusal(StrEnum):
    """Why a vault does not answer."""

    KEYS_CHANGED = "SESSION_KEYS_CHANGED"
    """Other ephemeral keys than those of the run's first answer: one run has one set of them."""
    ATTEMPT_VOID = "ATTEMPT_VOID"
    """The attempt was begun and is lost; its masks are never used again. The next attempt may be asked."""
    OUT_OF_ORDER = "ROUND_OUT_OF_ORDER"
    """Another round or attempt comes next."""


class SumRefusedError(HanseError):
    """The vault does not answer an attempt; the reason has a code of its own."""

    code = "SUM_REFUSED"

    def __init__(self, reason: SumRefusal, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.reason = reason


def digest_of_keys(messages: Sequence[bytes]) -> str:
    """SHA-256 of all vaults' signed key messages, in the roster's order."""
    return hashlib.sha256(msgspec.msgpack.encode(list(messages))).hexdigest()


@dataclass(frozen=True, kw_only=True)
class VaultSums:
    """All that a vault remembers of one run's sums.

    Args:
        keys: Digest of the signed key messages that the run is answered with; none before the first attempt.
        answered: Of every attempt that was begun, by round and attempt, whether it was answered.
    """

    keys: str | None = None
    answered: Mapping[tuple[int, int], bool] = field(default_factory=dict)

    def must_repeat(self, attempt: Attempt, *, keys: str) -> bool:
        """Whether an attempt was answered before, so that the same bytes have to be sent again.

        Raises:
            SumRefusedError: If it may neither be repeated nor begun.
        """
        if self.keys is not None and keys != self.keys:
            raise SumRefusedError(
                SumRefusal.KEYS_CHANGED,
                "The run is answered with one set of vaults' keys, and these are others.",
                "Start a new run.",
            )
        asked = (attempt.round, attempt.attempt)
        if asked in self.answered:
            if self.answered[asked]:
                return True
            raise SumRefusedError(
                SumRefusal.ATTEMPT_VOID,
                f"Attempt {attempt.attempt} at round {attempt.round} was begun here and lost.",
                "Ask all vaults for the next attempt.",
            )
        if asked not in self._next():
            following = " or ".join(f"attempt {number} at round {round_}" for round_, number in self._next())
            raise SumRefusedError(
                SumRefusal.OUT_OF_ORDER,
                f"Here comes {following} next, not attempt {attempt.attempt} at round {attempt.round}.",
                "Start a new run.",
            )
        return False

    def _next(self) -> tuple[tuple[int, int], ...]:
        """What may be begun: another attempt at the last round, or the next round once this one was answered."""
        if not self.answered:
            return ((1, 1),)
        last = max(self.answered)
        again = (last[0], last[1] + 1)
        return ((last[0] + 1, 1), again) if self.answered[last] else (again,)
