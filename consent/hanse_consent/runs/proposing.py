"""The centre's side of the register: it submits proposals, asks where they stand, and says what became of them."""

from collections.abc import Mapping

from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.errors import NoControllerHereError, NotTheCentreError, ProposalInvalidError
from hanse_consent.runs.events import OutcomeRecorded
from hanse_consent.runs.register import RunRegister, require_terms, unknown
from hanse_consent.runs.standing import RunOutcome, RunReport, RunStage
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.proposal import RunProposal


class Proposals:
    """Takes proposals of known centres.

    Args:
        register: Where runs are kept.
        checker: Holds proposals against the law and what is registered.
        centres: Public key of each centre whose proposals are taken.
    """

    def __init__(self, register: RunRegister, *, checker: ProposalChecker, centres: Mapping[str, PublicKey]) -> None:
        self._register = register
        self._checker = checker
        self._centres = dict(centres)

    def submit(self, signed: bytes, *, centre: str) -> RunReport:
        """Take a proposal in and check it for every controller of its roster that is served here.

        The same proposal may be sent again: what was decided since stays decided.

        Args:
            signed: The signed proposal.
            centre: Who sent it; its identity was proved.

        Raises:
            NotTheCentreError: If the sender is no centre known here.
            ProposalInvalidError: If it is no valid proposal signed by that centre.
            ProposalDiffersError: If a run of this name was submitted with other terms.
            NoControllerHereError: If it concerns nobody who is served here.
        """
        key = self._centres.get(centre)
        if key is None:
            raise NotTheCentreError(
                f"{centre} is no centre known here.", "Ask whoever runs the service to add its key."
            )
        try:
            proposal = RunProposal.verify(signed, key=key)
        except (SignatureInvalidError, InvalidValueError) as error:
            raise ProposalInvalidError(
                f"This is no proposal that can be decided on: {error.what}", error.mend
            ) from error
        if centre not in {recipient.name for recipient in proposal.recipients}:
            raise ProposalInvalidError(
                f"The proposal does not name {centre}, which receives every sum, among its recipients.",
                "Name it with its country, so that notices, agreements and transfers are held against it.",
            )
        here = self._checker.controllers_of(proposal)
        if not here:
            raise NoControllerHereError(
                "The roster names no controller that this service keeps consent for.",
                "Submit the run to the services of the partners in its roster.",
            )
        stored = self._register.keep(proposal, signed, centre=centre)
        for controller in here:
            self._register.begin(stored, controller=controller)
            self._register.add(
                stored.run,
                controller=controller,
                events=lambda known, state, at_us: (
                    (self._checker.checked(proposal, controller=known.controller, at_us=at_us),)
                    if state.stage is RunStage.PROPOSED
                    else ()
                ),
            )
        return self.report(proposal.run, centre=centre)

    def report(self, run: str, *, centre: str) -> RunReport:
        """Where a run stands at every controller served here.

        Raises:
            RunUnknownError: If this centre submitted no such run.
        """
        found = self._register.at_every_controller(run)
        # Another centre's run is unknown rather than forbidden: nobody can try names out.
        if not found or found[0].stored.centre != centre:
            raise unknown(run)
        at_us = self._register.now_us()
        return RunReport(
            run=run,
            proposal=found[0].stored.proposal,
            standings=tuple(known.state(at_us=at_us).standing(known.controller) for known in found),
        )

    def record_outcome(self, run: str, *, centre: str, outcome: RunOutcome) -> RunReport:
        """Record what became of a run, at every controller here that had approved it.

        Raises:
            RunUnknownError: If this centre submitted no such run.
            ProposalDiffersError: If the outcome is of other terms.
            RunStateError: If another outcome was recorded before, or nobody here ever approved.
        """
        self.report(run, centre=centre)
        found, at_us = self._register.at_every_controller(run), self._register.now_us()
        approved = [known for known in found if known.state(at_us=at_us).approved_us is not None]
        # Where nobody approved, the state machine refuses, and says so.
        for concerned in approved or found[:1]:
            require_terms(concerned, outcome.proposal)
            self._register.add(
                run,
                controller=concerned.controller,
                events=lambda _known, _state, at_us: (OutcomeRecorded(at_us=at_us, outcome=outcome),),
            )
        return self.report(run, centre=centre)
