"""Rosters that differ by one vault: refused over the same purchases, because two sums would tell that vault's own."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from roster_runs import ALL, KEYS, LAST_WEEK, NAMES, policy, run_of
from written_terms import POPULARITY as COUNTING
from written_terms import TRAINING, written_proposal

from hanse_client.vault.policy import LimitSection
from hanse_client.vault.roster_rule import RosterTooCloseError, require_roster_apart
from hanse_privacy.aggregation.centre_side import Collection
from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.session_keys import SessionKey, verified_keys
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.randomness import SystemRandomness
from hanse_privacy.release import CustomerSum, add_noise

LIMITS = policy().limits
PINNED = frozenset(key.public.text for key in KEYS.values())


def is_refused(
    proposal: RunProposal,
    *earlier: RunProposal,
    limits: LimitSection = LIMITS,
    pinned: frozenset[str] = PINNED,
) -> bool:
    try:
        require_roster_apart(limits, proposal, earlier, pinned=pinned)
    except RosterTooCloseError:
        return True
    return False


@pytest.mark.parametrize(
    ("roster", "refused"),
    [
        (ALL, False),
        (ALL[::-1], False),
        (ALL[:3], True),
        ((*ALL, "inland"), True),
        (ALL[:2], False),
        # One goes and another comes: the difference is that of two vaults' sums.
        ((*ALL[:3], "inland"), False),
    ],
    ids=["the-same", "in-another-order", "one-fewer", "one-more", "two-fewer", "one-in-place-of-another"],
)
def test_how_far_rosters_are_apart(roster: Sequence[str], refused: bool) -> None:
    first, second = run_of(ALL), run_of(roster)
    assert is_refused(second, first) is refused
    # Whichever came first.
    assert is_refused(first, second) is refused


def test_a_partner_may_ask_for_more() -> None:
    first, two_fewer = run_of(ALL), run_of(ALL[:2])
    for change, refused in ((1, False), (2, False), (3, True), (100, True)):
        limits = policy(minimum_roster_change=change).limits
        assert is_refused(two_fewer, first, limits=limits) is refused
        assert is_refused(run_of(ALL), first, limits=limits) is False
        assert is_refused(run_of(ALL[:3]), first, limits=limits) is (change > 1)


def test_a_vault_under_a_new_name_is_the_same_vault() -> None:
    first = run_of(ALL)
    payload = run_of((*ALL[:3], "inland")).payload()
    payload["roster"].append({"partner": "renamed", "public_key": KEYS["west"].public.text})
    # One more than in the first run, whatever West is called now.
    assert is_refused(RunProposal.parse(payload), first) is True
    payload["roster"][-1]["public_key"] = SigningKey.generate().public.text
    assert is_refused(RunProposal.parse(payload), first) is False


@pytest.mark.parametrize(
    ("roster", "refused"),
    [
        (ALL, False),
        # Two vaults fewer, of which one may be the centre's own: the difference is that of the other.
        (("north", "south"), True),
        (("north", "south", "inland"), True),
        # One that is pinned and any number that are not.
        (("north", "south", "east", "west", "inland"), True),
        # Two that are pinned here are enough.
        (("north", "west", "inland"), False),
    ],
)
def test_vaults_that_are_not_pinned_make_no_difference_larger(roster: Sequence[str], refused: bool) -> None:
    pinned = PINNED - {KEYS[name].public.text for name in ("west", "inland")}
    for one, other in ((run_of(roster), run_of(ALL)), (run_of(ALL), run_of(roster))):
        assert is_refused(one, other, pinned=pinned) is refused
    # With all of them pinned, only one vault fewer or more is too close.
    assert is_refused(run_of(roster), run_of(ALL)) is (len(set(roster) ^ set(ALL)) == 1)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, True),
        ({"purpose": "care"}, False),
        # Nothing of these makes other purchases of them.
        ({"noise_multiplier": 50.0}, True),
        ({"gradient": {"clip": 0.5, "share": 1.0}}, True),
        ({"horizon_weeks": 9}, True),
        ({"rounds": 1}, True),
    ],
    ids=["nothing", "purpose", "noise", "clip", "horizon", "rounds"],
)
def test_what_the_same_purchases_are(change: dict[str, Any], refused: bool) -> None:
    assert is_refused(run_of(ALL[:3], TRAINING | change), run_of(ALL)) is refused


def test_another_purpose_is_another_sum_and_another_operation_is_not() -> None:
    assert is_refused(run_of(ALL[:3], COUNTING), run_of(ALL)) is False
    # Both count the same customers beside what they compute.
    assert is_refused(run_of(ALL[:3], COUNTING | {"purpose": TRAINING["purpose"]}), run_of(ALL)) is True
    # One step of the same kind is enough, wherever it stands.
    assert is_refused(run_of(ALL[:3], COUNTING, TRAINING), run_of(ALL)) is True
    assert is_refused(run_of(ALL[:3]), run_of(ALL, COUNTING, TRAINING)) is True


@pytest.mark.parametrize("weeks", [-5, -4, -3, -1, 0, 1, 3, 4, 5])
def test_another_period_is_other_purchases(weeks: int) -> None:
    later = run_of(ALL[:3], last_week=LAST_WEEK + weeks)
    assert is_refused(later, run_of(ALL)) is (abs(weeks) < 4)
    assert is_refused(later, run_of(ALL), limits=policy(roster_period_weeks=1).limits) is (weeks == 0)


def question(operation: str, first_week: int, last_week: int, **changes: Any) -> dict[str, Any]:
    """Of a kind, by week: some weeks' cells can be the same in two of them."""
    common = {
        "operation": operation,
        "purpose": "league-questions",
        "tier": "standard",
        "noise_multiplier": 20.0,
        "measure": "baskets",
        "first_week": first_week,
        "last_week": last_week,
        "by": "week",
        "answer": {"clip": 100.0, "share": 0.8},
    }
    one = {"clip": 1.0, "share": 0.1}
    own = {
        "count-question": {"customers": one, "over": one},
        "histogram-question": {"edges": [0, 2, 5]},
        "quantile-question": {"probabilities": [0.5], "highest": 10.0, "height": 2},
    }
    return common | own[operation] | changes


