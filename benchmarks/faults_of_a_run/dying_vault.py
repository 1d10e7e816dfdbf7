"""The shipped vault in a process that dies by SIGKILL at a named point of one attempt; its code is the vault's own."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any

from rich.console import Console

from hanse_client.vault.home import NodeHome
from hanse_client.vault.process import serve
from hanse_client.vault.round_cohorts import RoundCohorts
from hanse_client.vault.rounds import Rounds
from hanse_client.vault.run_register import RunRegister
from hanse_client.vault.sum_register import SumRegister
from hanse_privacy.ledger import PrivacyLedger


class FaultPoint(StrEnum):
    """Where in an attempt the vault dies, in the order of the work."""

    PAYING = "paying"
    """The ledger's entry is written and not committed."""
    PAID = "paid"
    """The entry is committed; nothing is computed."""
    COMPUTED = "computed"
    """The noisy vector is there; the consent service has no report."""
    REPORTED = "reported"
    """The service has given its receipt; the vault has not recorded the round."""
    MASKED = "masked"
    """The round is recorded and the vector masked; the bytes are not kept."""
    KEPT = "kept"
    """The bytes are kept; the answer has not left."""

    @property
    def is_paid(self) -> bool:
        """Whether the ledger must hold the attempt after this death."""
        return self is not FaultPoint.PAYING

    @property
    def is_void(self) -> bool:
        """Whether the attempt is lost for ever after this death."""
        return self is not FaultPoint.KEPT


@dataclass(frozen=True, kw_only=True)
class Death:
    """Where a vault is to die: at a point of the first attempt at one round of one run."""

    run: str
    round: int
    point: FaultPoint


def serve_until_killed(root: Path, log: Path, death: Death | None) -> None:
    """Serve a node's folder; entry of a process of its own.

    Args:
        root: The node's folder.
        log: Where its output goes.
        death: Where it dies; none to live on.
    """
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    if death is not None:
        _arm(death)
    serve(NodeHome(root=root), console=Console())


def _arm(death: Death) -> None:
    point = death.point
    is_now = False

    def die() -> None:
        if is_now:
            os.kill(os.getpid(), signal.SIGKILL)

    def noting(release: Callable[..., bytes]) -> Callable[..., bytes]:
        @wraps(release)
        def note(rounds: Rounds, proposal: Any, work: Any, prepared: Any) -> bytes:
            nonlocal is_now
            is_now = (proposal.run, prepared.attempt.round, prepared.attempt.attempt) == (death.run, death.round, 1)
            return release(rounds, proposal, work, prepared)

        return note

    def before(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def dying(*arguments: Any, **named: Any) -> Any:
            die()
            return method(*arguments, **named)

        return dying

    def after(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def dying(*arguments: Any, **named: Any) -> Any:
            found = method(*arguments, **named)
            die()
            return found

        return dying

    def watching(connected: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(connected)
        @contextmanager
        def watch(ledger: PrivacyLedger) -> Iterator[Any]:
            with connected(ledger) as connection:
                # SQLite tells of each statement before it runs.
                connection.set_trace_callback(lambda statement: die() if statement == "COMMIT" else None)
                yield connection

        return watch

    _replace(Rounds, "_release", noting)
    places: dict[FaultPoint, tuple[type, str, Callable[..., Any]]] = {
        FaultPoint.PAYING: (PrivacyLedger, "_connected", watching),
        FaultPoint.PAID: (PrivacyLedger, "reserve", after),
        FaultPoint.COMPUTED: (RoundCohorts, "report", before),
        FaultPoint.REPORTED: (RunRegister, "record_round", before),
        FaultPoint.MASKED: (SumRegister, "answer", before),
        FaultPoint.KEPT: (SumRegister, "answer", after),
    }
    _replace(*places[point])


def _replace(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    setattr(owner, name, wrapper(getattr(owner, name)))
