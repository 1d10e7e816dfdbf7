"""The oracle against slow loops over plain lists of receipts, and against the release that it takes apart."""

import hashlib
import math
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hanse_client.data.ingest import SCHEMA_VERSION
from hanse_client.data.queries import VaultData
from hanse_demo.collecting import LeagueEmptyError, read_partners
from hanse_demo.oracle import (
    RecommendationWindow,
    ReleaseClips,
    customer_vectors,
    evaluate_churn,
    evaluate_recommender,
    league_popularity,
    load_partner,
    multiple_partners,
    own_popularity,
)
from hanse_demo.workshop import lay_out
from hanse_models.churn import WEIGHTS, churn_features, churn_labels, eligible, fit_locally, score
from hanse_models.popularity import SharedPopularity, exact_popularity
from hanse_models.ranking_metrics import RankingView
from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.guarantee import Guarantee
from hanse_privacy.release import BlockLayout, ReleaseLayout, sum_customers
from hanse_privacy.units import CustomerAcrossTheRoster, CustomerAtOnePartner, PrivacyBudget, PrivacyUnit

OWN_DATA = Path(__file__).parents[2] / "examples/own_data"
WEEK_ONE = date(2016, 12, 26)
ITEMS = 30
WINDOW = RecommendationWindow(last_week=20, target_weeks=4, half_life_weeks=8)
NO_CLIP = ReleaseClips(rate=1e6, breadth=1e6)


def draw_receipts(seed, customers=40, weeks=30, leave=0.4):
    """Receipts as (customer, day, store, items): some customers leave early, one never buys an item."""
    random = np.random.default_rng(seed)
    favour = random.dirichlet(np.full(ITEMS, 0.3))
    receipts = []
    for number in range(customers):
        name = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()[:32]
        taste = 0.5 * favour + 0.5 * random.dirichlet(np.full(ITEMS, 0.2))
        last = int(random.integers(3, weeks)) if random.random() < leave else weeks
        for _ in range(int(random.integers(1, 25))):
            day = WEEK_ONE + timedelta(days=int(random.integers(0, 7 * last)))
            size = 0 if number == 0 else int(random.integers(1, 7))
            items = {int(item) for item in random.choice(ITEMS, size=size, p=taste)}
            receipts.append((name, day, f"S{random.integers(4)}", items))
    return sorted(receipts, key=lambda receipt: (receipt[1], receipt[2]))


def write_vault(path, receipts):
    connection = duckdb.connect(path)
    connection.execute(
        "CREATE TABLE customer(customer VARCHAR);"
        "CREATE TABLE basket(basket BIGINT, customer VARCHAR, day DATE, store VARCHAR, value DOUBLE, discount DOUBLE);"
        "CREATE TABLE purchase(customer VARCHAR, basket BIGINT, day DATE, store VARCHAR, item INTEGER,"
        " quantity DOUBLE, value DOUBLE, discount DOUBLE);"
        "CREATE TABLE origin(schema_version INTEGER, partner VARCHAR, catalogue_digest VARCHAR,"
        " catalogue_items INTEGER, pseudonym_key_id VARCHAR)"
    )
    connection.execute("INSERT INTO origin VALUES (?, 'dune', 'x', ?, 'k')", [SCHEMA_VERSION, ITEMS])
    for customer in sorted({receipt[0] for receipt in receipts}):
        connection.execute("INSERT INTO customer VALUES (?)", [customer])
    for number, (customer, day, store, items) in enumerate(receipts, start=1):
        connection.execute("INSERT INTO basket VALUES (?, ?, ?, ?, 10, 1)", [number, customer, day, store])
        for item in items:
            connection.execute(
                "INSERT INTO purchase VALUES (?, ?, ?, ?, ?, 1, 2, 0)", [customer, number, day, store, item]
            )
    connection.close()
    return path


def week_of(day):
    return (day - WEEK_ONE).days // 7 + 1


