"""A vault in this process, with a consent service that tests command and data of one basket each."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from written_terms import NOON, TRAINING, written_approval, written_policy, written_proposal

from hanse_client.vault.consent_positions import ConsentPositions
from hanse_client.vault.policy import Policy
from hanse_client.vault.run_register import RunRegister
from hanse_client.vault.sum_register import SumRegister
from hanse_client.vault.vault import Vault, VaultParts
from hanse_models.purchases import BasketWeeks, Breadth, PurchaseHistory
from hanse_privacy.aggregation.session_keys import SessionKey
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.approval import ApprovalRequest, SignedApproval
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.cohort import Cohort, SaltContext, salted_leaves
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt
from hanse_privacy.protocol.letters import (
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    Outcome,
    WeightsParameters,
    decode,
    open_answer,
    seal,
)
from hanse_privacy.protocol.manifest import (
    NO_PREVIOUS,
    CohortManifest,
    CohortReceipt,
    CohortReport,
    CohortRequest,
    LeafAlgorithm,
    ReportOutcome,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping
from hanse_privacy.randomness import SystemRandomness

CENTRE, NORTH, SOUTH, SERVICE = (SigningKey.generate() for _ in range(4))
PARTNERS = {"north": NORTH, "south": SOUTH}
CUSTOMERS = tuple(sorted(hashlib.sha256(bytes([number])).hexdigest()[:32] for number in range(30)))


def key_of(customer: str) -> bytes:
    return hashlib.sha256(customer.encode()).digest()


def salted(customers: Sequence[str], *, run: str, round_number: int) -> tuple[bytes, bytes]:
    """Leaves and members of some customers."""
    pseudonyms = np.frombuffer(bytes.fromhex("".join(customers)), dtype=np.uint8).reshape(-1, 16)
    keys = np.frombuffer(b"".join(map(key_of, customers)), dtype=np.uint8).reshape(-1, 32)
    leaves = salted_leaves(pseudonyms, keys, context=SaltContext(partner="north", run=run, round=round_number))
    return leaves.hashes, leaves.members


@dataclass
class ToyConsent:
    """Names the customers that a test chose, and does with reports what a test says."""

    customers: tuple[str, ...] = CUSTOMERS
    position: int = 10
    issued: dict[str, list[CohortManifest]] = field(default_factory=dict)
    """Each run's manifests, in order: the chain that it shows."""
    on_issued: Callable[[], None] = lambda: None
    asked: list[CohortRequest] = field(default_factory=list)
    reports: list[CohortReport] = field(default_factory=list)
    on_report: Callable[[], None] = lambda: None
    budgets: list[BudgetReport] = field(default_factory=list)
    on_budget: Callable[[], BudgetOutcome | None] = lambda: None

    def run_approval(self, request: ApprovalRequest) -> SignedApproval:
        return written_approval(request, service=SERVICE)

    def cohort_manifest(self, request: CohortRequest) -> Cohort:
        self.asked.append(request)
        leaves, members = salted(self.customers, run=request.run, round_number=request.round)
        chain = self.issued.get(request.run, [])
        manifest = CohortManifest(
            **request.model_dump(),
            position=self.position,
            registry_version=1,
            pack_versions={"gdpr": "1"},
            notice_versions=("churn-model@1",),
            issued_at=NOON,
            expires_at=NOON + timedelta(minutes=5),
            leaf_algorithm=LeafAlgorithm.BLAKE2B_SHA256,
            count=len(self.customers),
            root=root_of(leaves).hex(),
            excluded_by_reason={},
            previous=chain[-1].digest if chain else NO_PREVIOUS,
        )
        known = [one.digest for one in chain]
        missed = chain[known.index(request.known) + 1 :] if request.known in known else chain
        self.issued[request.run] = [*chain, manifest]
        self.on_issued()
        return Cohort(manifest, members=members, missed=tuple(missed))

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        self.budgets.append(report)
        outcome = self.on_budget() or BudgetOutcome.TAKEN
        return BudgetReceipt(
            partner=report.partner, report=report.digest, received_at=NOON, outcome=outcome, last_position=None
        )

    def report_cohort(self, report: CohortReport) -> CohortReceipt:
        self.reports.append(report)
        self.on_report()
        return CohortReceipt(
            manifest=report.manifest,
            loaded_root=report.loaded_root,
            outcome=ReportOutcome.MATCH,
            received_at=NOON,
        )