def questions_refused(first: dict[str, Any], second: dict[str, Any], **limits: Any) -> bool:
    """Whether the second is refused to one vault fewer, after the first; in either order."""
    runs = [
        written_proposal(f"run-{next(NAMES)}", partners={partner: KEYS[partner] for partner in roster}, steps=[step])
        for roster, step in ((ALL, first), (ALL[:3], second))
    ]
    rules = policy(**limits).limits
    refused = {is_refused(one, other, limits=rules) for one, other in (runs, reversed(runs))}
    assert len(refused) == 1
    return refused.pop()


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ((1, 30), (1, 30), True),
        # Weeks 1 to 30 are cells of both, however far apart their last weeks are.
        ((1, 30), (1, 34), True),
        ((1, 30), (30, 60), True),
        ((10, 12), (1, 60), True),
        ((1, 30), (31, 60), False),
        ((30, 30), (33, 33), True),
        ((30, 30), (34, 34), False),
    ],
)
def test_questions_that_share_a_week_are_over_the_same_purchases(
    first: tuple[int, int], second: tuple[int, int], refused: bool
) -> None:
    assert questions_refused(question("count-question", *first), question("count-question", *second)) is refused


def test_a_question_of_another_kind_can_hold_the_same_sum() -> None:
    kinds = ("count-question", "histogram-question", "quantile-question")
    for first, second in itertools.product(kinds, kinds):
        # The bins of a histogram, and the root of a tree, are the customers that a count counts.
        assert questions_refused(question(first, 1, 30), question(second, 5, 40)) is True
        assert questions_refused(question(first, 1, 30), question(second, 31, 40)) is False
        other = question(second, 1, 30, purpose="care")
        assert questions_refused(question(first, 1, 30), other) is False


def test_a_question_can_hold_the_sum_of_what_is_no_question() -> None:
    counting = COUNTING | {"purpose": "league-questions", "last_week": LAST_WEEK}
    for weeks, refused in (((1, 30), True), ((1, 1), True), ((30, 60), True), ((34, 60), False)):
        assert questions_refused(question("count-question", *weeks), counting) is refused
    other = COUNTING | {"last_week": LAST_WEEK}
    assert questions_refused(question("count-question", 1, 30), other) is False


def test_every_earlier_run_counts_and_the_own_does_not() -> None:
    proposal = run_of(ALL[:3])
    assert is_refused(proposal, run_of(ALL[:3]), run_of(ALL[:1]), run_of(ALL)) is True
    assert is_refused(proposal, run_of(ALL[:3]), run_of(ALL[:1])) is False
    # An attempt at another round of the same run is no other run.
    assert is_refused(proposal, run_of(ALL, run=proposal.run)) is False


# What the rule is worth, in numbers.