def fold_of(customer):
    return int(hashlib.sha256(customer.encode()).hexdigest()[:16], 16) % 5


@pytest.fixture(scope="module")
def receipts():
    return draw_receipts(seed=5)


@pytest.fixture(scope="module")
def vault(receipts, tmp_path_factory):
    return write_vault(tmp_path_factory.mktemp("vault") / "purchases.duckdb", receipts)


@pytest.fixture(scope="module")
def purchases(vault):
    return load_partner(vault, partner="dune", week_one=WEEK_ONE, last_week=30)


@pytest.fixture(scope="module")
def consented(purchases):
    return frozenset(customer for customer in purchases.customers if customer[0] not in "012")


def counted(history):
    items, visits = history.item_weeks, history.basket_weeks
    return (
        Counter(dict(zip(zip(items.customer, items.item, items.week, strict=True), items.baskets, strict=True))),
        Counter(dict(zip(zip(visits.customer, visits.week, strict=True), visits.baskets, strict=True))),
    )


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_the_last_baskets_are_those_of_the_loop(purchases, receipts, count) -> None:
    by_customer = defaultdict(list)
    for customer, day, _, items in receipts:
        if week_of(day) <= 20:
            by_customer[customer].append((week_of(day), items))
    bought, visited = Counter(), Counter()
    for customer, baskets in by_customer.items():
        row = purchases.customers.index(customer)
        for week, items in baskets[-count:] if count else []:
            visited[row, week] += 1
            bought.update((row, item, week) for item in items)
    assert counted(purchases.last_baskets(count, last_week=20)) == (bought, visited)


def test_all_baskets_are_what_a_run_reads(purchases, vault) -> None:
    assert counted(purchases.last_baskets(10**6, last_week=20)) == counted(purchases.history.until(20))
    for week in (1, 9, 20, 30):
        expected = VaultData(path=vault, anchor=WEEK_ONE).breadth(purchases.customers, last_week=week)
        found = purchases.breadth(last_week=week)
        np.testing.assert_array_equal(found.stores, expected.stores)
        np.testing.assert_array_equal(found.items, expected.items)


def test_partners_are_read_up_to_the_last_week_that_all_have(tmp_path) -> None:
    with lay_out(OWN_DATA, tmp_path / "demo") as workshop:
        first = workshop.league.load().week_one
        for partner, weeks in zip(workshop.partners, (5, 3), strict=True):
            receipts = [("a", first + timedelta(weeks=week, days=6), "S0", {1}) for week in range(weeks)]
            write_vault(workshop.node(partner).purchases, receipts)
        for read in read_partners(workshop).values():
            assert read.last_week == 3
            assert read.history.basket_weeks.week.tolist() == [1, 2, 3]


def test_a_league_without_a_purchase_is_refused(tmp_path) -> None:
    with lay_out(OWN_DATA, tmp_path / "demo") as workshop:
        for partner in workshop.partners:
            write_vault(workshop.node(partner).purchases, [])
        with pytest.raises(LeagueEmptyError, match="ingest them again"):
            read_partners(workshop)


def test_own_sums_leave_the_fold_out(purchases, vault, consented) -> None:
    members = purchases.members(consented)
    found = own_popularity(customer_vectors(purchases, window=WINDOW), members=members)
    data = VaultData(path=vault, anchor=WEEK_ONE)
    for without, sums in [(None, found.everybody), *enumerate(found.without_fold)]:
        cohort = sorted(customer for customer in consented if fold_of(customer) != without)
        expected = exact_popularity(data.history(cohort, last_week=20), week=20)
        np.testing.assert_allclose(sums.rate, expected.rate, atol=1e-9)
        np.testing.assert_allclose(sums.breadth, expected.breadth)
        assert sums.customers == expected.customers
    assert len({fold_of(customer) for customer in consented}) == 5


