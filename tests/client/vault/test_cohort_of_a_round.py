"""Whom a round loads and what it reports: a vault in this process, with a consent service that tests command."""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from written_terms import NOON, TRAINING, written_approval, written_policy, written_proposal

from hanse_client.vault.cohort_rows import CohortRows
from hanse_client.vault.consent_positions import ConsentPositions
from hanse_client.vault.policy import Policy
from hanse_client.vault.run_register import RunRegister
from hanse_client.vault.sum_register import SumRegister
from hanse_client.vault.vault import Vault, VaultParts
from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_models.purchases import BasketWeeks, Breadth, PurchaseHistory
from hanse_privacy.aggregation.session_keys import SessionKey
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.approval import ApprovalRequest, SignedApproval
from hanse_privacy.protocol.budget_report import BudgetOutcome, BudgetReceipt, BudgetReport
from hanse_privacy.protocol.cohort import Cohort, CohortExceededError, SaltContext, salted_leaves
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


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return started(tmp_path, consent=ToyConsent(), data=ToyData())


@pytest.fixture
def terms(node: Node) -> RunProposal:
    admitted = terms_of()
    assert node.ask(admitted, 0).outcome is Outcome.DONE
    return admitted


def test_the_question_is_bound_to_the_admitted_proposal(node: Node, terms: RunProposal) -> None:
    for number in (1, 2):
        assert node.ask(terms, number).outcome is Outcome.DONE
    assert [(asked.partner, asked.run, asked.round) for asked in node.consent.asked] == [
        ("north", terms.run, 1),
        ("north", terms.run, 2),
    ]
    assert {asked.proposal for asked in node.consent.asked} == {terms.digest}
    assert len({asked.nonce for asked in node.consent.asked}) == 2


def test_the_known_customers_of_the_cohort_are_loaded_and_reported(node: Node, terms: RunProposal) -> None:
    node.consent.customers = CUSTOMERS[:24]
    node.data.customers = CUSTOMERS[4:]
    assert node.ask(terms, 1).outcome is Outcome.DONE
    loaded = CUSTOMERS[4:24]
    assert set(node.data.read) == {loaded}
    (report,) = node.consent.reports
    assert report.loaded_count == 20
    assert report.loaded_root == root_of(salted(loaded, run=terms.run, round_number=1)[0]).hex()
    (record,) = node.register.rounds(terms.run)
    assert (record.loaded_root, record.manifest_position) == (report.loaded_root, 10)
    assert record.manifest_root == root_of(salted(CUSTOMERS[:24], run=terms.run, round_number=1)[0]).hex()


def test_the_report_goes_out_before_the_answer_and_after_the_payment(node: Node, terms: RunProposal) -> None:
    seen = []
    node.consent.on_report = lambda: seen.append(
        ([entry.round for entry in node.ledger.entries()], len(node.data.read), node.register.rounds(terms.run))
    )
    assert node.ask(terms, 1).outcome is Outcome.DONE
    assert seen == [([1], 1, ())]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConsentUnavailableError("No answer.", "Start it."), "CONSENT_UNAVAILABLE"),
        (
            ConsentRefusedError(
                "Refused.", "Look.", status=409, refusal_code="COHORT_MISMATCH", refusal_detail="other customers"
            ),
            "CONSENT_REFUSED",
        ),
        (
            ConsentRefusedError(
                "Refused.", "Ask.", status=409, refusal_code="REPORT_LATE", refusal_detail="of other customers"
            ),
            "CONSENT_REFUSED",
        ),
    ],
)
def test_without_a_receipt_nothing_leaves_and_paid_stays_paid(
    node: Node, terms: RunProposal, error: Exception, reason: str
) -> None:
    def fail() -> None:
        raise error

    node.consent.on_report = fail
    answer = node.ask(terms, 1)
    node.require_paid_and_silent(terms, answer, reason)
    assert "other customers" not in answer.explanation


def test_the_budget_is_reported_before_it_is_spent_and_before_rows_are_read(node: Node, terms: RunProposal) -> None:
    (first,) = node.consent.budgets
    assert (first.ledger.position, first.runs) == (0, ())
    seen = []
    node.consent.on_budget = lambda: seen.append(
        (len(node.ledger.entries()), len(node.data.read), len(node.consent.reports))
    )
    for number in (1, 2):
        assert node.ask(terms, number).outcome is Outcome.DONE
    # The run was entered since; then each payment, once.
    assert seen == [(0, 0, 0), (1, 0, 0), (2, 1, 1)]
    newest = node.consent.budgets[-1]
    assert (newest.ledger.position, newest.ledger.head) == (2, node.ledger.end().head)
    assert [one.before.position for one in node.consent.budgets] == [0, 0, 0, 1]
    assert [(run.run, run.state, run.attempts) for run in newest.runs] == [(terms.run, "admitted", 2)]
    assert newest.caps[0].epsilon_spent == newest.runs[0].epsilon_spent > 0


