"""Admission: whether a run may do anything here at all, decided once and looked at again before every round."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from hanse_client.vault.budget_reports import BudgetReports
from hanse_client.vault.policy import Policy
from hanse_client.vault.policy_check import require_allowed
from hanse_client.vault.question_rule import require_groups_known
from hanse_client.vault.roster_rule import require_roster_apart
from hanse_client.vault.run_register import Admission, RegisteredRun, RunRegister
from hanse_consent.errors import ConsentRefusedError
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval, SignedApproval
from hanse_privacy.protocol.ledger_statement import open_statement
from hanse_privacy.protocol.letters import AdmitParameters, Instruction
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping

_AWAITING = "RUN_NOT_APPROVED"
_NOT_APPROVED: Mapping[str, str] = MappingProxyType(
    {
        "RUN_UNKNOWN": "was not submitted to the consent service for approval",
        "RUN_REFUSED": "was refused by the check or by a compliance officer",
        "RUN_REVOKED": "was revoked by a compliance officer",
        "RUN_EXPIRED": "has expired at the consent service",
        "RUN_FLAGGED": "used another cohort than its manifest named",
        "RUN_FINISHED": "is finished",
        "PROPOSAL_DIFFERS": "was submitted to the consent service with other terms",
    }
)
"""What the consent service answers where there is no approval and none to wait for, by its code."""


class ApprovalSource(Protocol):
    """Where the vault asks whether its controller's officers have approved a run."""

    def run_approval(self, request: ApprovalRequest) -> SignedApproval:
        """Return a verified approval that answers exactly this request, or raise."""


class RefusedError(HanseError):
    """The vault will not do what was asked; the reason has a code of its own."""

    def __init__(self, code: str, what: str, mend: str) -> None:
        super().__init__(what, mend)
        self.reason = code


class WaitingForApprovalError(HanseError):
    """A person at the partner, its owner or a compliance officer, has not decided yet."""

    code = "WAITING_FOR_APPROVAL"


