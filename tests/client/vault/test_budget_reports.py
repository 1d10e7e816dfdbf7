"""A vault's reports of its budget, against the rules by which a consent service takes them: forks, losses, restarts."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_terms import NOON, TRAINING, written_policy, written_proposal

from hanse_client.vault.budget import BudgetReader
from hanse_client.vault.budget_reports import BudgetReports
from hanse_client.vault.run_register import Admission, RegisteredRun, RunRegister
from hanse_consent.budgets.succession import LastWord, is_outdated, outcome_of
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentUnavailableError
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt
from hanse_privacy.units import PrivacyBudget

CENTRE, SERVICE, NORTH = (SigningKey.generate() for _ in range(3))
RULES = written_policy(
    {"churn-gradient": {"purposes": ["churn-training"], "lowest_tier": "standard"}},
    centre=CENTRE,
    service=SERVICE,
    partners={"north": NORTH, "south": SigningKey.generate()},
    total_epsilon=1000.0,
)
PROPOSAL = written_proposal("churn-1", partners={"north": NORTH, "south": SigningKey.generate()}, steps=[TRAINING])
ROOM = PrivacyBudget(epsilon=1000.0, delta=1e-5)


@dataclass
class Service:
    """Takes reports as the real one does; a test may break the line, before or after one is taken."""

    last: LastWord | None = None
    taken: list[BudgetReport] = field(default_factory=list)
    on_sent: Callable[[], None] = lambda: None
    on_taken: Callable[[], None] = lambda: None
    sent: int = 0

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        self.sent += 1
        self.on_sent()
        assert not is_outdated(report, last=self.last, now=CLOCK.at)
        outcome, last = outcome_of(report, last=self.last), self.last
        if outcome is BudgetOutcome.TAKEN:
            self.taken.append(report)
            self.last = LastWord(position=report.ledger.position, head=report.ledger.head, said_at=report.said_at)
            self.on_taken()
        return BudgetReceipt(
            partner="north",
            report=report.digest,
            received_at=NOON,
            outcome=outcome,
            last_position=last.position if last else None,
        )


class Clock:
    """Each look at it is a second later."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


CLOCK = Clock()


class Node:
    """A vault's ledger and register in a folder, and its reports since it was started."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder, self.service = folder, service
        folder.mkdir(exist_ok=True)
        if not (folder / "ledger.db").exists():
            PrivacyLedger.create(folder / "ledger.db")
        self.ledger = PrivacyLedger(folder / "ledger.db", caps=RULES.caps, clock=CLOCK)
        self.register = RunRegister(folder / "runs.db")
        self.start()

    def start(self) -> None:
        reader = BudgetReader(policy=RULES, ledger=self.ledger, register=self.register, clock=CLOCK)
        self.reports = BudgetReports(reader=reader, service=self.service)

    def pay(self) -> None:
        entries = len(self.ledger.entries())
        charge = PROPOSAL.charge(PROPOSAL.steps[0], round_number=1, attempt=entries + 1)
        self.ledger.reserve(charge, approved=ROOM)

    def heads(self) -> list[str]:
        return [entry.head for entry in self.ledger.entries()]

    def copied_to(self, folder: Path) -> "Node":
        """A copy, as an owner's backup; it is another history from its next payment on."""
        folder.mkdir()
        for name in ("ledger.db", "runs.db"):
            with (
                closing(sqlite3.connect(self.folder / name)) as mine,
                closing(sqlite3.connect(folder / name)) as theirs,
            ):
                mine.backup(theirs)
        return Node(folder, self.service)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "north", Service())


def refusal(act: Callable[[], object]) -> type[HanseError]:
    with pytest.raises(HanseError) as refused:
        act()
    return type(refused.value)


def test_each_report_shows_the_entry_that_the_last_one_ended_with(node: Node) -> None:
    for _ in range(3):
        node.reports.report()
        node.reports.report()
        node.pay()
    assert [one.ledger.position for one in node.service.taken] == [0, 1, 2]
    assert [one.before.position for one in node.service.taken] == [0, 0, 1]
    assert node.service.sent == 3


def test_what_changes_in_the_register_is_reported_too(node: Node) -> None:
    node.reports.report()
    signed = PROPOSAL.sign(CENTRE)
    node.register.enter(
        RegisteredRun(run=PROPOSAL.run, digest=PROPOSAL.digest, signed_proposal=signed, state=Admission.WAITING)
    )
    node.reports.report()
    node.register.decide(PROPOSAL.run, Admission.REFUSED)
    node.reports.report()
    assert [[run.state for run in one.runs] for one in node.service.taken] == [[], ["waiting"], ["refused"]]


