"""Reading and adding a run's rows inside a transaction; no decision is made here."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, and_, col, or_, select

from hanse_consent.runs.errors import RunBusyError
from hanse_consent.runs.events import RUN_EVENT, RunEvent
from hanse_consent.runs.state import RunState, replay
from hanse_consent.runs.tables import ControllerRunRow, LeagueRunRow, RunEventRow
from hanse_privacy.protocol.proposal import RunProposal

_PROPOSALS_REMEMBERED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A submitted proposal, as stored.

    Args:
        run: Its name.
        proposal: Its digest.
        centre: Who signed it.
        signed: The signed proposal.
        expires_us: When the proposal ends, microseconds since 1970.
        submitted_us: When it came first.
    """

    run: str
    proposal: str
    centre: str
    signed: bytes
    expires_us: int
    submitted_us: int

    def read(self) -> RunProposal:
        """The proposal. Its signature was verified when it came: the centre's key may have changed since."""
        return _read(self.signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A run at one controller: its proposal and every event, in order."""

    stored: StoredRun
    controller: str
    events: tuple[RunEvent, ...]

    def state(self, *, at_us: int) -> RunState:
        """The run's state as the clock shows it."""
        return replay(self.events, expires_us=self.stored.expires_us).at(at_us)


def stored_run(session: Session, run: str) -> StoredRun | None:
    """One submitted proposal, or none of that name."""
    row = session.get(LeagueRunRow, run)
    return None if row is None else _stored(row)


def add_run(session: Session, new: StoredRun) -> None:
    """Keep a proposal.

    Raises:
        RunBusyError: If it was kept by somebody else at the same moment.
    """
    session.add(
        LeagueRunRow(
            run=new.run,
            proposal=new.proposal,
            centre=new.centre,
            signed=new.signed,
            expires_us=new.expires_us,
            submitted_us=new.submitted_us,
        )
    )
    _flush(session)


def begin(session: Session, stored: StoredRun, *, controller: str) -> None:
    """Note that a run concerns a controller; a run that is known here stays as it is.

    Raises:
        RunBusyError: If it was noted by somebody else at the same moment.
    """
    if session.get(ControllerRunRow, (controller, stored.run)) is None:
        session.add(ControllerRunRow(controller=controller, run=stored.run, submitted_us=stored.submitted_us))
        _flush(session)


def locked_history(session: Session, run: str, *, controller: str) -> History | None:
    """A run at one controller, held until the transaction ends, so that nobody else adds to it meanwhile."""
    here = select(ControllerRunRow).where(ControllerRunRow.controller == controller, ControllerRunRow.run == run)
    if session.exec(here.with_for_update()).first() is None:
        return None
    return history(session, run, controller=controller)


def history(session: Session, run: str, *, controller: str) -> History | None:
    """A run at one controller, or none of that name."""
    stored = stored_run(session, run)
    if stored is None or session.get(ControllerRunRow, (controller, run)) is None:
        return None
    return _histories(session, [(stored, controller)])[0]


def histories(session: Session, run: str) -> tuple[History, ...]:
    """A run at every controller that it concerns, by their names."""
    stored = stored_run(session, run)
    if stored is None:
        return ()
    here = select(ControllerRunRow.controller).where(ControllerRunRow.run == run).order_by(ControllerRunRow.controller)
    return _histories(session, [(stored, controller) for controller in session.exec(here)])


def page(session: Session, *, controller: str, before: tuple[int, str] | None, limit: int) -> tuple[History, ...]:
    """Runs of one controller, the newest first.

    Args:
        session: A reading transaction.
        controller: Whose runs.
        before: Time of submission and name of the run that the page begins after.
        limit: The most that are returned.
    """
    submitted, run = col(ControllerRunRow.submitted_us), col(ControllerRunRow.run)
    question = (
        select(LeagueRunRow)
        .join(ControllerRunRow, run == col(LeagueRunRow.run))
        .where(ControllerRunRow.controller == controller)
        .order_by(submitted.desc(), run.desc())
        .limit(limit)
    )
    if before is not None:
        at_us, name = before
        question = question.where(or_(submitted < at_us, and_(submitted == at_us, run < name)))
    return _histories(session, [(_stored(row), controller) for row in session.exec(question)])


def append(session: Session, known: History, event: RunEvent) -> History:
    """Add an event to a locked history.

    Raises:
        RunBusyError: If another was added at the same moment.
    """
    session.add(
        RunEventRow(
            controller=known.controller,
            run=known.stored.run,
            number=len(known.events) + 1,
            at_us=event.at_us,
            kind=event.kind,
            body=RUN_EVENT.dump_json(event).decode(),
        )
    )
    _flush(session)
    return History(stored=known.stored, controller=known.controller, events=(*known.events, event))


@lru_cache(maxsize=_PROPOSALS_REMEMBERED)
def _read(signed: bytes) -> RunProposal:
    # Reading recomputes the run's privacy cost: done once, not before every round.
    return RunProposal.parse(json.loads(signed)["document"])


def _histories(session: Session, wanted: Sequence[tuple[StoredRun, str]]) -> tuple[History, ...]:
    runs, controllers = {stored.run for stored, _ in wanted}, {controller for _, controller in wanted}
    rows = session.exec(
        select(RunEventRow)
        .where(col(RunEventRow.run).in_(runs), col(RunEventRow.controller).in_(controllers))
        .order_by(col(RunEventRow.number))
    )
    events = _by_run(rows)
    return tuple(
        History(stored=stored, controller=controller, events=tuple(events[stored.run, controller]))
        for stored, controller in wanted
    )


def _by_run(rows: Iterable[RunEventRow]) -> defaultdict[tuple[str, str], list[RunEvent]]:
    events: defaultdict[tuple[str, str], list[RunEvent]] = defaultdict(list)
    for row in rows:
        events[row.run, row.controller].append(RUN_EVENT.validate_json(row.body))
    return events


def _stored(row: LeagueRunRow) -> StoredRun:
    return StoredRun(
        run=row.run,
        proposal=row.proposal,
        centre=row.centre,
        signed=row.signed,
        expires_us=row.expires_us,
        submitted_us=row.submitted_us,
    )


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise RunBusyError(
            "Somebody else changed the run at the same moment.", "Look at the run, and send it again if need be."
        ) from error