@dataclass(frozen=True)
class Shop:
    """A vault of 5,000 customers: how much each coordinate of its sum holds, in integer units."""

    partner: str
    total: np.ndarray

    def release(self, run: RunProposal) -> np.ndarray:
        """What it sends, before it is masked."""
        exact = CustomerSum(vector=self.total, customers=5_000, clipped={}, refitted=0)
        return add_noise(run.layout(run.steps[0]), exact, source=SystemRandomness())


def released(shops: Sequence[Shop], run: RunProposal) -> np.ndarray:
    """What the centre gets out of a run: masked vectors, added up."""
    identity = run.identity
    sessions = {shop.partner: SessionKey.generate() for shop in shops}
    messages = [
        sessions[partner].message(identity, partner=partner, key=KEYS[partner]) for partner in identity.partners
    ]
    keys = verified_keys(messages, identity)
    attempt = Attempt(round=1, step=0, attempt=1)
    size = run.layout(run.steps[0]).size
    collection = Collection(partners=identity.partners, attempt=attempt, ring=run.ring, size=size)
    for shop in shops:
        secrets = sessions[shop.partner].pair_secrets(identity, keys, partner=shop.partner)
        masked = mask(
            shop.release(run),
            ring=run.ring,
            identity=identity,
            attempt=attempt,
            partner=shop.partner,
            pair_secrets=secrets,
        )
        collection = collection.receive(shop.partner, masked.tobytes())
    return collection.total()


def share_variance(run: RunProposal) -> int:
    return run.layout(run.steps[0]).share_variance_parameter


def shops() -> dict[str, Shop]:
    """Totals of thousands of customers' clips: far above the noise of 20 clips that hides one of them."""
    chance = np.random.default_rng(20260504)
    return {
        partner: Shop(partner, chance.integers(2_000 * 65536, 5_000 * 65536, size=15)) for partner in (*ALL, "inland")
    }


def require_close(found: np.ndarray, expected: np.ndarray, *, variance: float) -> None:
    """Eight standard deviations in each of 15 coordinates: a false alarm once in 10^14."""
    assert np.abs(found - expected).max() < 8 * np.sqrt(variance)


def test_the_difference_of_two_sums_is_one_vaults_own_and_is_not_to_be_had() -> None:
    league = shops()
    whole, fewer = run_of(ALL), run_of(ALL[:3])
    # Without the rule: both runs are answered, and West's total stands there, to within a few per cent.
    sums = [released([league[partner] for partner in run.partners()], run) for run in (whole, fewer)]
    west = sums[0] - sums[1]
    variance = 7 * share_variance(whole)
    require_close(west, league["west"].total, variance=variance)
    assert np.linalg.norm(west - league["west"].total) < 0.05 * np.linalg.norm(league["west"].total)
    # With it: the second run is refused, by all three whom it asks, and there is one sum.
    assert is_refused(fewer, whole) is True
    # One sum is the same whether West or East sold it: nobody can say how much of it is West's.
    moved = league["west"].total // 2
    other = dict(league)
    other["west"] = dataclasses.replace(league["west"], total=league["west"].total - moved)
    other["east"] = dataclasses.replace(league["east"], total=league["east"].total + moved)
    exact = [sum(world[partner].total for partner in ALL) for world in (league, other)]
    assert (exact[0] == exact[1]).all()
    assert np.abs(west - other["west"].total).max() > 8 * np.sqrt(variance)


def test_what_the_rule_does_not_see() -> None:
    """It compares two runs. Three that each differ by two, or two of whose vaults one colludes, tell as much."""
    league = shops()

    def sum_of(*partners: str) -> tuple[RunProposal, np.ndarray]:
        run = run_of(partners)
        return run, released([league[partner] for partner in partners], run)

    runs, sums = zip(*(sum_of(*pair) for pair in itertools.combinations(ALL[:3], 2)), strict=True)
    for run in runs:
        assert not is_refused(run, *(other for other in runs if other is not run))
    # north + south, north + east, south + east.
    north = (sums[0] + sums[1] - sums[2]) / 2
    require_close(north, league["north"].total, variance=6 / 4 * share_variance(runs[0]))
    # West tells the centre what it sent, or sends nothing: two rosters that differ by two vaults, one of them West.
    (whole, all_four), (fewer, two) = sum_of(*ALL), sum_of(*ALL[:2])
    assert not is_refused(fewer, whole)
    east = all_four - two - league["west"].total
    require_close(east, league["east"].total, variance=6 * share_variance(whole))
    # A partner who wants neither asks for the same roster, or none.
    strict = policy(minimum_roster_change=1000).limits
    for run, earlier in ((runs[1], runs[0]), (fewer, whole)):
        assert is_refused(run, earlier, limits=strict)
    assert not is_refused(run_of(ALL), whole, limits=strict)
