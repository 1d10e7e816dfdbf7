"""Sentences about a budget that a vault's word and a centre's have in common."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from hanse_consent.budgets.bodies import OlderLedger
from hanse_consent.domain.moments import in_words
from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.ledger_report import LedgerReport

_NEARLY = 1e-6
"""Within so much of what is left, relatively, it is for the ledger's own sum to say whether a run fits."""


def heard(report: LedgerReport, *, received_at: datetime, older: OlderLedger | None, signer: str) -> Iterator[str]:
    """When a report came, of which ledger, and whether its signer came with another one since."""
    yield f"{in_words(received_at)}, of the ledger up to entry {report.ledger.position}"
    if older is not None:
        yield (
            f"WARNING: on {in_words(older.at)} {signer} came with another ledger, which ended at entry"
            f" {older.position}, and was refused: ask its owner whether an older copy was restored"
        )


def fit(events: Sequence[ReleaseEvent], *, delta: float, remaining: float) -> str:
    """Whether a run that has not begun fits what is left."""
    if not events:
        return "this run takes nothing of it"
    try:
        return fit_of(epsilon_of(events, delta=delta), remaining=remaining)
    except InvalidValueError:
        return f"what this run would take cannot be said at δ = {delta:g}"


def fit_of(epsilon: float, *, remaining: float) -> str:
    """The same of what it would take."""
    if abs(epsilon - remaining) <= _NEARLY * epsilon:
        fits = "about as much as is left"
    else:
        fits = "it fits" if epsilon < remaining else "it does NOT fit"
    return f"this run takes {epsilon:.3f} if no attempt is repeated: {fits}"