class Admissions:
    """Holds proposals against the policy, the ledger, the officers' approval and what the owner decided."""

    def __init__(
        self,
        *,
        policy: Policy,
        ledger: PrivacyLedger,
        register: RunRegister,
        approvals: ApprovalSource,
        catalogue_digest: Callable[[], str],
        known_groups: Callable[[Grouping], frozenset[str]],
        budget: BudgetReports,
        clock: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._register = register
        self._approvals = approvals
        self._catalogue_digest = catalogue_digest
        self._known_groups = known_groups
        self._budget = budget
        self._clock = clock
        self._proposals: dict[str, RunProposal] = {}

    def admit(self, instruction: Instruction, parameters: AdmitParameters) -> RunProposal:
        """Admit a run and return its proposal, or say why not.

        Raises:
            LedgerUnusableError: If the ledger is an older one than the vault has spoken of.
            HanseError: If the proposal is not the centre's, breaks the policy, would pass the cap, or was not
                approved by officers.
            WaitingForApprovalError: If a person has to decide first.
        """
        signed_proposal = parameters.signed_proposal
        proposal = RunProposal.verify(signed_proposal, key=self._policy.centre_key)
        self._require_newest_ledger(parameters.ledger_statement)
        if (proposal.run, proposal.digest) != (instruction.run, instruction.proposal) or instruction.round != 0:
            raise RefusedError(
                "PROPOSAL_MISMATCH", "The letter and its proposal name different runs.", "Send it again."
            )
        self._require_not_expired(proposal)
        require_allowed(self._policy, proposal, now=self._clock())
        self._require_fits_data(proposal)
        self._require_roster_apart(proposal)
        # Before anybody is asked to approve: officers see what is left, and an older ledger is known.
        self._budget.report()
        known = self._register.find(proposal.run)
        if known is None:
            self._ledger.require_room_for(proposal.charges())
        if known is None or (known.digest == proposal.digest and self._register.approval(proposal.run) is None):
            self._register.keep_approval(proposal.run, self._ask_for_approval(proposal).signed)
        if known is None:
            waiting = self._policy.limits.ask_a_person
            self._register.enter(
                RegisteredRun(
                    run=proposal.run,
                    digest=proposal.digest,
                    signed_proposal=signed_proposal,
                    state=Admission.WAITING if waiting else Admission.ADMITTED,
                )
            )
            known = self._register.find(proposal.run)
        self._require_admitted(known, instruction)
        return proposal

    def _require_admitted(self, known: RegisteredRun | None, instruction: Instruction) -> RegisteredRun:
        if known is None:
            raise RefusedError("RUN_NOT_ADMITTED", f"Run {instruction.run} was not admitted here.", "Propose it first.")
        if known.digest != instruction.proposal:
            raise RefusedError(
                "PROPOSAL_CHANGED",
                f"Run {instruction.run} was proposed here with other terms.",
                "Changed terms are a new run with a new name.",
            )
        if known.state is Admission.WAITING:
            raise WaitingForApprovalError(
                f"{self._policy.node.partner} asks a person before each run.",
                f"There: hanse node approve {instruction.run}",
            )
        if known.state is Admission.ENDED:
            raise RefusedError(
                "RUN_ENDED",
                f"Run {instruction.run} ended at {self._policy.node.partner}, whose cohort was below the floor.",
                "Propose a new run, and let the partner's owner see it.",
            )
        if known.state is Admission.REFUSED:
            raise RefusedError(
                "REFUSED_BY_OWNER",
                f"{self._policy.node.partner}'s owner refused run {instruction.run}.",
                "Speak with the partner.",
            )
        return known

    def admitted(self, instruction: Instruction) -> RunProposal:
        """Return the proposal that the instruction's run was admitted with.

        Raises:
            RefusedError: If it was not admitted, on these terms, or no longer is.
        """
        known = self._require_admitted(self._register.find(instruction.run), instruction)
        proposal = RunProposal.verify(known.signed_proposal, key=self._policy.centre_key)
        self._require_not_expired(proposal)
        # Again, and not only at admission: the owner may have tightened the policy since.
        require_allowed(self._policy, proposal, now=self._clock())
        # The export may have been read anew, with another catalogue.
        self._require_fits_data(proposal)
        self._require_approved(proposal)
        # Another run may have been answered since.
        self._require_roster_apart(proposal)
        return proposal

    def _ask_for_approval(self, proposal: RunProposal) -> SignedApproval:
        partner, run = self._policy.node.partner, proposal.run
        question = ApprovalRequest(partner=partner, run=run, proposal=proposal.digest, nonce=secrets.token_hex(16))
        try:
            return self._approvals.run_approval(question)
        except ConsentRefusedError as error:
            if error.refusal_code == _AWAITING:
                raise WaitingForApprovalError(
                    f"{partner}'s compliance officers have not approved run {run} yet.",
                    "They decide in the consent service.",
                ) from error
            if error.refusal_code not in _NOT_APPROVED:
                raise
            # The service's own words are for the partner; the centre is told what its code means.
            raise RefusedError(
                error.refusal_code,
                f"Run {run} {_NOT_APPROVED[error.refusal_code]} at {partner}.",
                "See the run in the consent service.",
            ) from error

    def _require_approved(self, proposal: RunProposal) -> None:
        """Hold the kept approval against the clock; a revocation is seen where the round's manifest is asked for."""
        signed = self._register.approval(proposal.run)
        if signed is None:
            raise RefusedError(
                "RUN_NOT_APPROVED",
                f"No compliance officer of {self._policy.node.partner} has approved run {proposal.run}.",
                "Submit it to the consent service, and propose it again.",
            )
        approval = RunApproval.verify(signed, key=self._policy.consent_key)
        if (approval.partner, approval.proposal) != (self._policy.node.partner, proposal.digest):
            raise RefusedError(
                "PROPOSAL_DIFFERS", f"Run {proposal.run} was approved with other terms.", "Propose it under a new name."
            )
        if self._clock() >= approval.expires_at:
            raise RefusedError(
                "RUN_EXPIRED", f"The approval of run {proposal.run} has expired.", "Propose it anew for approval."
            )

    def _require_newest_ledger(self, signed: bytes) -> None:
        if not signed:
            return
        partner = self._policy.node.partner
        key = PublicKey.from_text(self._policy.pins.partners[partner])
        said = open_statement(signed, partner=partner, key=key)
        if self._ledger.head_at(said.position) != said.head:
            raise LedgerUnusableError(
                f"The ledger of {partner} is not the one that it spoke of at entry {said.position}: an older copy.",
                "Restore the newest one; until then this vault takes part in nothing.",
            )

    def _require_roster_apart(self, proposal: RunProposal) -> None:
        earlier = map(self._parsed, self._register.answered())
        pinned = frozenset(self._policy.pins.partners.values())
        require_roster_apart(self._policy.limits, proposal, earlier, pinned=pinned)

    def _parsed(self, known: RegisteredRun) -> RunProposal:
        """An earlier run's proposal: its signature was verified when it was entered, and the key may have changed."""
        if known.digest not in self._proposals:
            self._proposals[known.digest] = RunProposal.unverified(known.signed_proposal)
        return self._proposals[known.digest]

    def _require_not_expired(self, proposal: RunProposal) -> None:
        if self._clock() >= proposal.expires_at:
            raise RefusedError("PROPOSAL_EXPIRED", f"The proposal of run {proposal.run} has expired.", "Propose anew.")

    def _require_fits_data(self, proposal: RunProposal) -> None:
        if proposal.catalogue != self._catalogue_digest():
            raise RefusedError(
                "CATALOGUE_DIFFERS",
                f"{self._policy.node.partner} read its export with another version of the league's catalogue.",
                "Bring the same catalogue folder to both, and restart the vault.",
            )
        require_groups_known(proposal, partner=self._policy.node.partner, known=self._known_groups)
