"""Whom a round may use: asked of the consent service, held against what the vault remembers, reported afterwards."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hanse_client.vault.admission import ApprovalSource, RefusedError
from hanse_client.vault.budget_reports import BudgetService
from hanse_client.vault.consent_positions import ConsentPositions
from hanse_client.vault.policy import Policy
from hanse_client.vault.run_register import RunRegister
from hanse_privacy.protocol.cohort import Cohort
from hanse_privacy.protocol.manifest import CohortReceipt, CohortReport, CohortRequest
from hanse_privacy.protocol.proposal import RunProposal, Step


class ConsentSource(ApprovalSource, BudgetService, Protocol):
    """Where the vault asks which runs are approved and whom a round may use, and says whom it used and what it paid."""

    def cohort_manifest(self, request: CohortRequest) -> Cohort:
        """Return a verified manifest with its members that answers exactly this request, or raise."""

    def report_cohort(self, report: CohortReport) -> CohortReceipt:
        """Return the service's receipt for exactly this report, or raise: then nothing may leave."""


@dataclass(frozen=True, kw_only=True)
class RoundCohorts:
    """Asks for the cohorts of rounds, one at a time.

    Args:
        policy: Names the partner and pins the consent service.
        consent: The consent service.
        register: Keeps the chain of each run's manifests.
        positions: Keeps how far the consent service has been.
        clock: The vault's clock.
    """

    policy: Policy
    consent: ConsentSource
    register: RunRegister
    positions: ConsentPositions
    clock: Callable[[], datetime]

    def ask(self, proposal: RunProposal, step: Step, *, round_number: int) -> Cohort:
        """Ask who may be used for a round, and accept the answer only where it follows what came before.

        Raises:
            ManifestChainBrokenError: If the manifest does not continue the run's chain; nobody may be used.
            ConsentRolledBackError: If the service was further already.
            HanseError: If there is no valid answer, or the register cannot be written.
        """
        chain = self.register.manifest_chain(proposal.run)
        request = CohortRequest(
            partner=self.policy.node.partner,
            run=proposal.run,
            round=round_number,
            proposal=proposal.digest,
            purpose=step.purpose,
            tier=step.tier,
            known=chain.newest,
            nonce=secrets.token_hex(16),
        )
        chain = chain.asked(request)
        # Before the question leaves: what it is answered with may be lost, and must be known again then.
        self.register.keep_manifest_chain(proposal.run, chain)
        cohort = self.consent.cohort_manifest(request)
        self.register.keep_manifest_chain(proposal.run, chain.followed(cohort.manifest, missed=cohort.missed))
        self.positions.advance(self.policy.consent_key.fingerprint, cohort.manifest.position)
        return cohort

    def report(self, cohort: Cohort, customers: Sequence[str]) -> CohortReport:
        """Say to the partner's own consent service whom the data layer returned, and have its receipt.

        Raises:
            RefusedError: If the manifest has expired.
            HanseError: If there is no receipt: nothing of the round may leave.
        """
        if self.clock() >= cohort.manifest.expires_at:
            raise RefusedError(
                "MANIFEST_EXPIRED",
                "The round took longer than its manifest may be used.",
                "The consent service's manifest_lifetime_s must cover a whole round.",
            )
        report = cohort.report(customers)
        self.consent.report_cohort(report)
        return report
