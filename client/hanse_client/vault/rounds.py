"""One attempt at one round: whom it may use, what it costs, what is computed, and the masked bytes that leave."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hanse_client.vault.admission import RefusedError
from hanse_client.vault.budget_reports import BudgetReports
from hanse_client.vault.cohort_rows import CohortRows
from hanse_client.vault.masked_sums import MaskedSums, PreparedAttempt
from hanse_client.vault.operations import CohortData, Work, customer_batches, parse_work
from hanse_client.vault.policy import Policy
from hanse_client.vault.policy_check import cohort_floor
from hanse_client.vault.round_cohorts import RoundCohorts
from hanse_client.vault.run_register import Admission, RoundRecord, RunRegister
from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.ring import require_sum_fits
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.protocol.letters import Instruction
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping
from hanse_privacy.randomness import RandomSource
from hanse_privacy.release import ReleaseLayout, add_noise, sum_customers

_log = logging.getLogger(__name__)


class PartnerData(Protocol):
    """The partner's own purchases, by pseudonym."""

    def known(self, cohort: Sequence[str]) -> tuple[str, ...]:
        """Those of ``cohort`` that have rows here, sorted."""

    def catalogue_digest(self) -> str:
        """Digest of the league's catalogue that the export was read with."""

    def groups(self, by: Grouping) -> frozenset[str]:
        """The categories or store groups that rows here can be in."""

    def in_weeks_from(self, week_one: date) -> CohortData:
        """The rows with weeks numbered from the league's first day."""


@dataclass(frozen=True, kw_only=True)
class _Computed:
    """One attempt's noisy vector, and what the partner alone may know of it."""

    vector: NDArray[np.int64]
    customers: int
    clipped: str


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Answers attempts of admitted runs, in an order that no crash and no centre can turn into a second vector.

    Prepared (keys, order, the budget reported), begun, paid, the payment reported, computed, the cohort reported,
    masked, kept, sent: begun, paid and kept are durable before the next.

    Args:
        policy: The partner's floors.
        ledger: Pays.
        register: Remembers what rounds used.
        sums: Masks and remembers.
        cohorts: Says whom a round may use.
        budget: Tells the consent service what was paid.
        data: The partner's purchases.
        randomness: Of the noise.
    """

    policy: Policy
    ledger: PrivacyLedger
    register: RunRegister
    sums: MaskedSums
    cohorts: RoundCohorts
    budget: BudgetReports
    data: PartnerData
    randomness: RandomSource

    def answer(self, proposal: RunProposal, instruction: Instruction) -> bytes:
        """Return the masked bytes for an attempt; asked again, the same bytes.

        Raises:
            HanseError: If the vault does not answer it; what was paid stays paid.
        """
        step = proposal.step_of(instruction.round)
        if step is None:
            raise RefusedError(
                "ROUND_UNKNOWN",
                f"Run {proposal.run} has rounds 1 to {proposal.rounds}, not {instruction.round}.",
                "A run does what its proposal says.",
            )
        work = parse_work(
            step,
            operation=instruction.operation,
            version=instruction.operation_version,
            parameters=instruction.parameters,
            vaults=proposal.unit.vaults,
        )
        attempt = Attempt(round=instruction.round, step=proposal.steps.index(step), attempt=instruction.attempt)
        charged = [(entry.round, entry.attempt) for entry in self.ledger.entries() if entry.run == proposal.run]
        prepared = self.sums.prepare(proposal.identity, attempt, instruction.session_keys, begun=charged)
        return prepared.repeated if prepared.repeated is not None else self._release(proposal, work, prepared)

    def _release(self, proposal: RunProposal, work: Work, prepared: PreparedAttempt) -> bytes:
        attempt = prepared.attempt
        # First: whoever cannot report pays nothing.
        self.budget.report()
        with self.sums.beginning(prepared):
            cohort = self.cohorts.ask(proposal, work.step, round_number=attempt.round)
            customers = self.data.known(cohort.customers)
            self._require_large_enough(proposal, work, customers)
            layout = proposal.layout(work.step)
            _require_fits(proposal, layout, customers=len(customers))
            # Paid before purchases are read: nothing unpaid ever exists in a form that may leave, and whoever makes a
            # round fail on the rows has paid for it. From here on the attempt exists, with one vector or none.
            charge = proposal.charge(work.step, round_number=attempt.round, attempt=attempt.attempt)
            self.ledger.reserve(charge, approved=proposal.budget)
        # Paid stays paid. Without a receipt nothing leaves: a ledger that went back is known before rows are read.
        self.budget.report()
        try:
            computed = self._compute(proposal, work, layout=layout, customers=customers)
        except Exception as error:
            # What fails on the rows may know them: nothing of it is passed on.
            _log.error("round %d of %r failed on the rows: %s", attempt.round, proposal.run, type(error).__name__)
            raise RefusedError(
                "ROUND_FAILED",
                "The round failed after it was paid for.",
                "The partner's owner finds the reason in the vault's own log.",
            ) from error
        # Whoever keeps this report from arriving keeps the answer from leaving. Paid stays paid: the rows were read.
        report = self.cohorts.report(cohort, customers)
        self.register.record_round(
            RoundRecord(
                run=proposal.run,
                round=attempt.round,
                attempt=attempt.attempt,
                manifest_position=cohort.manifest.position,
                manifest_root=cohort.manifest.root,
                loaded_root=report.loaded_root,
                customers=computed.customers,
                clipped=computed.clipped,
            )
        )
        return self.sums.finish(prepared, computed.vector, ring=proposal.ring)

    def _require_large_enough(self, proposal: RunProposal, work: Work, customers: Sequence[str]) -> None:
        floor = cohort_floor(self.policy, proposal)
        if len(customers) < floor:
            # Said once per run: asked again and again, it would tell when one customer comes or goes.
            self.register.decide(proposal.run, Admission.ENDED)
            raise RefusedError(
                "COHORT_TOO_SMALL",
                f"{self.policy.node.partner} has fewer than {floor} customers who may be used for {work.step.purpose}.",
                "Lower the proposal's floor if the partner's policy allows it, or run without this partner.",
            )

    def _compute(
        self, proposal: RunProposal, work: Work, *, layout: ReleaseLayout, customers: Sequence[str]
    ) -> _Computed:
        data = CohortRows(self.data.in_weeks_from(proposal.week_one), cohort=customers)
        exact = sum_customers(layout, customer_batches(work, data=data, cohort=customers))
        return _Computed(
            vector=add_noise(layout, exact, source=self.randomness),
            customers=exact.customers,
            clipped=", ".join(f"{name} {count}" for name, count in exact.clipped.items())
            + f", rounded toward zero {exact.refitted}",
        )


def _require_fits(proposal: RunProposal, layout: ReleaseLayout, *, customers: int) -> None:
    """Refuse a round whose sum could wrap in the proposal's ring.

    The number of customers is raised to a power of two first: whoever proposes finer and finer grids learns no more of
    it than between which two it lies.

    Raises:
        InvalidValueError: If it could.
    """
    at_most = 1 << (max(customers, 1) - 1).bit_length()
    require_sum_fits(proposal.ring, vaults=len(proposal.roster), largest_entry=layout.largest_entry(customers=at_most))