@dataclass
class ToyData:
    """One basket of every customer; remembers whose rows were read."""

    customers: tuple[str, ...] = CUSTOMERS
    read: list[tuple[str, ...]] = field(default_factory=list)
    smuggled: tuple[str, ...] = ()
    """Returned as known though nobody asked for them."""

    def known(self, cohort: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted({*set(cohort).intersection(self.customers), *self.smuggled}))

    def catalogue_digest(self) -> str:
        return "ab" * 32

    def groups(self, by: Grouping) -> frozenset[str]:
        return frozenset()

    def in_weeks_from(self, week_one: date) -> "ToyData":
        return self

    def history(self, cohort: Sequence[str], *, last_week: int) -> PurchaseHistory:
        raise AssertionError("a churn run reads no history")

    def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
        self.read.append(tuple(cohort))
        ones = np.ones(len(cohort))
        return BasketWeeks(
            customer=np.arange(len(cohort), dtype=np.int32),
            week=ones.astype(np.int16),
            baskets=ones.astype(np.int32),
            value=ones,
            discount=0 * ones,
        )

    def breadth(self, cohort: Sequence[str], *, last_week: int) -> Breadth:
        ones = np.ones(len(cohort), dtype=np.int32)
        return Breadth(stores=ones, items=ones)


@dataclass
class Node:
    """A vault and everything around it."""

    vault: Vault
    consent: ToyConsent
    data: ToyData
    ledger: PrivacyLedger
    register: RunRegister
    positions: ConsentPositions
    clock: "Clock"
    sums: SumRegister
    sent: int = 0
    south_sent: dict[str, bytes] = field(default_factory=dict)

    def session_keys(self, terms: RunProposal) -> list[bytes]:
        """North's key as it sent it, and one for the south."""
        if terms.run not in self.south_sent:
            self.south_sent[terms.run] = SessionKey.generate().message(terms.identity, partner="south", key=SOUTH)
        kept = self.sums.session_key(terms.run)
        north = kept.message if kept else SessionKey.generate().message(terms.identity, partner="north", key=NORTH)
        return [north, self.south_sent[terms.run]]

    def ask(self, terms: RunProposal, round_number: int, *, attempt: int = 1) -> Answer:
        self.sent += 1
        step = terms.step_of(round_number)
        parameters: Any = (
            WeightsParameters(weights=[0.0] * 15)
            if step is not None
            else AdmitParameters(signed_proposal=terms.sign(CENTRE), ledger_statement=b"")
        )
        letter = seal(
            Instruction(
                protocol=2,
                run=terms.run,
                proposal=terms.digest,
                round=round_number,
                attempt=attempt if step is not None else 0,
                session_keys=self.session_keys(terms) if step is not None else [],
                operation=step.operation if step is not None else "admit",
                operation_version=1,
                sender="centre",
                recipient="north",
                nonce=self.sent.to_bytes(16, "big"),
                sent_at=self.clock(),
                parameters=msgspec.Raw(msgspec.msgpack.encode(parameters)),
            ),
            key=CENTRE,
        )
        reply = decode(self.vault.handle(letter), CourierReply)
        assert reply.answer, reply
        return open_answer(reply.answer, key=NORTH.public, instruction_letter=letter)

    def require_paid_and_silent(self, terms: RunProposal, answer: Answer, reason: str) -> None:
        """The round was paid for and nothing of it left; it is not answered again."""
        assert (answer.outcome, answer.reason, answer.result) == (Outcome.REFUSED, reason, b"")
        assert [entry.round for entry in self.ledger.entries()] == [1]
        assert self.register.rounds(terms.run) == ()
        assert self.ask(terms, 1).reason == "ATTEMPT_VOID"


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


def terms_of(run: str = "churn-1") -> RunProposal:
    step = TRAINING | {
        "rounds": 3,
        "gradient": {"clip": 1.0, "share": 0.99},
        "customers": {"clip": 1.0, "share": 0.01, "is_metric": True},
        "descent": {"learning_rate": 0.1, "momentum": 0.0, "l2": 0.0, "average_from_round": 1},
    }
    return written_proposal(run, partners=PARTNERS, steps=[step])


def policy() -> Policy:
    operations = {"churn-gradient": {"purposes": ["churn-training"], "lowest_tier": "standard"}}
    return written_policy(operations, centre=CENTRE, service=SERVICE, partners=PARTNERS)


def started(folder: Path, *, consent: ToyConsent, data: ToyData) -> Node:
    """A vault over the state in a folder, as each start of its process makes one."""
    rules, clock = policy(), Clock()
    if not (folder / "ledger.db").exists():
        PrivacyLedger.create(folder / "ledger.db")
    ledger = PrivacyLedger(folder / "ledger.db", caps=rules.caps, clock=clock)
    register = RunRegister(folder / "runs.db")
    positions, sums = ConsentPositions(folder / "runs.db"), SumRegister(folder / "runs.db")
    vault = Vault(
        VaultParts(
            policy=rules,
            key=NORTH,
            ledger=ledger,
            register=register,
            sums=sums,
            consent=consent,
            positions=positions,
            data=data,
            randomness=SystemRandomness(),
            clock=clock,
        )
    )
    return Node(
        vault=vault,
        consent=consent,
        data=data,
        ledger=ledger,
        register=register,
        positions=positions,
        clock=clock,
        sums=sums,
    )
