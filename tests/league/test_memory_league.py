"""Whole runs in one process: what is released, what is refused, what survives."""

import csv
import math
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault import operations
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.operations import Work
from hanse_client.vault.policy import load_policy
from hanse_client.vault.policy_check import cohort_floor
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_client.vault.run_register import RoundRecord, RunRegister
from hanse_client.vault.vault import UnsafeRandomnessError, Vault
from hanse_demo.grants import write_withdrawals
from hanse_demo.memory_league import MemoryLeague
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import LedgerUnusableError, PrivacyLedger
from hanse_privacy.protocol.letters import open_instruction
from hanse_privacy.protocol.post import LETTERS_RECORD
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import PopularityStep
from hanse_privacy.randomness import RandomSource, UnsafeSeededRandomness
from hanse_privacy.release import CustomerSum, ReleaseLayout, add_noise
from hanse_server.conductor import RunFailedError
from hanse_server.league import RunFolder
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_ledger import LeagueLedger
from hanse_server.league_spending import spending


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def ledger_of(league: MemoryLeague, partner: str) -> PrivacyLedger:
    home = league.workshop.node(partner)
    return open_ledger(home, load_policy(home.policy))


def registered(league: MemoryLeague, partner: str, proposal: RunProposal) -> tuple[RoundRecord, ...]:
    return tuple(RunRegister(league.workshop.node(partner).runs).rounds(proposal.run))