def test_a_budget_that_has_not_changed_is_not_reported_again(node: Node, terms: RunProposal) -> None:
    assert node.ask(terms, 1).outcome is Outcome.DONE
    said = len(node.consent.budgets)
    # A repetition, and letters about a run that is known.
    assert node.ask(terms, 1).outcome is Outcome.DONE
    assert node.ask(terms, 0).outcome is Outcome.DONE
    assert len(node.consent.budgets) == said


def unreachable() -> BudgetOutcome:
    raise ConsentUnavailableError("No answer.", "Start it.")


def suspended() -> BudgetOutcome:
    raise ConsentRefusedError("No.", "Ask.", status=403, refusal_code="NODE_SUSPENDED", refusal_detail="Secret")


@pytest.mark.parametrize(
    ("answer_with", "reason"),
    [
        (unreachable, "CONSENT_UNAVAILABLE"),
        (suspended, "CONSENT_REFUSED"),
        (lambda: BudgetOutcome.SHOW_LAST, "CONSENT_ANSWER_INVALID"),
        (lambda: BudgetOutcome.OLDER_LEDGER, "LEDGER_UNUSABLE"),
    ],
    ids=["unreachable", "suspended", "never enough", "older"],
)
@pytest.mark.parametrize("paid", [False, True], ids=["before the payment", "after it"])
def test_a_budget_that_the_consent_service_does_not_take_buys_nothing(
    node: Node, terms: RunProposal, answer_with: Callable[[], BudgetOutcome], reason: str, paid: bool
) -> None:
    node.consent.on_budget = lambda: answer_with() if len(node.ledger.entries()) == paid else None
    answer = node.ask(terms, 1)
    assert (answer.outcome, answer.reason, answer.result) == (Outcome.REFUSED, reason, b"")
    assert "Secret" not in answer.explanation
    assert len(node.ledger.entries()) == paid
    assert (node.data.read, node.register.rounds(terms.run)) == ([], ())
    # However often it is asked: nothing more is paid, and nothing else is admitted.
    for attempt in (2, 3):
        assert node.ask(terms, 1, attempt=attempt).reason in (reason, "ROUND_OUT_OF_ORDER")
    assert node.ask(terms_of("churn-2"), 0).reason == reason
    assert len(node.ledger.entries()) == paid
    node.consent.on_budget = lambda: None
    again = node.ask(terms, 1, attempt=1 + paid)
    if reason == "LEDGER_UNUSABLE":
        # Until it is started again, whatever the service says meanwhile.
        assert again.reason == reason
    else:
        assert again.outcome is Outcome.DONE


def test_somebody_whom_the_manifest_does_not_name_stops_the_round(node: Node, terms: RunProposal) -> None:
    node.consent.customers = CUSTOMERS[:20]
    node.data.smuggled = CUSTOMERS[25:26]
    node.require_paid_and_silent(terms, node.ask(terms, 1), "COHORT_EXCEEDED")
    assert node.consent.reports == []


def test_a_manifest_that_expires_during_the_round_stops_it(node: Node, terms: RunProposal) -> None:
    class Slow(ToyData):
        def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
            node.clock.at += timedelta(minutes=5)
            return ToyData.activity(node.data, cohort, last_week=last_week)

    node.data.in_weeks_from = lambda week_one: Slow()  # type: ignore[method-assign]
    answer = node.ask(terms, 1)
    node.clock.at = NOON
    node.require_paid_and_silent(terms, answer, "MANIFEST_EXPIRED")
    assert node.consent.reports == []


def test_a_consent_service_that_was_set_back_is_noticed_before_anything_is_paid(node: Node, terms: RunProposal) -> None:
    assert node.ask(terms, 1).outcome is Outcome.DONE
    node.consent.position = 9
    answer = node.ask(terms, 2)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "CONSENT_ROLLED_BACK")
    assert [entry.round for entry in node.ledger.entries()] == [1]
    assert len(node.data.read) == 1
    # Where it had been, or further on, it is believed again; another run makes no difference.
    other = terms_of("churn-2")
    assert node.ask(other, 0).outcome is Outcome.DONE
    assert node.ask(other, 1).reason == "CONSENT_ROLLED_BACK"
    node.consent.position = 10
    assert node.ask(terms, 2).outcome is Outcome.DONE


def unavailable() -> None:
    raise ConsentUnavailableError("No answer.", "Start it.")


def test_a_lost_answer_does_not_end_the_run(node: Node, terms: RunProposal) -> None:
    assert node.ask(terms, 1).outcome is Outcome.DONE
    node.consent.on_issued = unavailable
    for _ in range(2):
        assert node.ask(terms, 2).reason == "CONSENT_UNAVAILABLE"
    node.consent.on_issued = lambda: None
    assert node.ask(terms, 2).outcome is Outcome.DONE
    assert node.ask(terms, 3).outcome is Outcome.DONE
    chain = node.consent.issued[terms.run]
    assert [one.round for one in chain] == [1, 2, 2, 2, 3]
    assert [asked.known for asked in node.consent.asked] == [
        NO_PREVIOUS,
        *(chain[0].digest for _ in range(3)),
        chain[3].digest,
    ]


