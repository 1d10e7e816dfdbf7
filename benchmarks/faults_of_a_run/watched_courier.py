"""A courier that keeps every masked vector that ever came out of a vault, over all restarts of everybody."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hanse_client.courier import carry
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.letters import (
    Answer,
    CourierReply,
    MaskedResult,
    Outcome,
    decode,
    open_answer,
    open_instruction,
)

_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One attempt of one vault."""

    partner: str
    run: str
    round: int
    attempt: int


@dataclass
class WatchedCourier:
    """Carries letters to the vaults' sockets; a frame that a death cuts short was not received by anybody.

    Args:
        centre: The centre's key.
        sockets: The vaults' sockets.
        keys: The vaults' lasting keys.
    """

    centre: PublicKey
    sockets: Mapping[str, Path]
    keys: Mapping[str, PublicKey]
    received: dict[Asked, set[bytes]] = field(default_factory=dict)
    """Every masked vector of every attempt."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, partner: str, letter: bytes) -> bytes:
        """Carry a letter; return the reply, or the courier's own word that there is none."""
        reply = carry(letter, socket_path=self.sockets[partner], timeout_s=_TIMEOUT_S)
        answer = self.opened(partner, letter, reply)
        if answer is not None and answer.outcome is Outcome.DONE and answer.round > 0:
            instruction, _ = open_instruction(letter, key=self.centre)
            asked = Asked(partner=partner, run=answer.run, round=answer.round, attempt=instruction.attempt)
            with self._lock:
                self.received.setdefault(asked, set()).add(decode(answer.result, MaskedResult).masked)
        return reply

    def opened(self, partner: str, letter: bytes, reply: bytes) -> Answer | None:
        """The vault's own answer in a reply; none if no vault answered."""
        sealed = decode(reply, CourierReply).answer
        return open_answer(sealed, key=self.keys[partner], instruction_letter=letter) if sealed else None

    def answered(self, partner: str, run: str) -> list[tuple[int, int]]:
        """Round and attempt of all that a vault answered in a run, in order."""
        return sorted(
            (asked.round, asked.attempt) for asked in self.received if (asked.partner, asked.run) == (partner, run)
        )

    @property
    def reused_masks(self) -> int:
        """How many vectors came out under masks that had covered another one."""
        return sum(len(vectors) - 1 for vectors in self.received.values())