def test_a_release_without_the_fold_is_the_release_of_the_others(purchases, consented) -> None:
    members, vectors = purchases.members(consented), customer_vectors(purchases, window=WINDOW)
    clips = ReleaseClips(rate=0.8, breadth=2.5)
    layout = ReleaseLayout(
        blocks=(
            BlockLayout(name="rate", size=ITEMS, clip=clips.rate, share=0.25),
            BlockLayout(name="breadth", size=ITEMS, clip=clips.breadth, share=0.74),
            BlockLayout(name="customers", size=1, clip=1.0, share=0.01),
        ),
        units=2**20,
        noise_multiplier=1.0,
        honest_shares=1,
    )
    noise = np.random.default_rng(1).integers(-(10**6), 10**6, size=layout.size)

    def release(rows):
        part = {"rate": vectors.rate[rows].toarray(), "breadth": vectors.breadth[rows].toarray()}
        exact = sum_customers(layout, [{**part, "customers": vectors.shopped[rows, None].astype(float)}])
        assert exact.clipped["rate"] > 0 < exact.clipped["breadth"]
        decoded = layout.decode(exact.vector + noise)
        return SharedPopularity(
            rate=decoded["rate"], breadth=decoded["breadth"], customers=float(decoded["customers"][0])
        )

    rows = np.flatnonzero(members)
    found = league_popularity(vectors, members=members, released=release(rows), clips=clips)
    for fold, sums in enumerate(found.without_fold):
        expected = release(np.array([row for row in rows if fold_of(purchases.customers[row]) != fold]))
        np.testing.assert_allclose(sums.rate, expected.rate, atol=1e-4)
        np.testing.assert_allclose(sums.breadth, expected.breadth, atol=1e-3)
        assert sums.customers == pytest.approx(expected.customers, abs=1e-3)


def slow_list(baskets, popularity, candidates, week=20):
    """The personal posterior in plain loops: ten items for one customer's (week, items) baskets."""
    total, held = 0.0, [0.0] * ITEMS
    for when, items in baskets:
        weight = 0.5 ** ((week - when) / 20.0)
        total += weight
        for item in items:
            held[item] += weight
    prior = [min(max(x / max(popularity.customers, 1.0), 0.0), 1.0) for x in popularity.rate.tolist()]
    scores = [(held[i] + 8.0 * prior[i]) / (total + 8.0) for i in range(ITEMS)]
    never = [i for i in range(ITEMS) if held[i] == 0.0]
    values = sorted((scores[i] for i in never), reverse=True)
    for item, value in zip(sorted(never, key=lambda i: (-popularity.breadth[i], i)), values, strict=True):
        scores[item] = value
    return sorted(candidates, key=lambda i: (-scores[i], i))[:10]


def slow_recall(listed, wanted):
    return len(set(listed) & wanted) / min(10, len(wanted)) if wanted else math.nan


