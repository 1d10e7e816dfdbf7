"""Whom a round loads and what it reports: a vault in this process, with a consent service that tests command."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from toy_vault import CUSTOMERS, Node, ToyData, salted, started, terms_of
from written_terms import NOON

from hanse_client.vault.cohort_rows import CohortRows
from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_models.purchases import BasketWeeks
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.cohort import CohortExceededError
from hanse_privacy.protocol.letters import (
    Outcome,
)
from hanse_privacy.protocol.manifest import (
    NO_PREVIOUS,
    CohortManifest,
    CohortRequest,
    LeafAlgorithm,
)
from hanse_privacy.protocol.proposal import RunProposal


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
