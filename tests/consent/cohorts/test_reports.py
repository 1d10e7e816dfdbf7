"""Reports: the service computes the root itself; whatever differs flags the run and gets no receipt."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from hanse_consent.cohorts.errors import CohortMismatchError, ReportLateError
from hanse_consent.cohorts.leaves import keep_leaves
from hanse_consent.cohorts.tables import KeptLeaf, ReceivedReport
from hanse_consent.errors import ConsentRefusal
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.cohort import Cohort
from hanse_privacy.protocol.manifest import CohortReceipt, CohortReport, ReportOutcome


def received(room, report: CohortReport) -> CohortReceipt:
    return CohortReceipt.verify(room.reports.receive(report), key=room.key.public)


def outcomes(room) -> list[tuple[str, str]]:
    with room.database.reading(controller="north") as session:
        return [(row.outcome, row.why) for row in session.exec(select(ReceivedReport))]


def require_flagged(room, report: CohortReport, *, why: str) -> None:
    before = len(room.runs.flagged)
    with pytest.raises(CohortMismatchError, match=why) as refused:
        room.reports.receive(report)
    assert refused.value.code == "COHORT_MISMATCH"
    flagged = room.runs.flagged[before:]
    assert (report.partner, report.run) in {flag[:2] for flag in flagged}
    assert all(why in words for _, _, words in flagged)


def test_what_the_manifest_names_is_accepted(room) -> None:
    cohort = room.cohort()
    receipt = received(room, cohort.report(cohort.customers))
    assert (receipt.outcome, receipt.manifest) == (ReportOutcome.MATCH, cohort.manifest.digest)
    assert receipt.loaded_root == cohort.manifest.root
    assert room.runs.flagged == []
    assert outcomes(room) == [("match", "")]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.sampled_from([1, 2, 3, 5, 8, 13])), st.integers(0, 2**32))
def test_customers_without_rows_may_be_absent(room, pseudonyms, absent: set[int], nonce: int) -> None:
    cohort = room.cohort(nonce=f"{nonce:032x}")
    gone = {pseudonyms[number] for number in absent}
    report = cohort.report([customer for customer in cohort.customers if customer not in gone])
    assert received(room, report).outcome is ReportOutcome.MATCH
    assert room.runs.flagged == []


def test_the_members_are_those_of_the_manifest_and_not_of_now(room) -> None:
    cohort = room.cohort()
    room.source.eligible = {1, 20}
    room.source.position += 1
    assert received(room, cohort.report(cohort.customers[1:])).outcome is ReportOutcome.MATCH


def root_with(cohort: Cohort, customers: tuple[str, ...]) -> str:
    return cohort.report(customers).loaded_root


WRONG: dict[str, tuple[Callable[[Cohort], dict[str, object]], str]] = {
    "another root": (lambda cohort: {"loaded_root": "00" * 32}, "other customers"),
    "the empty root": (lambda cohort: {"loaded_root": root_of(b"").hex()}, "other customers"),
    "one fewer than it says": (
        lambda cohort: {"loaded_root": root_with(cohort, cohort.customers[1:])},
        "other customers",
    ),
    "one more than the manifest": (lambda cohort: {"loaded_count": 7}, "more customers"),
    "many more": (lambda cohort: {"loaded_count": 4000}, "more customers"),
    "a count that does not fit": (lambda cohort: {"loaded_count": 5}, "together"),
    "no bitmap": (lambda cohort: {"absent": ""}, "together"),
    "a long bitmap": (lambda cohort: {"absent": "AAA="}, "together"),
    "a spare bit": (lambda cohort: {"absent": base64.b64encode(b"\x01").decode()}, "together"),
    "another round": (lambda cohort: {"round": 2}, "another run or round"),
    "another run": (lambda cohort: {"run": "churn-2"}, "another run or round"),
    "a manifest never issued": (lambda cohort: {"manifest": "00" * 32}, "never issued"),
    "another partner's manifest": (lambda cohort: {"partner": "south"}, "never issued"),
}


@pytest.mark.parametrize("how", WRONG)
def test_whatever_differs_flags_the_run(room, how: str) -> None:
    cohort = room.cohort()
    changes, why = WRONG[how]
    require_flagged(room, cohort.report(cohort.customers).model_copy(update=changes(cohort)), why=why)
    if how != "another partner's manifest":
        with pytest.raises(ConsentRefusal, match="not approved"):
            room.cohort(round=2)


def test_absent_customers_are_named_by_their_own_leaves(room) -> None:
    """The right number with the wrong leaves is not what was loaded."""
    cohort = room.cohort()
    one, other = (cohort.report(cohort.customers[:place] + cohort.customers[place + 1 :]) for place in (0, 1))
    require_flagged(room, one.model_copy(update={"absent": other.absent}), why="other customers")


def test_the_root_of_another_round_is_a_mismatch(room) -> None:
    first, second = room.cohort(), room.cohort(round=2)
    loaded = second.report(second.customers).model_copy(update={"loaded_root": first.manifest.root})
    require_flagged(room, loaded, why="other customers")


def require_late(room, report: CohortReport) -> None:
    before = outcomes(room)
    with pytest.raises(ReportLateError, match="after its manifest had expired") as refused:
        room.reports.receive(report)
    assert (refused.value.code, refused.value.status) == ("REPORT_LATE", 409)
    assert "new manifest" in refused.value.mend
    assert outcomes(room) == before
    assert room.runs.flagged == []


def test_a_report_in_time_counts_and_a_late_one_is_no_mismatch(room) -> None:
    cohort = room.cohort()
    room.clock.at += timedelta(seconds=300) - timedelta(microseconds=1)
    assert received(room, cohort.report(cohort.customers)).outcome is ReportOutcome.MATCH
    late = room.cohort(round=2)
    room.clock.at += timedelta(seconds=300)
    for _ in range(2):
        require_late(room, late.report(late.customers))
    require_late(room, late.report(late.customers[1:]))
    # The run goes on: the same round with a new manifest, and a report in time.
    again = room.cohort(round=2, known=late.manifest.digest)
    require_late(room, late.report(late.customers))
    assert received(room, again.report(again.customers)).outcome is ReportOutcome.MATCH
    assert outcomes(room) == [("match", ""), ("match", "")]


@pytest.mark.parametrize(
    "how", ["another root", "one more than the manifest", "another round", "one fewer than it says"]
)
def test_a_difference_stays_one_however_late(room, how: str) -> None:
    cohort = room.cohort()
    room.clock.at += timedelta(hours=1)
    changes, why = WRONG[how]
    require_flagged(room, cohort.report(cohort.customers).model_copy(update=changes(cohort)), why=why)


def test_a_manifest_that_was_replaced_is_not_reported_on(room) -> None:
    replaced = room.cohort()
    newer = room.cohort(nonce="1f" * 16, known=replaced.manifest.digest)
    require_flagged(room, replaced.report(replaced.customers), why="newer one")
    room.runs.flagged.clear()
    assert received(room, newer.report(newer.customers)).outcome is ReportOutcome.MATCH


@pytest.mark.parametrize("late_questions", [1, 3])
def test_a_question_that_arrives_after_its_repetition_replaces_nothing(room, late_questions: int) -> None:
    """The vault gave questions up as lost and holds the answer to the last one when the others arrive."""
    before = room.cohort()
    received(room, before.report(before.customers))
    known = before.manifest.digest
    held = room.cohort(round=2, known=known)
    room.source.eligible -= {8}
    crossed = [room.cohort(round=2, known=known, nonce=f"{n:032x}") for n in range(late_questions)]
    assert received(room, held.report(held.customers)).outcome is ReportOutcome.MATCH
    # The chain goes on from what the vault holds, and it is told of those that it never used.
    following = room.cohort(round=3, known=held.manifest.digest)
    assert [one.digest for one in following.missed] == [one.manifest.digest for one in crossed]
    assert received(room, following.report(following.customers)).outcome is ReportOutcome.MATCH
    assert room.runs.flagged == []


def test_a_manifest_is_replaced_by_one_that_was_asked_for_with_a_newer_one_in_hand(room) -> None:
    held = room.cohort()
    crossed = room.cohort(nonce="1f" * 16)
    room.cohort(nonce="2f" * 16, known=crossed.manifest.digest)
    for one in (held, crossed):
        room.runs.flagged.clear()
        require_flagged(room, one.report(one.customers), why="newer one")


def test_sent_again_a_report_gets_the_same_answer_and_another_is_a_mismatch(room) -> None:
    cohort = room.cohort()
    report = cohort.report(cohort.customers[:4])
    first = received(room, report)
    room.clock.at += timedelta(hours=1)
    again = received(room, report)
    assert (again.outcome, again.manifest) == (first.outcome, first.manifest)
    require_flagged(room, cohort.report(cohort.customers[:3]), why="another cohort than before")
    assert outcomes(room) == [("match", "")]


def test_both_runs_are_flagged_where_one_uses_the_others_manifest(room) -> None:
    cohort = room.cohort()
    report = cohort.report(cohort.customers)
    received(room, report)
    require_flagged(room, report.model_copy(update={"run": "churn-2"}), why="another run or round")
    assert [flag[:2] for flag in room.runs.flagged] == [("north", "churn-1"), ("north", "churn-2")]


def test_a_mismatch_stays_one(room) -> None:
    cohort = room.cohort()
    wrong = cohort.report(cohort.customers).model_copy(update={"loaded_root": "00" * 32})
    for _ in range(2):
        require_flagged(room, wrong, why="other customers")
    require_flagged(room, cohort.report(cohort.customers), why="another cohort than before")
    assert outcomes(room) == [("mismatch", "the vault loaded other customers than the manifest's")]


def test_a_run_is_flagged_even_if_the_report_cannot_be_kept(room, monkeypatch) -> None:
    cohort = room.cohort()

    def fail(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(room.reports, "_record", fail)
    with pytest.raises(OSError):
        room.reports.receive(cohort.report(cohort.customers).model_copy(update={"loaded_root": "00" * 32}))
    assert [flag[:2] for flag in room.runs.flagged] == [("north", "churn-1")]


# Somebody is erased between manifest and report.


def test_without_an_erased_members_leaf_nothing_is_released(room, pseudonyms) -> None:
    cohort = room.cohort()
    room.source.erased.add(8)
    report = cohort.report([customer for customer in cohort.customers if customer != pseudonyms[1]])
    with pytest.raises(CohortMismatchError):
        room.reports.receive(report)
    room.runs.flagged.clear()
    # A report of everybody needs no key: its root is the manifest's.
    whole = room.cohort(round=2)
    room.source.erased.add(2)
    assert received(room, whole.report(whole.customers)).outcome is ReportOutcome.MATCH


def test_with_the_leaf_kept_an_erasure_hides_nothing(room, pseudonyms, keys) -> None:
    cohort = room.cohort()
    kept = []
    with room.database.writing(controller="north") as session:
        for controller, number in (("north", 8), ("north", 9), ("south", 8)):
            pseudonym = bytes.fromhex(pseudonyms[number])
            kept.append(
                keep_leaves(session, controller=controller, number=number, pseudonym=pseudonym, key=keys[number])
            )
    assert kept == [1, 0, 0]
    room.source.erased.add(8)
    report = cohort.report([customer for customer in cohort.customers if customer != pseudonyms[1]])
    assert received(room, report).outcome is ReportOutcome.MATCH
    require_flagged(room, report.model_copy(update={"loaded_root": "00" * 32}), why="another cohort than before")
    with room.database.reading(controller="north") as session:
        (leaf,) = session.exec(select(KeptLeaf))
        assert leaf.manifest == cohort.manifest.digest
        assert bytes.fromhex(pseudonyms[8]) not in leaf.leaf