@pytest.mark.parametrize("kind", ["own_consented", "own_all", "league"])
def test_recall_equals_the_loops(purchases, vault, receipts, consented, kind) -> None:
    random = np.random.default_rng(2)
    released = SharedPopularity(
        rate=30 * random.random(ITEMS) - 1, breadth=90 * random.random(ITEMS) - 3, customers=120.3
    )
    found = evaluate_recommender(purchases, consented=consented, released=released, clips=NO_CLIP, window=WINDOW)
    history, targets = defaultdict(list), defaultdict(set)
    for customer, day, _, items in receipts:
        week = week_of(day)
        if week <= 20:
            history[customer].append((week, items))
        elif week <= 24:
            targets[customer] |= items
    seen = {customer: set().union(*(items for _, items in baskets)) for customer, baskets in history.items()}
    evaluated = sorted(customer for customer in history if seen[customer] and targets[customer])
    assert found.customers == tuple(evaluated)
    assert 10 < len(evaluated) < len(purchases.customers)
    cohort = purchases.customers if kind == "own_all" else sorted(consented)
    data = VaultData(path=vault, anchor=WEEK_ONE)

    def sums(chosen):
        return exact_popularity(data.history(chosen, last_week=20), week=20)

    def without(fold):
        others = [customer for customer in cohort if fold_of(customer) != fold]
        if kind != "league":
            return sums(others)
        left_out = [customer for customer in cohort if fold_of(customer) == fold]
        gone = sums(left_out)
        return SharedPopularity(
            rate=released.rate - gone.rate,
            breadth=released.breadth - gone.breadth,
            customers=released.customers - len(left_out),
        )

    whole = released if kind == "league" else sums(cohort)
    cold = [without(fold) for fold in range(5)]
    quality = getattr(found, kind)
    for place, customer in enumerate(evaluated):
        baskets, wanted, old = history[customer], targets[customer], seen[customer]
        everything = set(range(ITEMS))
        for view, candidates in (
            (RankingView.ALL, everything),
            (RankingView.REPEAT, old),
            (RankingView.EXPLORE, everything - old),
        ):
            expected = slow_recall(slow_list(baskets, whole, candidates), wanted & candidates)
            assert quality.views[view].recall[place] == pytest.approx(expected, nan_ok=True)
        for count in (0, 1, 3):
            visible = baskets[-count:] if count else []
            expected = slow_recall(slow_list(visible, cold[fold_of(customer)], everything), wanted)
            assert quality.cold[count][place] == pytest.approx(expected)


def test_rows_are_means_and_the_gain_is_paired(purchases, consented) -> None:
    released = SharedPopularity(rate=np.arange(ITEMS, dtype=float), breadth=np.ones(ITEMS), customers=50.0)
    found = evaluate_recommender(purchases, consented=consented, released=released, clips=NO_CLIP, window=WINDOW)
    assert [row.statistics for row in found.rows] == ["own data, consented", "own data, all customers", "league"]
    explore = found.league.views[RankingView.EXPLORE].recall
    known = explore[~np.isnan(explore)]
    assert found.rows[2].recall_explore.value == pytest.approx(known.mean())
    assert found.rows[2].recall_explore.standard_error == pytest.approx(known.std(ddof=1) / math.sqrt(len(known)))
    assert found.rows[0].recall_cold_1.value == pytest.approx(found.own_consented.cold[1].mean())
    paired = found.league.cold[0] - found.own_consented.cold[0]
    assert found.gain.recall_cold_0.value == pytest.approx(paired.mean())
    assert found.gain.recall_cold_0.standard_error == pytest.approx(paired.std(ddof=1) / math.sqrt(len(paired)))
    assert found.gain.recall_cold_0.customers == len(found.customers)


def test_a_league_of_one_without_noise_gains_nothing(purchases, consented) -> None:
    # Only who has a basket: a release counts every member, own sums count those who shopped.
    vectors = customer_vectors(purchases, window=WINDOW)
    shopped = frozenset(np.array(purchases.customers)[vectors.shopped].tolist()) & consented
    own = own_popularity(vectors, members=purchases.members(shopped)).everybody
    found = evaluate_recommender(purchases, consented=shopped, released=own, clips=NO_CLIP, window=WINDOW)
    assert {estimate.value for _, estimate in found.gain} == {0.0}


def test_nobody_consents(purchases) -> None:
    nothing = SharedPopularity(rate=np.zeros(ITEMS), breadth=np.zeros(ITEMS), customers=0.0)
    found = evaluate_recommender(purchases, consented=frozenset(), released=nothing, clips=NO_CLIP, window=WINDOW)
    assert found.gain.recall_all.value == 0.0
    assert found.rows[1].recall_cold_0.value > found.rows[0].recall_cold_0.value


