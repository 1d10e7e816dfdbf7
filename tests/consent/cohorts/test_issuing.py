"""Issuing: an approved run's question and nothing else, chained, and kept without a pseudonym."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pyroaring import BitMap

from hanse_consent.cohorts import issuing
from hanse_consent.cohorts.errors import ManifestChainBrokenError, ProposalMismatchError, StepMismatchError
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.errors import ConsentRefusal
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.manifest import MOST_MISSED, NO_PREVIOUS


def test_the_manifest_says_what_was_decided_and_for_whom(room, pseudonyms) -> None:
    request = room.request(nonce="ab" * 16, round=2)
    cohort = room.opened(room.issuer.issue(request))
    manifest = cohort.manifest
    assert cohort.customers == tuple(sorted(pseudonyms[number] for number in (1, 2, 3, 5, 8, 13)))
    assert manifest.model_dump(include=set(type(request).model_fields)) == request.model_dump()
    assert (manifest.position, manifest.registry_version, manifest.pack_versions) == (40, 3, {"gdpr": "2026.1"})
    assert manifest.notice_versions == ("churn-model@1", "churn-model@2")
    assert (manifest.count, manifest.excluded_by_reason) == (6, {"NO_CONSENT": 14})
    assert (manifest.issued_at, manifest.expires_at) == (room.clock.at, room.clock.at + timedelta(seconds=300))


def test_the_question_is_the_approved_proposals(room) -> None:
    room.cohort()
    ((question, at),) = room.source.asked
    assert (question.controller, question.purpose, question.tier) == ("north", "churn-training", "standard")
    assert question.categories == ("pd:PurchasesAndSpendingHabit",)
    assert question.recipients == ("centre",)
    assert question.joint_controllers == ("south",)
    assert question.league_run
    assert at == room.clock.at


def test_without_an_approval_nobody_is_enumerated(room) -> None:
    for changes in ({"run": "churn-9"}, {"partner": "east"}):
        with pytest.raises(ConsentRefusal, match="not approved"):
            room.issuer.issue(room.request(**changes))
    room.runs.flag(controller="north", run="churn-1", why="seen")
    with pytest.raises(ConsentRefusal, match="not approved"):
        room.issuer.issue(room.request())
    assert room.source.asked == []
    # The other run, and the other partner's part in this one, go on.
    assert room.cohort(run="churn-2").manifest.count == room.cohort(partner="south").manifest.count == 6


def test_what_does_not_fit_the_approved_proposal_is_refused(room) -> None:
    with pytest.raises(ProposalMismatchError):
        room.issuer.issue(room.request(proposal=room.runs.approved["north", "churn-2"].digest))
    for changes in ({"round": 4}, {"purpose": "model-evaluation"}, {"tier": "basic"}, {"tier": "advanced"}):
        with pytest.raises(StepMismatchError):
            room.issuer.issue(room.request(**changes))
    room.runs.approved["east", "churn-1"] = room.runs.approved["north", "churn-1"]
    with pytest.raises(ProposalMismatchError):
        room.issuer.issue(room.request(partner="east"))
    assert room.source.asked == []


def test_a_runs_manifests_form_a_chain_at_each_partner(room) -> None:
    first, again, second = room.cohort(), room.cohort(nonce="1f" * 16), room.cohort(round=2)
    other_run, other_partner = room.cohort(run="churn-2"), room.cohort(partner="south")
    assert first.manifest.previous == NO_PREVIOUS
    assert again.manifest.previous == first.manifest.digest
    assert second.manifest.previous == again.manifest.digest
    assert other_run.manifest.previous == other_partner.manifest.previous == NO_PREVIOUS


def test_asked_again_it_answers_as_of_then(room, pseudonyms) -> None:
    before = room.cohort()
    room.source.eligible.discard(5)
    room.source.position += 1
    after = room.cohort(nonce="1f" * 16)
    assert set(before.customers) - set(after.customers) == {pseudonyms[5]}
    assert (before.manifest.position, after.manifest.position) == (40, 41)
    assert before.manifest.root != after.manifest.root


def test_one_cohort_has_another_root_in_every_round_run_and_partner(room) -> None:
    asked = ({}, {"round": 2}, {"run": "churn-2"}, {"partner": "south"})
    assert len({room.cohort(**changes).manifest.root for changes in asked}) == 4
    # In one round the same cohort has the same root.
    assert room.cohort(round=2).manifest.root == room.cohort(round=2).manifest.root


def test_an_empty_cohort_is_an_answer(room) -> None:
    room.source.eligible.clear()
    assert (room.cohort().customers, room.cohort().manifest.count) == ((), 0)


def test_what_is_kept_tells_positions_and_numbers_but_no_pseudonym(room, tmp_path: Path, pseudonyms) -> None:
    cohorts = [room.cohort(), room.cohort(round=2)]
    assert [(use.round, use.position, use.count, use.digest) for use in room.memberships.uses("north", "churn-1")] == [
        (number, 40, 6, cohort.manifest.digest) for number, cohort in enumerate(cohorts, start=1)
    ]
    assert room.memberships.uses("south", "churn-1") == ()
    with closing(sqlite3.connect(tmp_path / "consent.sqlite")) as connection:
        stored = connection.execute(
            "SELECT members, signed, root, issued_us, expires_us FROM cohort_manifest"
        ).fetchall()
        everything = "\n".join(connection.iterdump())
    for (members, _, root, issued_us, expires_us), cohort in zip(stored, cohorts, strict=True):
        assert set(BitMap.deserialize(members)) == {1, 2, 3, 5, 8, 13}
        assert (root, issued_us) == (cohort.manifest.root, to_microseconds(room.clock.at))
        assert expires_us == issued_us + 300_000_000
    assert not [one for one in pseudonyms.values() if one in everything.lower()]


def test_the_lifetime_is_bounded(room) -> None:
    for lifetime_s in (0, 3601):
        with pytest.raises(InvalidValueError, match="lifetime_s"):
            type(room.issuer)(
                database=room.database,
                source=room.source,
                require_approved=room.runs.require_approved,
                key=room.key,
                lifetime_s=lifetime_s,
                now=room.clock,
            )


def test_what_a_vault_has_missed_comes_with_the_next_manifest(room) -> None:
    first = room.cohort()
    lost = [room.cohort(known=first.manifest.digest, nonce=f"{number:032x}") for number in range(2)]
    for other in (room.cohort(run="churn-2"), room.cohort(partner="south")):
        assert other.missed == ()
    found = room.cohort(known=first.manifest.digest, round=2)
    assert found.missed == tuple(cohort.manifest for cohort in lost)
    assert found.manifest.previous == lost[-1].manifest.digest
    assert room.cohort(known=found.manifest.digest, round=2).missed == ()
    whole = room.cohort(round=3).missed
    assert [one.previous for one in whole] == [NO_PREVIOUS, *(one.digest for one in whole[:-1])]
    assert (len(whole), whole[0]) == (5, first.manifest)


def test_a_manifest_that_was_never_issued_is_not_known_here(room) -> None:
    """The store was set back, or the vault speaks of another run: nothing is issued."""
    other_run, other_partner = room.cohort(run="churn-2"), room.cohort(partner="south")
    for known in ("12" * 32, other_run.manifest.digest, other_partner.manifest.digest):
        with pytest.raises(ManifestChainBrokenError) as refused:
            room.issuer.issue(room.request(known=known))
        assert refused.value.code == "MANIFEST_CHAIN_BROKEN"
    assert room.memberships.uses("north", "churn-1") == ()


def test_more_than_can_be_missed_is_refused(room, monkeypatch) -> None:
    monkeypatch.setattr(issuing, "MANIFESTS_PER_ROUND", 2 * MOST_MISSED)
    for number in range(MOST_MISSED):
        room.cohort(nonce=f"{number:032x}")
    newest = room.cohort()
    assert len(newest.missed) == MOST_MISSED
    with pytest.raises(ManifestChainBrokenError, match="more than 64"):
        room.issuer.issue(room.request())
    assert room.cohort(known=newest.manifest.digest).missed == ()