def granted(league: MemoryLeague, partner: str, proposal: RunProposal) -> list[str]:
    """Pseudonyms of who granted the purpose of the first step, from the partner's own file."""
    home = league.workshop.node(partner)
    with (home.root / "grants.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["purpose"] == proposal.steps[0].purpose]
    return sorted(PseudonymKey.load(home.pseudonym_key).pseudonyms(row["customer"] for row in rows))


def stated_deviation(proposal: RunProposal, name: str, *, partners: int) -> float:
    """Noise of so many vaults that the signed proposal promises in one coordinate, in the block's own unit."""
    step = next(step for step in proposal.steps if hasattr(step, name))
    block = getattr(step, name)
    shares = math.sqrt(partners / proposal.honest_minimum)
    return float(step.noise_multiplier * block.clip / math.sqrt(block.share) * shares)


def test_both_runs_release_what_their_proposals_say(league: MemoryLeague) -> None:
    popularity = league.propose("popularity.toml")
    released = league.conduct(popularity)["released"]
    assert len(released["rate"]) == len(released["breadth"]) == popularity.steps[0].items  # type: ignore[union-attr]
    used = [registered(league, partner, popularity)[0].customers for partner in league.workshop.partners]
    assert used == [len(granted(league, partner, popularity)) for partner in league.workshop.partners]
    deviation = stated_deviation(popularity, "customers", partners=2)
    assert released["noise_standard_deviation"]["customers"] == pytest.approx(deviation, rel=1e-6)
    assert abs(released["customers"]["value"] - sum(used)) < 6 * deviation
    churn = league.propose("churn.toml")
    result = league.conduct(churn)
    assert result["metrics_share"] == pytest.approx(0.12, abs=1e-6)
    assert len(result["released"]["weights"]) == 15
    histogram = np.array(result["released"]["histogram"])
    evaluated = sum(registered(league, partner, churn)[-1].customers for partner in league.workshop.partners)
    cell = stated_deviation(churn, "histogram", partners=2)
    assert abs(histogram.sum() - evaluated) < 6 * math.sqrt(len(histogram)) * cell
    stayed, left = histogram.reshape(2, -1)
    auc = result["released"]["auc"]["value"]
    # Among 260 customers the noise sometimes leaves nothing to say, and then nothing is said.
    assert (auc is None) == (stayed.sum() <= 0 or left.sum() <= 0)
    if auc is not None:
        ordered = sum(left[b] * (stayed[:b].sum() + stayed[b] / 2) for b in range(len(left)))
        assert auc == pytest.approx(ordered / (stayed.sum() * left.sum()))
    events = [event["event"] for event in RunFolder(league.workshop.league, churn.run).events()]
    assert events[0] == "started"
    assert events[-1] == "finished"
    assert events.count("round-finished") == churn.rounds == 11


def test_the_printed_epsilon_is_that_of_the_recorded_events(league: MemoryLeague) -> None:
    churn = league.propose("churn.toml")
    printed = league.conduct(churn)["epsilon_of_proposal"]
    events = [entry.event for entry in ledger_of(league, "north").entries() if entry.run == churn.run]
    assert len(events) == churn.rounds
    recomputed = epsilon_of(events, delta=churn.delta)
    assert recomputed == printed <= churn.epsilon
    # A draft cannot ask for half the noise, but a centre can sign what it likes: it must then print what that costs.
    payload = league.propose("churn.toml").payload()
    payload |= {"run": "half-the-noise", "epsilon": 2.9}
    for step in payload["steps"]:
        step["noise_multiplier"] /= 2
    halved = RunProposal.parse(payload)
    key = SigningKey.load(league.workshop.league.signing_key)
    RunFolder(league.workshop.league, halved.run).create(halved.sign(key))
    printed_then = league.conduct(halved)["epsilon_of_proposal"]
    events = [entry.event for entry in ledger_of(league, "north").entries() if entry.run == halved.run]
    assert len(events) == halved.rounds
    assert epsilon_of(events, delta=halved.delta) == printed_then > 1.8 * printed


ACROSS = 'unit = { kind = "customer-across-the-roster", partners_at_most = 2 }'


def test_a_run_for_people_across_the_roster(league: MemoryLeague) -> None:
    draft = league.workshop.root / "proposals" / "popularity.toml"
    edit(draft, 'unit = "customer-at-one-partner"', ACROSS)
    # Each vault would count a customer as one half.
    with pytest.raises(InvalidValueError, match="counts customers in customers"):
        league.propose("popularity.toml")
    edit(draft, "customers = { clip = 1.0", "customers = { clip = 2.0")
    edit(draft, "breadth = { clip = 10.0", "breadth = { clip = 0.5")
    proposal = league.propose("popularity.toml")
    result = league.conduct(proposal)
    assert result["unit"]["kind"] == "customer-across-the-roster"
    used = [registered(league, partner, proposal)[0] for partner in league.workshop.partners]
    deviation = stated_deviation(proposal, "customers", partners=2)
    assert result["released"]["noise_standard_deviation"]["customers"] == pytest.approx(deviation, rel=1e-6)
    person = LeagueBudget.read(league.workshop.league).person
    assert person.spent_epsilon == pytest.approx(epsilon_of(proposal.events(), delta=person.cap.budget.delta))
    # Everybody counts one, and everybody who bought anything is cut to a quarter: half of the clip for each vault.
    assert abs(result["released"]["customers"]["value"] - sum(one.customers for one in used)) < 6 * deviation
    assert all("customers 0" in one.clipped for one in used)
    breadth = np.array(result["released"]["breadth"])
    cut = sum(one.customers for one in used) * 0.25
    noise = stated_deviation(proposal, "breadth", partners=2)
    assert np.linalg.norm(breadth) < cut + 6 * noise * math.sqrt(len(breadth))
    for partner in league.workshop.partners:
        events = [entry.event for entry in ledger_of(league, partner).entries() if entry.run == proposal.run]
        assert epsilon_of(events, delta=proposal.delta) == result["epsilon_of_proposal"] <= proposal.epsilon
    (one,) = events
    person = LeagueBudget.read(league.workshop.league).person
    assert person.spent_epsilon == pytest.approx(epsilon_of([one], delta=person.cap.budget.delta))


def test_a_vault_whose_policy_has_not_the_unit_takes_no_part(league: MemoryLeague) -> None:
    home = league.workshop.node("south")
    league.stop_vault("south")
    edit(home.policy, "run_epsilon =", 'units = ["customer-across-the-roster"]\nrun_epsilon =')
    league.start_vault("south")
    with pytest.raises(RunFailedError, match="privacy unit customer-at-one-partner is not allowed"):
        league.conduct(league.propose("popularity.toml"))


BLOCKS = ("rate", "breadth")
_ONCE = 1e-9


def require_noised_sum(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    *,
    exact: Mapping[str, np.ndarray],
    deviations: dict[str, float],
) -> None:
    """Two releases of the same sum must each lie about it, and apart, as far as the stated noise says.

    A sum of n squared standard normal values is distributed as χ²: it may be as small, or as large, as it is once in
    10⁹ times. (Six standard deviations to either side would let noise of half the size pass now and then.)
    """

    def require_spread(values: Mapping[str, np.ndarray], *, releases: int) -> None:
        scaled = np.concatenate([values[name] / deviations[name] for name in BLOCKS]) / math.sqrt(releases)
        assert chi2.ppf(_ONCE, len(scaled)) < float(scaled @ scaled) < chi2.isf(_ONCE, len(scaled))
        assert np.abs(scaled).max() < 7

    for released in (first, second):
        require_spread({name: np.array(released[name]) - exact[name] for name in BLOCKS}, releases=1)
    require_spread({name: np.array(first[name]) - np.array(second[name]) for name in BLOCKS}, releases=2)


def tight_popularity(league: MemoryLeague) -> RunProposal:
    """The example's proposal with clips that most customers pass: noise is then small beside what clipping does."""
    draft = league.workshop.root / "proposals" / "popularity.toml"
    if "clip = 10.0" in draft.read_text(encoding="utf-8"):
        edit(draft, "clip = 10.0", "clip = 2.0")
        edit(draft, "rate = { clip = 2.0", "rate = { clip = 0.4")
    return league.propose("popularity.toml")


def exact_sums(league: MemoryLeague, proposal: RunProposal) -> dict[str, np.ndarray]:
    """Both partners' sums of clipped vectors in floating point, past the release's integers."""
    (step,) = proposal.steps
    assert isinstance(step, PopularityStep)
    sums = {name: np.zeros(step.items) for name in BLOCKS}
    for partner in league.workshop.partners:
        data = PurchaseStore(path=league.workshop.node(partner).purchases).in_weeks_from(proposal.week_one)
        cohort = granted(league, partner, proposal)
        for batch in operations.customer_batches(Work(step=step, weights=None), data=data, cohort=cohort):
            for name in BLOCKS:
                length = np.linalg.norm(batch[name], axis=1, keepdims=True)
                clip = getattr(step, name).clip
                assert np.mean(length > clip) > 0.5, "the clip binds, or no test could see it"
                sums[name] += (batch[name] * np.minimum(1, clip / np.maximum(length, 1e-300))).sum(axis=0)
    return sums


def two_releases(league: MemoryLeague) -> dict[str, Any]:
    """What :func:`require_noised_sum` wants to know of two runs over the same cohort and week."""
    proposals = [tight_popularity(league), tight_popularity(league)]
    first, second = [league.conduct(proposal)["released"] for proposal in proposals]
    deviations = {name: stated_deviation(proposals[0], name, partners=2) for name in BLOCKS}
    return {"first": first, "second": second, "exact": exact_sums(league, proposals[0]), "deviations": deviations}


def test_vaults_release_the_clipped_sum_and_the_stated_noise(league: MemoryLeague) -> None:
    require_noised_sum(**two_releases(league))


def no_noise(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> np.ndarray:
    return exact.vector


def half_the_noise(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> np.ndarray:
    return add_noise(replace(layout, noise_multiplier=layout.noise_multiplier / 2), exact, source=source)


def shares_too_small(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> np.ndarray:
    return add_noise(replace(layout, honest_shares=layout.honest_shares + 3), exact, source=source)


def noise_used_again(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> np.ndarray:
    return add_noise(layout, exact, source=UnsafeSeededRandomness(1))


def no_clip(layout: ReleaseLayout, batches: Iterable[operations.Batch]) -> CustomerSum:
    """The same integers per unit, but nobody's vector is shortened."""
    units = 1 / np.concatenate(list(layout.decode(np.ones(layout.size, dtype=np.int64)).values()))
    rows = np.concatenate([np.concatenate([batch[block.name] for block in layout.blocks], axis=1) for batch in batches])
    vector = np.rint(rows * units).astype(np.int64).sum(axis=0)
    return CustomerSum(vector=vector, customers=len(rows), clipped={}, refitted=0)


def everybody_twice(work: Work, *, data: operations.CohortData, cohort: Sequence[str]) -> Iterator[operations.Batch]:
    for batch in operations.customer_batches(work, data=data, cohort=cohort):
        yield from (batch, batch)


@pytest.mark.parametrize(
    ("function", "mutant"),
    [
        ("add_noise", no_noise),
        ("add_noise", half_the_noise),
        ("add_noise", shares_too_small),
        ("add_noise", noise_used_again),
        ("sum_customers", no_clip),
        ("customer_batches", everybody_twice),
    ],
)
def test_a_vault_that_noises_or_clips_less_would_be_seen(
    league: MemoryLeague, monkeypatch: pytest.MonkeyPatch, function: str, mutant: Callable[..., object]
) -> None:
    monkeypatch.setattr(f"hanse_client.vault.rounds.{function}", mutant)
    found = two_releases(league)
    with pytest.raises(AssertionError):
        require_noised_sum(**found)


def test_a_vault_refuses_seeded_randomness(league: MemoryLeague) -> None:
    parts = league.vaults["north"]._parts
    Vault(parts)
    with pytest.raises(UnsafeRandomnessError):
        Vault(replace(parts, randomness=UnsafeSeededRandomness(1)))


def test_every_letter_is_signed_and_bound(league: MemoryLeague) -> None:
    popularity = league.propose("popularity.toml")
    league.conduct(popularity)
    centre = SigningKey.load(league.workshop.league.signing_key).public
    seen = set()
    for message in league.grid.delivered:
        for recipient, letter in message.content[LETTERS_RECORD].items():
            assert isinstance(letter, bytes)
            instruction, _ = open_instruction(letter, key=centre)
            assert instruction.recipient == recipient
            assert (instruction.run, instruction.proposal) == (popularity.run, popularity.digest)
            seen.add((recipient, instruction.round, instruction.operation, bytes(instruction.nonce)))
    assert {(recipient, round_number, operation) for recipient, round_number, operation, _ in seen} == {
        (partner, *what) for partner in ("north", "south") for what in ((0, "admit"), (1, "popularity-statistics"))
    }
    assert len({nonce for *_, nonce in seen}) == len(seen)


def test_a_withdrawal_is_out_of_the_next_round(league: MemoryLeague) -> None:
    granted = sorted(
        row.split(",")[2]
        for row in (league.workshop.node("north").root / "grants.csv").read_text().splitlines()
        if ",churn-training," in row
    )
    leaving = granted[:7]
    journal: list[int] = []
    folder_note = RunFolder.note

    def note(self: RunFolder, event: dict[str, object]) -> None:
        folder_note(self, event)
        if event["event"] == "round-finished" and event["round"] == 3:
            file = league.workshop.node("north").root / "withdrawals.csv"
            write_withdrawals(file, purpose="churn-training", customers=leaving, said_at=datetime.now(tz=UTC))
            journal.append(league.record_acts("north", file))

    RunFolder.note = note  # type: ignore[method-assign]  # the moment is what is tested
    try:
        churn = league.propose("churn.toml")
        league.conduct(churn)
    finally:
        RunFolder.note = folder_note  # type: ignore[method-assign]
    rounds = RunRegister(league.workshop.node("north").runs).rounds(churn.run)
    used = [record.customers for record in rounds]
    assert len(granted) == used[0] == used[1] == used[2]
    assert used[3:10] == [used[0] - 7] * 7
    assert all(record.manifest_position >= journal[0] for record in rounds[3:])
    assert all(record.loaded_root == record.manifest_root for record in rounds)
    others = RunRegister(league.workshop.node("south").runs).rounds(churn.run)
    assert len({record.customers for record in others[:10]}) == 1


def test_a_run_above_the_cap_is_refused_before_its_first_round(league: MemoryLeague) -> None:
    league.conduct(league.propose("popularity.toml"))
    league.conduct(league.propose("churn.toml"))
    spent = ledger_of(league, "north").statement().caps[0].spent_epsilon
    league.conduct(league.propose("popularity.toml"))
    with pytest.raises(RunFailedError, match="BUDGET_EXHAUSTED"):
        league.conduct(league.propose("popularity.toml"))
    statement = ledger_of(league, "north").statement()
    assert spent < statement.caps[0].spent_epsilon <= 5.0
    assert statement.end.position == 13
    # The league knows as much of it, from what it asked.
    asked = {one.partner: one for one in spending(LeagueLedger.of(league.workshop.league).read().asked, delta=1e-5)}
    assert (asked["north"].asked, asked["north"].answered, asked["north"].run) == (13, 13, None)
    assert asked["north"].epsilon == statement.caps[0].spent_epsilon


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            ('purposes = ["churn-training"]', 'purposes = ["model-evaluation"]'),
            "purpose churn-training is not allowed for churn-gradient",
        ),
        (
            ('["model-evaluation"], lowest_tier = "basic"', '["model-evaluation"], lowest_tier = "standard"'),
            "tier basic is below standard for churn-evaluation",
        ),
        (("churn-gradient = {", "another = {"), "operation churn-gradient is not allowed"),
        (("week_one = 2024-12-30", "week_one = 2024-12-31"), "week 1 begins on 2024-12-30"),
        (("minimum_partners = 2", "minimum_partners = 3"), "2 partners, at least 3 needed"),
        (("run_epsilon = 3.0", "run_epsilon = 0.9"), "above 0.9 for one run"),
        (('highest_tier = "standard"', 'highest_tier = "basic"'), "tier standard is above basic"),
        (('countries = ["DE", "FR"]', 'countries = ["FR"]'), "in DE, which is not allowed"),
        (("minimum_cohort = 50", "minimum_cohort = 140"), "COHORT_TOO_SMALL"),
    ],
)
def test_local_policy_is_enforced(league: MemoryLeague, change: tuple[str, str], reason: str) -> None:
    # A vault reads its policy when it starts.
    league.stop_vault("south")
    edit(league.workshop.node("south").policy, *change)
    league.start_vault("south")
    with pytest.raises(RunFailedError, match=reason):
        league.conduct(league.propose("churn.toml"))


def stop_after_round(
    league: MemoryLeague, round_number: int, stop: Callable[[], None], patch: pytest.MonkeyPatch
) -> None:
    """Do something at the moment when a round has finished."""
    original = RunFolder.note

    def note(self: RunFolder, event: dict[str, object]) -> None:
        original(self, event)
        if event["event"] == "round-finished" and event["round"] == round_number:
            stop()

    patch.setattr(RunFolder, "note", note)


def test_without_the_consent_service_there_is_no_next_round(
    league: MemoryLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after_round(league, 2, league.stop_consent, monkeypatch)
    churn = league.propose("churn.toml")
    with pytest.raises(RunFailedError, match="round 3") as failure:
        league.conduct(churn)
    assert "CONSENT_UNAVAILABLE" in failure.value.what
    for partner in ("north", "south"):
        # Round 3 was not paid, since it did not happen.
        assert [entry.round for entry in ledger_of(league, partner).entries()] == [1, 2]
    last = list(RunFolder(league.workshop.league, churn.run).events())[-1]
    assert (last["event"], last["code"]) == ("failed", "RUN_FAILED")


def test_a_missing_vault_ends_the_run_by_name_and_is_a_member_of_the_next(
    league: MemoryLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after_round(league, 2, lambda: league.stop_vault("south"), patch)
        with pytest.raises(RunFailedError, match="south: no answer") as failure:
            league.conduct(league.propose("churn.toml"))
    assert "north: no answer" not in failure.value.what
    before = ledger_of(league, "south").statement()
    league.start_vault("south")
    assert ledger_of(league, "south").statement() == before
    assert before.end.position == 2
    league.conduct(league.propose("popularity.toml"))
    assert ledger_of(league, "south").statement().end.position == 3


def test_a_lost_or_older_ledger_is_not_served(league: MemoryLeague) -> None:
    home = league.workshop.node("north")
    league.conduct(league.propose("popularity.toml"))
    older = home.ledger.with_name("older.db")
    with closing(sqlite3.connect(home.ledger)) as book, closing(sqlite3.connect(older)) as copy:
        book.backup(copy)
    league.conduct(league.propose("popularity.toml"))
    league.stop_vault("north")
    for name in (home.ledger, home.ledger.with_name("ledger.db-wal"), home.ledger.with_name("ledger.db-shm")):
        name.unlink(missing_ok=True)
    with pytest.raises(LedgerUnusableError, match="is missing"):
        league.start_vault("north")
    PrivacyLedger.create(home.ledger)
    with pytest.raises(LedgerUnusableError, match="lacks 2 rounds"):
        league.start_vault("north")
    home.ledger.unlink()
    shutil.copy(older, home.ledger)
    with pytest.raises(LedgerUnusableError, match="lacks 1 rounds"):
        league.start_vault("north")


def test_older_copies_of_all_that_a_vault_remembers_are_known_by_its_own_word(league: MemoryLeague) -> None:
    home = league.workshop.node("north")
    league.conduct(league.propose("popularity.toml"))
    league.stop_vault("north")
    older = [(path, path.read_bytes()) for path in home.ledger.parent.glob("*.db*")]
    assert {home.ledger, home.runs} <= {path for path, _ in older}
    league.start_vault("north")
    league.conduct(league.propose("popularity.toml"))
    league.stop_vault("north")
    for path in home.ledger.parent.glob("*.db*"):
        path.unlink()
    for path, content in older:
        path.write_bytes(content)
    # They fit each other, and the vault starts; what it has said of itself since, it cannot say any more.
    league.start_vault("north")
    with pytest.raises(RunFailedError, match=r"LEDGER_UNUSABLE: .* it spoke of at entry 2"):
        league.conduct(league.propose("popularity.toml"))
    assert len(ledger_of(league, "north").entries()) == 1


def test_a_floor_of_the_centres_choosing_does_not_measure_the_cohort(league: MemoryLeague) -> None:
    draft = league.workshop.root / "proposals" / "popularity.toml"
    text = draft.read_text()
    found = {}
    for floor in (51, 75, 100, 101, 110, 125):
        draft.write_text(text.replace("minimum_cohort = 40", f"minimum_cohort = {floor}"))
        proposal = league.propose("popularity.toml")
        found[floor] = cohort_floor(league.vaults["north"]._parts.policy, proposal)
    # The policy's own floor is 50.
    assert found == {51: 100, 75: 100, 100: 100, 101: 200, 110: 200, 125: 200}
    with pytest.raises(RunFailedError, match="fewer than 200"):
        league.conduct(proposal)