@pytest.mark.parametrize(
    ("consented", "released_items", "last_week"),
    [(frozenset({"stranger"}), ITEMS, 20), (frozenset(), ITEMS - 1, 20), (frozenset(), ITEMS, 27)],
)
def test_bad_input_is_refused_without_a_name(purchases, consented, released_items, last_week) -> None:
    released = SharedPopularity(rate=np.zeros(released_items), breadth=np.zeros(released_items), customers=1.0)
    with pytest.raises(InvalidValueError) as error:
        evaluate_recommender(
            purchases,
            consented=consented,
            released=released,
            clips=NO_CLIP,
            window=RecommendationWindow(last_week=last_week),
        )
    assert "stranger" not in str(error.value)


@pytest.fixture(scope="module")
def two_partners(purchases, tmp_path_factory):
    # The second partner's customers all stay until week 18: its own model has nobody to learn churn from.
    loyal = draw_receipts(seed=8, customers=12, leave=0.0)
    weekly = [
        (name, WEEK_ONE + timedelta(days=7 * week), "S1", {1}) for name in {r[0] for r in loyal} for week in range(18)
    ]
    path = write_vault(
        tmp_path_factory.mktemp("loyal") / "purchases.duckdb", sorted(loyal + weekly, key=lambda r: r[1])
    )
    return {"dune": purchases, "elm": load_partner(path, partner="elm", week_one=WEEK_ONE, last_week=30)}


def test_churn_equals_a_fit_from_the_vaults_own_queries(two_partners, vault, consented) -> None:
    weights = np.linspace(-0.4, 0.5, WEIGHTS)
    found = evaluate_churn(
        two_partners,
        consented={"dune": consented, "elm": frozenset(two_partners["elm"].customers)},
        weights=weights,
        training_last_week=12,
        evaluation_last_week=18,
        horizon_weeks=6,
    )
    data = VaultData(path=vault, anchor=WEEK_ONE)

    def cases(cohort, cut):
        activity = data.history(cohort, last_week=cut + 6).basket_weeks
        features = churn_features(activity, data.breadth(cohort, last_week=cut), customers=len(cohort), cut=cut)
        known = eligible(activity, customers=len(cohort), cut=cut)
        return features[known], churn_labels(activity, customers=len(cohort), cut=cut, horizon_weeks=6)[known]

    everybody = sorted(two_partners["dune"].customers)
    features, labels = cases(everybody, 18)
    dune = found.partners["dune"]
    np.testing.assert_array_equal(dune.scores.labels, labels)
    assert 0 < labels.sum() < len(labels) == len(dune.customers)
    for cohort, scores, row in (
        (sorted(consented), dune.scores.own_consented, dune.rows[0]),
        (everybody, dune.scores.own_all, dune.rows[1]),
    ):
        expected = score(fit_locally(*cases(cohort, 12)), features)
        np.testing.assert_allclose(scores, expected)
        assert row.auc.value == pytest.approx(roc_auc_score(labels, expected))
        assert row.auc.customers == len(labels)
    assert dune.rows[2].auc.value == pytest.approx(roc_auc_score(labels, score(weights, features)))


def test_a_partner_that_cannot_fit_is_null_and_not_in_the_difference(two_partners, consented) -> None:
    found = evaluate_churn(
        two_partners,
        consented={"dune": consented, "elm": frozenset(two_partners["elm"].customers)},
        weights=np.linspace(-0.4, 0.5, WEIGHTS),
        training_last_week=12,
        evaluation_last_week=18,
        horizon_weeks=6,
    )
    dune, elm = found.partners["dune"], found.partners["elm"]
    assert [row.auc.value for row in elm.rows[:2]] == [None, None]
    assert elm.rows[2].auc.customers == len(elm.customers) > 0
    assert found.rows[0].auc == dune.rows[0].auc
    assert found.rows[2].auc.customers == len(dune.customers) + len(elm.customers)
    assert found.difference.customers == len(dune.customers)
    assert found.difference.value == pytest.approx(dune.rows[2].auc.value - dune.rows[0].auc.value)
    alone = evaluate_churn(
        {"elm": two_partners["elm"]},
        consented={"elm": frozenset()},
        weights=np.zeros(WEIGHTS),
        training_last_week=12,
        evaluation_last_week=18,
        horizon_weeks=6,
    )
    assert (alone.difference.value, alone.difference.customers) == (None, 0)


