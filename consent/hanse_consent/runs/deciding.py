"""The officers' side of the register: they approve, refuse, revoke, and find a released model anonymous."""

from dataclasses import dataclass
from datetime import date, datetime

from hanse_consent.runs.anonymity import require_founded
from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.events import AnonymityFound, OfficerApproved, OfficerRefused, Revoked, RunEvent
from hanse_consent.runs.history import History
from hanse_consent.runs.officers import Officer
from hanse_consent.runs.register import RunHere, RunRegister, require_terms
from hanse_consent.runs.standing import Ending, RunStage
from hanse_consent.runs.state import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class AnonymityClaim:
    """What an officer states of a released model.

    Args:
        epsilon: The bound on the privacy loss that the finding rests on.
        honest_minimum: How many vaults it presumes honest.
        audit: Reference of the audit that it rests on.
        found_on: The finding's date.
        valid_until: When it ends.
    """

    epsilon: float
    honest_minimum: int
    audit: str
    found_on: date
    valid_until: datetime


class Decisions:
    """Records what officers decide; each acts for named controllers only.

    Args:
        register: Where runs are kept.
        checker: Holds proposals against the law and what is registered.
    """

    def __init__(self, register: RunRegister, *, checker: ProposalChecker) -> None:
        self._register = register
        self._checker = checker

    def approve(self, run: str, *, controller: str, officer: Officer, proposal: str) -> RunHere:
        """Record that an officer approves; the same officer counts once.

        What was allowed at submission may be forbidden now: the proposal is checked again first, and a run that
        the check refuses ends here, whoever approves.

        Args:
            run: Its name.
            controller: For whom the officer decides.
            officer: Who; identity proved.
            proposal: Digest of the terms that the officer saw.

        Raises:
            OfficerForeignError: If the officer does not act for the controller.
            RunUnknownError: If there is no such run.
            ProposalDiffersError: If its terms are others than the officer saw.
            RunStateError: If it is not open for approval.
        """
        officer.require_acts_for(controller)

        def events(known: History, state: RunState, at_us: int) -> tuple[RunEvent, ...]:
            require_terms(known, proposal)
            approval = OfficerApproved(at_us=at_us, officer=officer.name)
            if not state.stage.is_open:
                return (approval,)
            checked = self._checker.checked(known.stored.read(), controller=controller, at_us=at_us)
            return (checked,) if checked.findings else (checked, approval)

        return self._register.add(run, controller=controller, events=events)

    def refuse(self, run: str, *, controller: str, officer: Officer, proposal: str, ending: Ending) -> RunHere:
        """Record that an officer refuses: the run is over at this controller.

        Args:
            run: Its name.
            controller: For whom the officer decides.
            officer: Who; identity proved.
            proposal: Digest of the terms that the officer saw.
            ending: The officer's words, with rule and article if there is one.

        Raises:
            OfficerForeignError: If the officer does not act for the controller.
            RunUnknownError: If there is no such run.
            ProposalDiffersError: If its terms are others than the officer saw.
            RunStateError: If it is not open; an approved run is revoked instead.
        """
        officer.require_acts_for(controller)

        def events(known: History, _state: RunState, at_us: int) -> tuple[RunEvent, ...]:
            require_terms(known, proposal)
            return (OfficerRefused(at_us=at_us, officer=officer.name, ending=ending),)

        return self._register.add(run, controller=controller, events=events)

    def revoke(self, run: str, *, controller: str, officer: Officer, ending: Ending) -> RunHere:
        """Take an approval back: no manifest is issued for the run from now on.

        Args:
            run: Its name.
            controller: For whom the officer decides.
            officer: Who; identity proved.
            ending: The officer's words, with rule and article if there is one.

        Raises:
            OfficerForeignError: If the officer does not act for the controller.
            RunUnknownError: If there is no such run.
            RunStateError: If it is not approved, or over.
        """
        officer.require_acts_for(controller)
        return self._register.add(
            run,
            controller=controller,
            events=lambda _known, _state, at_us: (Revoked(at_us=at_us, officer=officer.name, ending=ending),),
        )

    def find_anonymous(self, run: str, *, controller: str, officer: Officer, claim: AnonymityClaim) -> RunHere:
        """Record an officer's finding that the released model is anonymous, for this controller.

        Args:
            run: Its name.
            controller: For whom the officer decides.
            officer: Who; identity proved.
            claim: What the finding rests on.

        Raises:
            OfficerForeignError: If the officer does not act for the controller.
            RunUnknownError: If there is no such run.
            RunStateError: If the run has released nothing, or is flagged or revoked.
            AnonymityUnfoundedError: If the finding does not cover what the run did.
        """
        officer.require_acts_for(controller)

        def events(known: History, state: RunState, at_us: int) -> tuple[RunEvent, ...]:
            finding = AnonymityFound(
                at_us=at_us,
                officer=officer.name,
                epsilon=claim.epsilon,
                honest_minimum=claim.honest_minimum,
                audit=claim.audit,
                found_on=claim.found_on,
                valid_until=claim.valid_until,
            )
            if state.stage is RunStage.FINISHED:
                require_founded(finding, state=state, proposal=known.stored.read())
            return (finding,)

        return self._register.add(run, controller=controller, events=events)
