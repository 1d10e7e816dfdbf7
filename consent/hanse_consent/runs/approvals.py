"""Answers vaults: a signed approval, or the reason why there is none. Asked before every manifest, too."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_consent.errors import ConsentRefusal
from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.errors import (
    ProposalDiffersError,
    RunExpiredError,
    RunFinishedError,
    RunFlaggedError,
    RunNotApprovedError,
    RunRefusedError,
    RunRevokedError,
)
from hanse_consent.runs.register import RunHere, RunRegister
from hanse_consent.runs.standing import RunStage
from hanse_consent.runs.state import RunState
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval
from hanse_privacy.protocol.proposal import RunProposal


class Approvals:
    """Says whether a run is approved, now.

    Args:
        register: Where runs are kept.
        checker: Holds an approved proposal against what is registered now.
        key: The service's own key.
        now: The service's clock.
    """

    def __init__(
        self, register: RunRegister, *, checker: ProposalChecker, key: SigningKey, now: Callable[[], datetime]
    ) -> None:
        self._register = register
        self._checker = checker
        self._key = key
        self._now = now

    def issue(self, request: ApprovalRequest) -> bytes:
        """Answer a vault whose identity was proved: a signed :class:`RunApproval`.

        Raises:
            ConsentRefusal: RUN_UNKNOWN, PROPOSAL_DIFFERS, RUN_NOT_APPROVED, RUN_REFUSED, RUN_REVOKED, RUN_EXPIRED,
                RUN_FLAGGED or RUN_FINISHED.
        """
        issued_at = self._now()
        here = self._register.run(request.run, controller=request.partner)
        if here.proposal.digest != request.proposal:
            raise ProposalDiffersError(
                f"Run {request.run} was submitted here with other terms than those named.",
                "Changed terms are a new run with a new name.",
            )
        self._require_approved(here, at=issued_at)
        state = here.state
        approval = RunApproval(
            partner=request.partner,
            run=request.run,
            proposal=request.proposal,
            nonce=request.nonce,
            approved_by=state.approved_by,
            approved_at=from_microseconds(state.approved_us or 0),
            high_risk=state.high_risk,
            registry_version=state.registry_version,
            pack_versions=dict(state.pack_versions),
            issued_at=issued_at,
            expires_at=from_microseconds(state.expires_us),
        )
        return approval.sign(self._key)

    def approved_proposal(self, *, controller: str, run: str, at: datetime) -> RunProposal:
        """The proposal on whose terms a run is approved at a controller, and neither revoked, flagged nor over.

        Asked before each manifest is issued, so that a revocation takes effect at the next round. Whether the round
        fits the proposal is for the asker to see.

        Args:
            controller: Whose customers are asked about.
            run: Its name.
            at: The moment asked about.

        Raises:
            ConsentRefusal: As :meth:`issue`.
        """
        here = self._register.run(run, controller=controller)
        self._require_approved(here, at=at)
        return here.proposal

    def _require_approved(self, here: RunHere, *, at: datetime) -> None:
        run, at_us = here.proposal.run, to_microseconds(at)
        state = here.state.at(at_us)
        if state.stage is not RunStage.APPROVED:
            raise _refusal(run, state)
        # What was allowed when the officers decided may be forbidden, or of high risk, by now.
        checked = self._checker.checked(here.proposal, controller=here.controller, at_us=at_us)
        if checked.findings:
            cited = "; ".join(f"{finding.rule} ({finding.article}), {finding.what}" for finding in checked.findings[:3])
            raise RunRefusedError(f"Run {run} may not go on: {cited}.", "Mend what is named and propose anew.")
        if len(state.approved_by) < checked.officers_needed:
            raise RunNotApprovedError(
                f"Run {run} is of high risk by now, and one officer approved it.", "Propose it anew, for two officers."
            )


_OVER: Mapping[RunStage, tuple[type[ConsentRefusal], str, str]] = MappingProxyType(
    {
        RunStage.REFUSED: (RunRefusedError, "An officer refused run {}.", "Ask the controller's officers why."),
        RunStage.REVOKED: (RunRevokedError, "An officer revoked run {}.", "Ask the controller's officers why."),
        RunStage.EXPIRED: (RunExpiredError, "Run {} has expired.", "Propose it anew."),
        RunStage.FLAGGED: (
            RunFlaggedError,
            "A round of run {} did not use the cohort that its manifest named.",
            "Find out which rows the vault loaded; the run gets no further manifest.",
        ),
        RunStage.FINISHED: (RunFinishedError, "Run {} is finished.", "Propose a new run."),
    }
)


def _refusal(run: str, state: RunState) -> ConsentRefusal:
    if state.stage in _OVER:
        error, what, mend = _OVER[state.stage]
        return error(what.format(run), mend)
    if state.stage is RunStage.REFUSED_BY_CHECK:
        cited = "; ".join(f"{finding.rule} ({finding.article}), {finding.what}" for finding in state.findings[:3])
        return RunRefusedError(f"Run {run} may not be approved: {cited}.", "Mend what is named and propose anew.")
    return RunNotApprovedError(
        f"Run {run} waits for officers: {len(state.approved_by)} of {state.officers_needed} approved.",
        "Ask the controller's officers to decide.",
    )