@pytest.mark.parametrize(("training", "evaluation", "horizon"), [(12, 17, 6), (12, 25, 6), (0, 18, 6)])
def test_churn_labels_must_be_known_in_time(purchases, training, evaluation, horizon) -> None:
    with pytest.raises(InvalidValueError):
        evaluate_churn(
            {"dune": purchases},
            consented={"dune": frozenset()},
            weights=np.zeros(WEIGHTS),
            training_last_week=training,
            evaluation_last_week=evaluation,
            horizon_weeks=horizon,
        )


def promise(
    events: list[ReleaseEvent],
    *,
    delta: float,
    unit: PrivacyUnit = CustomerAtOnePartner(),  # noqa: B008 - frozen
) -> Guarantee:
    budget = PrivacyBudget(epsilon=3.0, delta=delta)
    return Guarantee.of(events, unit=unit, budget=budget, partners=4, honest_minimum=1)


def test_a_household_under_a_unit_that_spans_the_roster_costs_what_is_stated_at_all_its_partners() -> None:
    events = [ReleaseEvent(squared_sensitivity=2**20, variance_parameter=210 * 2**20, shares=1, size=100)]
    across = promise(events, delta=1e-5, unit=CustomerAcrossTheRoster(partners_at_most=4))
    found = multiple_partners(None, runs={"churn": across}, largest=4)
    assert found[3].epsilon["churn"] == pytest.approx(across.spent_epsilon)
    quarter = [ReleaseEvent(squared_sensitivity=2**16, variance_parameter=210 * 2**20, shares=1, size=100)]
    assert found[0].epsilon["churn"] == pytest.approx(epsilon_of(quarter, delta=1e-5))


def test_a_household_at_several_partners_weighs_as_often_in_one_sum() -> None:
    # Ten rounds of churn and one of popularity, as the vaults record them.
    def event(variance_parameter: int, *, times_the_clip: int = 1) -> ReleaseEvent:
        return ReleaseEvent(
            squared_sensitivity=times_the_clip**2 * 2**20, variance_parameter=variance_parameter, shares=1, size=100
        )

    churn, popularity = [event(210 * 2**20)] * 10, [event(2 * 2**20 + 3)]
    runs = {"churn": promise(churn, delta=1e-5), "popularity": promise(popularity, delta=1e-6)}
    found = multiple_partners({1: 70, 3: 5}, runs=runs, largest=4)
    assert [row.partners for row in found] == [1, 2, 3, 4]
    assert [row.households for row in found] == [70, 0, 5, 0]
    for row in found:
        weighing = [event(210 * 2**20, times_the_clip=row.partners)] * 10
        assert row.epsilon["churn"] == pytest.approx(epsilon_of(weighing, delta=1e-5))
        once = [event(2 * 2**20 + 3, times_the_clip=row.partners)]
        assert row.epsilon["popularity"] == pytest.approx(epsilon_of(once, delta=1e-6))
        # More than k releases with noise of their own would cost.
        assert row.epsilon["churn"] >= epsilon_of(churn * row.partners, delta=1e-5) * (1 - 1e-9)
    assert found[3].epsilon["popularity"] > epsilon_of(popularity * 4, delta=1e-6)


def test_households_may_be_unknown_but_not_beyond_the_table() -> None:
    found = multiple_partners(None, runs={}, largest=2)
    assert [row.households for row in found] == [None, None]
    with pytest.raises(InvalidValueError):
        multiple_partners({3: 1}, runs={}, largest=2)
    with pytest.raises(InvalidValueError):
        multiple_partners({1: -1}, runs={}, largest=2)
