"""Runs in a terminal: all of the terms are there, and nothing that others wrote is obeyed."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.commands.run_pages import list_page, run_page
from hanse_consent.runs.bodies import RunDetail, RunSummary
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import ChurnGradientStep

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SILENT = BudgetPage(controller="north", vaults=(), leagues=())
KEYS = [SigningKey.generate().public.text for _ in range(3)]
STEP: dict[str, Any] = {
    "operation": "churn-gradient",
    "purpose": "churn-training",
    "tier": "standard",
    "noise_multiplier": 40.0,
    "rounds": 2,
    "last_week": 37,
    "horizon_weeks": 8,
    "weights": 15,
    "gradient": {"clip": 1.0, "share": 0.9},
    "customers": {"clip": 2.0, "share": 0.1, "is_metric": True},
    "descent": {"learning_rate": 0.1, "momentum": 0.0, "l2": 0.0, "average_from_round": 1},
}
TERMS: dict[str, Any] = {
    "run": "churn-1",
    "title": "A model of who may stop coming",
    "data_categories": ["pd:PurchasesAndSpendingHabit"],
    "recipients": [{"name": "centre", "country": "DE"}, {"name": "insight", "country": "US"}],
    "roster": [{"partner": "north", "public_key": KEYS[0]}, {"partner": "south", "public_key": KEYS[1]}],
    "catalogue": "ab" * 32,
    "week_one": "2024-12-30",
    "minimum_cohort": 40,
    "honest_minimum": 1,
    "unit": "customer-at-one-partner",
    "units_per_clip": 65536,
    "ring_bits": 64,
    "epsilon": 2.0,
    "delta": 1e-5,
    "steps": [STEP],
    "created_at": NOON.isoformat(),
    "expires_at": (NOON + timedelta(days=1)).isoformat(),
}


def detail(terms: dict[str, Any] = TERMS, **changes: Any) -> RunDetail:
    proposal = RunProposal.parse(terms)
    fields: dict[str, Any] = {
        "run": proposal.run,
        "title": proposal.title,
        "proposal": proposal.digest,
        "standing": {"controller": "north", "stage": "awaiting", "officers_needed": 2, "officers_approved": 1},
        "high_risk": True,
        "approved_by": ["olga"],
        "submitted_at": NOON,
        "expires_at": NOON + timedelta(days=1),
        "purposes": proposal.purposes(),
        "epsilon": proposal.epsilon,
        "delta": proposal.delta,
        "document": proposal,
        "registry_version": 3,
        "pack_versions": {"gdpr": "2026.11"},
        "mismatches": [],
        "outcome": None,
        "model": "personal-data",
        "events": [],
    }
    return RunDetail.model_validate(fields | changes)


def printed(page: Any, *, width: int = 200) -> str:
    console = Console(width=width, markup=False, highlight=False, emoji=False, force_terminal=False)
    with console.capture() as captured:
        console.print(page)
    return captured.get()


CHANGES: dict[str, Any] = {
    "run": "churn-2",
    "title": "Another title",
    "data_categories": ["pd:PurchasesAndSpendingHabit", "pd:AgeRange"],
    "recipients": [{"name": "centre", "country": "DE"}, {"name": "insight", "country": "FR"}],
    "roster": [{"partner": "north", "public_key": KEYS[0]}, {"partner": "south", "public_key": KEYS[2]}],
    "catalogue": "ab" * 31 + "ac",
    "week_one": "2024-12-31",
    "minimum_cohort": 41,
    "honest_minimum": 2,
    "unit": {"kind": "customer-across-the-roster", "partners_at_most": 2},
    "units_per_clip": 65537,
    "ring_bits": 32,
    "epsilon": 2.0000000001,
    "delta": 1.0000000001e-5,
    "steps": None,
    "created_at": (NOON + timedelta(microseconds=1)).isoformat(),
    "expires_at": (NOON + timedelta(days=1, microseconds=1)).isoformat(),
}
STEP_CHANGES: dict[str, Any] = {
    "operation": None,
    "version": None,
    "purpose": "churn-detail",
    "tier": "basic",
    "noise_multiplier": 40.0000000001,
    "rounds": 1,
    "last_week": 36,
    "horizon_weeks": 9,
    "weights": 16,
    "gradient": {"clip": 1.0000000001, "share": 0.9},
    "customers": {"clip": 2.0, "share": 0.1},
    "descent": {"learning_rate": 0.1, "momentum": 0.0, "l2": 0.0, "average_from_round": 2},
}
"""None: there is but one value."""


def test_the_changes_are_of_every_field() -> None:
    assert set(CHANGES) == set(RunProposal.model_fields)
    assert set(STEP_CHANGES) == set(ChurnGradientStep.model_fields)


@pytest.mark.parametrize("where", [*(f"terms {name}" for name in CHANGES), *(f"step {name}" for name in STEP_CHANGES)])
def test_no_two_terms_look_alike(where: str) -> None:
    kind, _, name = where.partition(" ")
    value = (CHANGES if kind == "terms" else STEP_CHANGES)[name]
    if value is None:
        pytest.skip("it has one value, or is looked at part by part")
    changed = copy.deepcopy(TERMS)
    (changed if kind == "terms" else changed["steps"][0])[name] = value
    page, other = detail(), detail(changed)
    assert page.proposal != other.proposal
    # The digest would tell; here it is about what people read.
    without = printed(run_page(page, budget=SILENT, now=NOON)).replace(page.proposal, "")
    assert without != printed(run_page(other, budget=SILENT, now=NOON)).replace(other.proposal, "")


def test_the_digest_is_whole_and_last() -> None:
    assert printed(run_page(detail(), budget=SILENT, now=NOON), width=80).endswith(f"\n  {detail().proposal}\n")


def test_what_stands_where() -> None:
    finding = {"rule": "G-26", "article": "GDPR 26", "code": "NO_AGREEMENT", "what": "excludes every customer"}
    ending = {"words": "Not now.", "rule": "G-35", "article": "GDPR 35"}
    at = {"at_us": 1_777_896_000_000_000}
    versions = {"registry_version": 3, "pack_versions": {"gdpr": "2026.11"}, "approval_lasts_us": 1}
    outcome = {"proposal": "0" * 64, "completed": True, "result_sha256": "1" * 64, "rounds": 2, "epsilon_spent": 0.5}
    events = [
        {"kind": "checked", "findings": [], "high_risk": True, **versions},
        {"kind": "checked", "findings": [finding], "high_risk": False, **versions},
        {"kind": "officer-approved", "officer": "olga"},
        {"kind": "officer-refused", "officer": "oskar", "ending": ending},
        {"kind": "revoked", "officer": "olga", "ending": {"words": "A complaint."}},
        {"kind": "cohort-mismatched", "why": "round 2: other customers"},
        {"kind": "outcome-recorded", "outcome": outcome},
        {
            "kind": "anonymity-found",
            "officer": "olga",
            "epsilon": 0.5,
            "honest_minimum": 1,
            "audit": "A-7",
            "found_on": "2026-05-05",
            "valid_until": "2027-05-05T00:00:00Z",
        },
    ]
    standing = detail().standing.model_copy(update={"ending": None})
    page = detail(
        standing=standing.model_dump() | {"stage": "flagged", "findings": [finding], "ending": ending},
        mismatches=["round 2: other customers"],
        outcome=outcome,
        events=[{**at, **event} for event in events],
    )
    said = " ".join(printed(run_page(page, budget=SILENT, now=NOON)).split())
    for words in (
        "churn-1 at north",
        "stage flagged",
        "officers 1 of 2 approved",
        "approved by olga",
        "risk high: two different officers must approve",
        "checked under registry 3, gdpr 2026.11",
        "ended Not now. [G-35 GDPR 35]",
        "mismatch round 2: other customers",
        "model to be treated as personal data",
        "recipients centre (DE), insight (US)",
        "ε = 2.0 at δ = 1e-05 for each customer at one partner",
        "G-26 (GDPR 26), NO_AGREEMENT: excludes every customer",
        "1. 2026-05-04 12:00:00 UTC checked under registry 3, gdpr 2026.11: 2 officers needed",
        "2. 2026-05-04 12:00:00 UTC checked under registry 3, gdpr 2026.11: forbidden by G-26 (GDPR 26), NO_AGREEMENT",
        "3. 2026-05-04 12:00:00 UTC olga approved",
        "4. 2026-05-04 12:00:00 UTC oskar refused: Not now. [G-35 GDPR 35]",
        "5. 2026-05-04 12:00:00 UTC olga revoked: A complaint.",
        "6. 2026-05-04 12:00:00 UTC flagged: round 2: other customers",
        f"7. 2026-05-04 12:00:00 UTC outcome: 2 rounds, ε = 0.5 spent, released {'1' * 64}",
        "8. 2026-05-04 12:00:00 UTC olga found the model anonymous until 2027-05-05 00:00:00 UTC, on 2026-05-05,"
        " by ε = 0.5, 1 honest vaults and the audit A-7",
    ):
        assert words in said, words


UNITS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "roster": (
        {"kind": "customer-across-the-roster", "partners_at_most": 2},
        (
            "ε = 2.0 at δ = 1e-05 for each customer across the roster, at 2 partners at most",
            "about one person, who is one customer at each of up to 2 of them",
            "clips a vault gives each customer 1/2 of what a step states",
        ),
    ),
    "linked": (
        {
            "kind": "linked-customer",
            "assurance": {"method": "[red]cards[/]", "sha256": "ab" * 32, "partners_at_most": 2},
        },
        (
            "ε = 2.0 at δ = 1e-05 for each customer linked by “[red]cards[/]” over 2 partners at most",
            "It holds for people who were linked rightly only",
            "ab" * 32,
        ),
    ),
}


@pytest.mark.parametrize("name", UNITS)
def test_officers_read_whom_epsilon_protects_and_what_it_rests_on(name: str) -> None:
    unit, words = UNITS[name]
    said = " ".join(printed(run_page(detail(copy.deepcopy(TERMS) | {"unit": unit}), budget=SILENT, now=NOON)).split())
    for one in words:
        assert one in said


HOSTILE = "[bold red]x[/] [/nothing] :boom: \x1b]0;owned\x07\x1b[2J\x9b31m\u202e\r\nchurn-1 at north: approved"


def test_vouchers_stand_beside_the_partner_whom_they_are_for() -> None:
    assert "vouchers" not in printed(run_page(detail(), budget=SILENT, now=NOON))
    north, south = TERMS["roster"]
    vouched = south | {"vouchers": ["hanse-voucher:north:south:AAAA"] * 2}
    page = detail(TERMS | {"roster": [north, vouched]})
    assert f"south, key {page.document.roster[1].key.fingerprint}, vouchers: 2" in printed(
        run_page(page, budget=SILENT, now=NOON)
    )


def test_texts_of_others_are_shown_and_not_obeyed() -> None:
    terms = copy.deepcopy(TERMS) | {
        "title": HOSTILE[:200],
        "data_categories": ["pd:PurchasesAndSpendingHabit", HOSTILE],
    }
    ending = {"words": "[bold]never[/] \x9b31m\u202e"}
    standing = detail().standing.model_dump() | {"stage": "refused", "ending": ending}
    page = detail(
        terms,
        standing=standing,
        mismatches=[HOSTILE],
        pack_versions={HOSTILE: HOSTILE},
        approved_by=[HOSTILE],
        events=[{"kind": "cohort-mismatched", "at_us": 0, "why": HOSTILE}],
    )
    summary = RunSummary.model_validate(page.model_dump(include=set(RunSummary.model_fields)))
    for said in (printed(run_page(page, budget=SILENT, now=NOON)), printed(list_page([summary]))):
        assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
        assert "[bold red]x[/] [/nothing] :boom:" in said
        assert not [line for line in said.splitlines() if line.strip().startswith("churn-1 at north: approved")]


def test_the_budget_stands_beside_the_terms_and_hostile_words_in_it_are_plain() -> None:
    cap = {"name": f"{HOSTILE} cap"[:60], "epsilon_allowed": 5.0, "epsilon_spent": 1.0, "epsilon_remaining": 4.5}
    document = {
        "partner": "north",
        "said_at": NOON,
        "ledger": {"position": 17, "head": "ab" * 32},
        "before": {"position": 17, "head": "ab" * 32},
        "delta": 1e-5,
        "caps": [cap | {"charges": 3}],
        "runs": [],
        "earlier_runs": 0,
    }
    key = detail().document.roster[0].key.fingerprint
    vault = {
        "received_at": NOON,
        "older_ledger": None,
        "signed": {"document": document, "key": key, "signature": "AAAA"},
    }
    budget = BudgetPage.model_validate({"controller": "north", "vaults": [vault], "leagues": []})
    said = printed(run_page(detail(), budget=budget, now=NOON))
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
    assert "of 5.000 spent on everything, 4.500 left for one run; this run takes" in said
    # The digest is the last thing still.
    assert said.endswith(f"\n  {detail().proposal}\n")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_nothing_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    page = detail(approved_by=["a" * 70])
    said = "".join(printed(run_page(page, budget=SILENT, now=NOON), width=width).split())
    assert "a" * 70 in said
    assert page.proposal in said
    assert KEYS[0].partition(":")[2] not in said
    assert page.document.roster[0].key.fingerprint in said


def test_runs_in_a_list() -> None:
    summary = RunSummary.model_validate(detail().model_dump(include=set(RunSummary.model_fields)))
    said = printed(list_page([summary]))
    assert "churn-1 awaiting 1 of 2 2 churn-training 2026-05-04 A model of who may stop coming" in " ".join(
        said.split()
    )
