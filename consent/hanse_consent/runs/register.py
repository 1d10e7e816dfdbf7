"""The register of runs: what happened to each run at each controller, kept and never changed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from hanse_consent.domain.moments import to_microseconds
from hanse_consent.runs import history
from hanse_consent.runs.anonymity import ModelStatus, model_status
from hanse_consent.runs.errors import ProposalDiffersError, RunUnknownError
from hanse_consent.runs.events import CohortMismatched, RunEvent
from hanse_consent.runs.history import History, StoredRun
from hanse_consent.runs.state import RunState, advance, replay
from hanse_consent.storage.database import Database
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.validation import require

PAGE_LIMIT = 100
"""The most runs that one page lists."""

EventsOf = Callable[[History, RunState, int], tuple[RunEvent, ...]]
"""Makes the events to add from a run's history, its state now, and the time (microseconds since 1970)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHere:
    """A run at one controller, for its officers and for what is decided from it.

    Args:
        controller: Whose.
        proposal: What was proposed.
        state: Where it stands now.
        model: How a model that it released is to be treated.
        submitted_us: When it was submitted, microseconds since 1970.
        events: Everything that happened to it, in order.
    """

    controller: str
    proposal: RunProposal
    state: RunState
    model: ModelStatus
    submitted_us: int
    events: tuple[RunEvent, ...]


class RunRegister:
    """Keeps the runs of all controllers that the service serves.

    Args:
        database: Where.
        now: The service's clock.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def run(self, run: str, *, controller: str) -> RunHere:
        """One run at one controller.

        Raises:
            RunUnknownError: If none of that name concerns the controller.
        """
        with self._database.reading(controller=controller) as session:
            found = history.history(session, run, controller=controller)
        if found is None:
            raise unknown(run)
        return self._here(found)

    def runs(self, *, controller: str, before: tuple[int, str] | None, limit: int) -> tuple[RunHere, ...]:
        """One controller's runs, the newest first.

        Args:
            controller: Whose.
            before: Time of submission (microseconds since 1970) and name of the last run of the page before.
            limit: 1 to 100.
        """
        require(1 <= limit <= PAGE_LIMIT, name="limit", value=limit, bound=f"1 to {PAGE_LIMIT}")
        with self._database.reading(controller=controller) as session:
            found = history.page(session, controller=controller, before=before, limit=limit)
        return tuple(map(self._here, found))

    def at_every_controller(self, run: str) -> tuple[History, ...]:
        """A run at all controllers that it concerns here, by name; nothing if it is unknown."""
        with self._database.reading_across_controllers() as session:
            return history.histories(session, run)

    def keep(self, proposal: RunProposal, signed: bytes, *, centre: str) -> StoredRun:
        """Keep a verified proposal; one that is known stays as it was first kept.

        Raises:
            ProposalDiffersError: If a run of this name is kept with other terms, or from another centre.
        """
        with self._database.writing() as session:
            stored = history.stored_run(session, proposal.run)
            if stored is None:
                stored = StoredRun(
                    run=proposal.run,
                    proposal=proposal.digest,
                    centre=centre,
                    signed=signed,
                    expires_us=to_microseconds(proposal.expires_at),
                    submitted_us=self.now_us(),
                )
                history.add_run(session, stored)
        if (stored.proposal, stored.centre) != (proposal.digest, centre):
            raise ProposalDiffersError(
                f"A run {proposal.run} was submitted here with other terms.",
                "Changed terms are a new run with a new name.",
            )
        return stored

    def begin(self, stored: StoredRun, *, controller: str) -> None:
        """Note that a run concerns a controller; nothing changes if that is known."""
        with self._database.writing(controller=controller) as session:
            history.begin(session, stored, controller=controller)

    def add(self, run: str, *, controller: str, events: EventsOf) -> RunHere:
        """Add what happened, in one transaction that nobody else adds to; what says nothing new is not kept.

        Args:
            run: Its name.
            controller: At whom.
            events: Makes the events, or refuses.

        Raises:
            RunUnknownError: If none of that name concerns the controller.
            RunStateError: If an event cannot happen now; then none is kept.
        """
        with self._database.writing(controller=controller) as session:
            known = history.locked_history(session, run, controller=controller)
            if known is None:
                raise unknown(run)
            # A clock that was set back does not put events out of order.
            at_us = max([self.now_us(), *(event.at_us for event in known.events)])
            state = replay(known.events, expires_us=known.stored.expires_us)
            for event in events(known, state.at(at_us), at_us):
                following = advance(state, event)
                if following != state:
                    known = history.append(session, known, event)
                state = following
        return self._here(known)

    def flag(self, *, controller: str, run: str, why: str) -> None:
        """Record that a round used another cohort than its manifest named: the run gets no further manifest.

        Saying so twice, or of a run that is unknown, changes nothing.

        Args:
            controller: At whom.
            run: Its name.
            why: Which round, and what did not match; never who.

        Raises:
            RunStateError: If the run was never approved.
        """
        with suppress(RunUnknownError):
            self.add(
                run,
                controller=controller,
                events=lambda _known, _state, at_us: (CohortMismatched(at_us=at_us, why=why),),
            )

    def now_us(self) -> int:
        """The service's time, microseconds since 1970."""
        return to_microseconds(self._now())

    def _here(self, known: History) -> RunHere:
        at_us = self.now_us()
        state = known.state(at_us=at_us)
        return RunHere(
            controller=known.controller,
            proposal=known.stored.read(),
            state=state,
            model=model_status(state, at_us=at_us),
            submitted_us=known.stored.submitted_us,
            events=known.events,
        )


def require_terms(known: History, proposal: str) -> None:
    """Accept the digest of the terms that a run was submitted with, or raise.

    Raises:
        ProposalDiffersError: If they are others.
    """
    if known.stored.proposal != proposal:
        raise ProposalDiffersError(
            f"Run {known.stored.run} was submitted with other terms than those named.",
            "Read the run again and decide on what it says.",
        )


def unknown(run: str) -> RunUnknownError:
    """That no such run was submitted for whoever asks."""
    return RunUnknownError(f"No run {run} was submitted here.", "Submit its signed proposal first, or mend the name.")