def test_a_vault_that_was_started_again_is_told_what_to_show(node: Node) -> None:
    node.pay()
    node.reports.report()
    node.pay()
    node.pay()
    node.start()
    node.reports.report()
    assert [(one.before.position, one.ledger.position) for one in node.service.taken] == [(1, 1), (1, 3)]
    assert node.service.sent == 3


def test_a_report_whose_receipt_was_lost_is_made_again(node: Node) -> None:
    def lost() -> None:
        raise ConsentUnavailableError("No answer.", "Start it.")

    node.reports.report()
    node.pay()
    node.service.on_taken = lost
    assert refusal(node.reports.report) is ConsentUnavailableError
    node.service.on_taken = lambda: None
    node.reports.report()
    assert [one.ledger.position for one in node.service.taken] == [0, 1, 1]


def test_a_clock_that_is_set_back_a_little_does_not_stop_a_vault(node: Node) -> None:
    node.reports.report()
    before = CLOCK.at
    for seconds in (1, 60):
        CLOCK.at -= timedelta(seconds=seconds)
        node.pay()
        node.reports.report()
    CLOCK.at = before
    said = [one.said_at for one in node.service.taken]
    assert sorted(set(said)) == said


def test_a_service_that_wants_more_and_more_is_not_believed(node: Node) -> None:
    class Greedy(Service):
        def report_budget(self, report: BudgetReport) -> BudgetReceipt:
            self.sent += 1
            show = BudgetOutcome.SHOW_LAST
            return BudgetReceipt(
                partner="north", report=report.digest, received_at=NOON, outcome=show, last_position=self.sent
            )

    node.service = Greedy()
    node.start()
    node.pay()
    assert refusal(node.reports.report) is ConsentAnswerInvalidError
    assert node.service.sent == 2


@pytest.mark.parametrize("payments", [0, 1, 3, 7])
def test_an_older_copy_never_gets_a_receipt_however_much_it_pays(node: Node, tmp_path: Path, payments: int) -> None:
    node.pay()
    copy = node.copied_to(tmp_path / "copy")
    for _ in range(2):
        node.pay()
    node.reports.report()
    for _ in range(payments):
        copy.pay()
    for _ in range(3):
        assert refusal(copy.reports.report) is LedgerUnusableError
        copy.pay()
    # Said once: from then on it asks nobody, until it is started again.
    assert copy.service.sent == 2 + (payments > 1)
    copy.start()
    assert refusal(copy.reports.report) is LedgerUnusableError
    node.pay()
    node.reports.report()


def test_a_ledger_that_is_exchanged_beneath_a_serving_vault_is_known_by_itself(node: Node, tmp_path: Path) -> None:
    copy = node.copied_to(tmp_path / "copy")
    node.pay()
    node.reports.report()
    for _ in range(3):
        copy.pay()
    # The service was restored from a copy, too, and would believe anything.
    node.service.last = None
    reader: Any = node.reports._reader
    reader._ledger = copy.ledger
    for _ in range(2):
        assert refusal(node.reports.report) is LedgerUnusableError


acts = st.lists(
    st.tuples(st.sampled_from(["pay", "report", "lost before", "lost after", "start", "fork"]), st.integers(0, 2)),
    max_size=30,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(acts)
def test_receipts_are_for_one_history(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """Three copies of one vault pay, are started, lose answers and become copies of each other, in any order."""
    folder, service = tmp_path_factory.mktemp("vaults"), Service()
    nodes = [Node(folder / f"copy-{number}", service) for number in range(3)]
    history: list[str] = []

    def fail() -> None:
        raise ConsentUnavailableError("No answer.", "Start it.")

    for number, (act, which) in enumerate(steps):
        node = nodes[which]
        if act == "pay":
            node.pay()
        elif act == "start":
            node.start()
        elif act == "fork":
            nodes[(which + 1) % 3] = node.copied_to(folder / f"fork-{number}")
        else:
            service.on_sent = fail if act == "lost before" else lambda: None
            service.on_taken = fail if act == "lost after" else lambda: None
            taken = len(service.taken)
            try:
                node.reports.report()
                receipted = True
            except HanseError:
                receipted = False
            heads = node.heads()
            if len(service.taken) > taken:
                # What the service is told goes on with all that it was told before.
                assert heads[: len(history)] == history
                history = heads
            if receipted:
                assert history[: len(heads)] == heads