def test_the_chain_is_known_after_a_restart(node: Node, terms: RunProposal, tmp_path: Path) -> None:
    assert node.ask(terms, 1).outcome is Outcome.DONE
    node.consent.on_issued = unavailable
    assert node.ask(terms, 2).reason == "CONSENT_UNAVAILABLE"
    node.consent.on_issued = lambda: None
    again = started(tmp_path, consent=node.consent, data=node.data)
    again.sent, again.south_sent = node.sent, node.south_sent
    assert again.ask(terms, 2).outcome is Outcome.DONE
    del node.consent.issued[terms.run][1:]
    once_more = started(tmp_path, consent=node.consent, data=node.data)
    once_more.sent, once_more.south_sent = again.sent, again.south_sent
    assert once_more.ask(terms, 3).reason == "MANIFEST_CHAIN_BROKEN"


def forged(asked: CohortRequest, *, previous: str) -> CohortManifest:
    """A manifest for a question that the vault never sent."""
    fields = asked.model_dump() | {
        "nonce": "ee" * 16,
        "position": 10,
        "registry_version": 1,
        "pack_versions": {"gdpr": "1"},
        "notice_versions": (),
        "issued_at": NOON,
        "expires_at": NOON + timedelta(minutes=5),
        "leaf_algorithm": LeafAlgorithm.BLAKE2B_SHA256,
        "count": 0,
        "root": "cd" * 32,
        "excluded_by_reason": {},
        "previous": previous,
    }
    return CohortManifest.model_validate(fields)


OTHER_HISTORIES: dict[str, Callable[[list[CohortManifest], CohortRequest], list[CohortManifest]]] = {
    "set back to the beginning": lambda chain, asked: [],
    "set back by one": lambda chain, asked: chain[:1],
    "a fork of the last": lambda chain, asked: [chain[0], forged(asked, previous=chain[0].digest)],
    "one more behind the vault's back": lambda chain, asked: [*chain, forged(asked, previous=chain[-1].digest)],
    "one more that hangs on nothing": lambda chain, asked: [*chain, forged(asked, previous="12" * 32)],
}


@pytest.mark.parametrize("how", OTHER_HISTORIES)
def test_a_service_that_shows_another_history_gets_nobody_loaded(node: Node, terms: RunProposal, how: str) -> None:
    for number in (1, 2):
        assert node.ask(terms, number).outcome is Outcome.DONE
    honest = list(node.consent.issued[terms.run])
    read, reported = list(node.data.read), list(node.consent.reports)
    for _ in range(2):
        node.consent.issued[terms.run] = OTHER_HISTORIES[how](honest, node.consent.asked[-1])
        answer = node.ask(terms, 3)
        assert (answer.outcome, answer.reason, answer.result) == (Outcome.REFUSED, "MANIFEST_CHAIN_BROKEN", b"")
    assert (node.data.read, node.consent.reports) == (read, reported)
    assert [entry.round for entry in node.ledger.entries()] == [1, 2]
    assert node.register.manifest_chain(terms.run).newest == honest[-1].digest
    # The history that it had shown before is still the one that is believed.
    node.consent.issued[terms.run] = honest
    assert node.ask(terms, 3).outcome is Outcome.DONE


def test_a_vault_that_was_set_back_does_not_repeat_a_round(node: Node, terms: RunProposal, tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for name in ("ledger.db", "runs.db"):
        with closing(sqlite3.connect(tmp_path / name)) as source, closing(sqlite3.connect(older / name)) as copy:
            source.backup(copy)
    assert node.ask(terms, 1).outcome is Outcome.DONE
    again = started(older, consent=node.consent, data=node.data)
    again.sent = 100
    answer = again.ask(terms, 1)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSED, "MANIFEST_CHAIN_BROKEN")
    assert again.ledger.entries() == ()
    assert len(node.data.read) == 1


def test_a_cohort_below_the_floor_is_neither_paid_nor_reported(node: Node, terms: RunProposal) -> None:
    node.consent.customers = CUSTOMERS[:9]
    assert node.ask(terms, 1).reason == "COHORT_TOO_SMALL"
    assert (node.ledger.entries(), node.consent.reports, node.data.read) == ((), [], [])


@pytest.mark.parametrize("question", ["history", "activity", "breadth"])
def test_no_operation_reads_beyond_the_cohort(question: str) -> None:
    data = ToyData()
    rows = CohortRows(data, cohort=CUSTOMERS[:5])
    with pytest.raises(CohortExceededError) as refused:
        getattr(rows, question)(CUSTOMERS[:6], last_week=4)
    assert CUSTOMERS[5] not in str(refused.value)
    assert data.read == []
    # A step may draw some of the cohort.
    assert rows.activity(CUSTOMERS[1:3], last_week=4).baskets.tolist() == [1, 1]
