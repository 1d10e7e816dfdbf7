"""What customers did, added up inside the database, against a slow recount of the export's raw lines."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_shop import COLUMNS, EXPORT, STORES, TODAY, Shop, write_catalogue, write_stores

from hanse_client.data.errors import DataUnreadableError
from hanse_client.data.ingest import DATABASE_NAME, ingest
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.data.queries import VaultData
from hanse_client.data.question_rows import source_of
from hanse_models.questions import CustomerAmounts
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.question_steps import CountQuestion, Grouping, Measure

KEY = PseudonymKey(key_id="test", secret=bytes(range(32)))
WEEK_ONE = date(2024, 12, 30)
FIRST_WEEK, LAST_WEEK = 3, 6
ITEMS = [
    ("Milk", "dairy", "no"),
    ("Cheese", "dairy", "no"),
    ("Bread", "bread", "no"),
    ("Apples", "fruit", "no"),
    # One sensitive item in a category of its own, one in a category that others are in, too.
    ("Painkillers", "pharmacy", "yes"),
    ("Lactose-free milk", "dairy", "yes"),
]
CATEGORY_OF = {f"p{place}": category for place, (_, category, sensitive) in enumerate(ITEMS) if sensitive == "no"}
OUTSIDE, UNKNOWN = "p6", "p9"
PRODUCTS = (*(f"p{place}" for place in range(len(ITEMS))), OUTSIDE, UNKNOWN)
# Store 4 is in no group; nobody buys in store 9.
GROUP_OF = {"1": "city", "2": "village", "3": "city", "9": "airport"}
GROUPS = {
    None: (),
    Grouping.WEEK: (),
    # "bread" and "city", or "village", are left out of some questions.
    Grouping.CATEGORY: ("fruit", "dairy"),
    Grouping.STORE_GROUP: ("village", "airport", "city"),
}
CUSTOMERS = ("a", "b", "c", "d", "e")
# A till that knows no discounts.
CONTRACT = (
    EXPORT.replace('discount = { column = "saved" }\n', "")
    + """
[limits]
maximum_quantity = 100
maximum_value = 500
earliest = 2025-01-01
latest = 2025-03-01
minimum_customers = 1
unknown_product_share = 1.0
duplicate_line_share = 1.0
"""
)


@dataclass(frozen=True)
class Line:
    """One line of the export."""

    customer: str
    day: date
    store: str
    receipt: str
    product: str
    quantity: Decimal
    value: Decimal

    @property
    def basket(self) -> tuple[object, ...]:
        """A receipt number is used again by other stores, on other days and for other customers."""
        return (self.customer, self.day, self.store, self.receipt)

    @property
    def week(self) -> int:
        return (self.day - WEEK_ONE).days // 7 + 1

    def spelled(self) -> list[str]:
        return [
            *(self.customer, f"{self.day} 23:59:59", self.store, self.receipt, self.product),
            *(str(self.quantity), str(self.value)),
        ]


def read_in(folder: Path, lines: Sequence[Line], *, contract: str = CONTRACT + STORES) -> VaultData:
    """Write an export and read it into a vault's database."""
    vault = folder / "vault"
    vault.mkdir(parents=True)
    shop = Shop(
        folder,
        contract_text=contract,
        columns=COLUMNS[:-1],
        lines=[line.spelled() for line in lines],
        items=[[f"p{place}", f"G{place}"] for place in range(7)],
    )
    write_stores(shop, GROUP_OF.items())
    catalogue = write_catalogue(folder / "catalogue", ITEMS, {f"G{place}": place for place in range(len(ITEMS))})
    ingest(shop.contract(), catalogue, KEY, vault=vault, today=TODAY)
    return VaultData(path=vault / DATABASE_NAME, anchor=WEEK_ONE)


def drawn(seed: int, *, lines: int = 150) -> list[Line]:
    """An export in which everything that can repeat repeats."""
    chance = random.Random(seed)
    first, last = WEEK_ONE + timedelta(weeks=FIRST_WEEK - 1), WEEK_ONE + timedelta(weeks=LAST_WEEK, days=-1)
    at_the_ends = [first - timedelta(days=1), first, last, last + timedelta(days=1)]
    days = [*at_the_ends, *(first + timedelta(days=offset) for offset in (3, 8, 20)), date(2025, 2, 27)]
    return [
        Line(
            customer=chance.choice(("", *CUSTOMERS)),
            day=chance.choice(days),
            store=chance.choice("1234"),
            receipt=chance.choice("12"),
            product=chance.choice(PRODUCTS),
            quantity=Decimal(chance.choice((0, 1000, 2000, chance.randrange(5000)))) / 1000,
            value=Decimal(chance.choice((0, 10, 20, chance.randrange(50_000)))) / 100,
        )
        for _ in range(lines)
    ]


def question(
    measure: Measure, by: Grouping | None = None, groups: Sequence[str] | None = None, **changes: Any
) -> CountQuestion:
    one = {"clip": 1.0, "share": 0.1}
    is_customers = measure is Measure.CUSTOMERS
    return CountQuestion.model_validate(
        {
            "purpose": "league-questions",
            "tier": "basic",
            "noise_multiplier": 20.0,
            "measure": measure,
            "first_week": FIRST_WEEK,
            "last_week": LAST_WEEK,
            "by": by,
            "groups": GROUPS[by] if groups is None else tuple(groups),
            "answer": {"clip": 1000.0, "share": 0.8},
            "customers": None if is_customers else one,
            "over": None if is_customers else one,
        }
        | changes
    )


def recounted(lines: Sequence[Line], cohort: Sequence[str], asked: CountQuestion) -> dict[tuple[int, int], float]:
    """The same question, answered line by line."""
    money, pieces = defaultdict(Decimal), defaultdict(Decimal)
    baskets = defaultdict(set)
    for line in lines:
        if line.customer not in cohort or not asked.first_week <= line.week <= asked.last_week:
            continue
        # Items are asked about: what the catalogue does not know, or what is sensitive, is in no answer.
        of_items = asked.by is Grouping.CATEGORY or asked.measure is Measure.QUANTITY
        if of_items and line.product not in CATEGORY_OF:
            continue
        names = {
            None: "all",
            Grouping.WEEK: f"week {line.week}",
            Grouping.CATEGORY: CATEGORY_OF.get(line.product),
            Grouping.STORE_GROUP: GROUP_OF.get(line.store),
        }
        name = names[asked.by]
        if name not in asked.group_names:
            continue
        cell = (cohort.index(line.customer), asked.group_names.index(name))
        baskets[cell].add(line.basket)
        money[cell] += line.value
        pieces[cell] += line.quantity
    amounts = {
        Measure.CUSTOMERS: dict.fromkeys(baskets, 1.0),
        Measure.BASKETS: {cell: float(len(found)) for cell, found in baskets.items()},
        Measure.SPEND: {cell: float(amount) for cell, amount in money.items()},
        Measure.QUANTITY: {cell: float(amount) for cell, amount in pieces.items()},
    }
    return amounts[asked.measure]


def cells(amounts: CustomerAmounts) -> dict[tuple[int, int], float]:
    places = zip(amounts.customer.tolist(), amounts.group.tolist(), strict=True)
    return dict(zip(places, amounts.amount.tolist(), strict=True))


EVERY_QUESTION = [(measure, by) for measure in Measure for by in (None, *Grouping)]


LinesAndData = tuple[list[Line], VaultData]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[LinesAndData, ...]:
    folder = tmp_path_factory.mktemp("shops")
    exports = [(seed, drawn(seed)) for seed in (1, 2)]
    return tuple((lines, read_in(folder / str(seed), lines)) for seed, lines in exports)


@pytest.fixture
def shop(shops: tuple[LinesAndData, ...]) -> LinesAndData:
    return shops[0]


@pytest.mark.parametrize(("measure", "by"), EVERY_QUESTION)
def test_every_measure_by_every_grouping_is_what_a_recount_of_the_lines_gives(
    shops: tuple[LinesAndData, ...], measure: Measure, by: Grouping | None
) -> None:
    # In no order of theirs, with one who never bought; "e" has rows, and is not asked about.
    cohort = ["d", "stranger", "a", "c", "b"]
    asked = question(measure, by)
    for lines, data in shops:
        found = data.amounts(KEY.pseudonyms(cohort), asked)
        assert (found.customers, found.groups) == (5, len(asked.group_names))
        # Equal to the last bit: sums of decimals are exact.
        assert cells(found) == recounted(lines, cohort, asked) != {}
        assert found.bought.tolist()[1] == 0.0


@pytest.mark.parametrize(("first", "last"), [(1, 9), (FIRST_WEEK, FIRST_WEEK), (LAST_WEEK, LAST_WEEK), (900, 1000)])
def test_weeks_count_at_both_ends(shop: LinesAndData, first: int, last: int) -> None:
    lines, data = shop
    cohort = list(CUSTOMERS)
    for measure, by in ((Measure.SPEND, None), (Measure.QUANTITY, Grouping.WEEK)):
        asked = question(measure, by, first_week=first, last_week=last)
        assert cells(data.amounts(KEY.pseudonyms(cohort), asked)) == recounted(lines, cohort, asked)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (Grouping.CATEGORY, ["bread"]),
        (Grouping.CATEGORY, ["dairy", "bread", "fruit"]),
        (Grouping.CATEGORY, ["pharmacy", "bread", "no such thing"]),
        (Grouping.STORE_GROUP, ["city"]),
        (Grouping.STORE_GROUP, ["airport", "no such thing"]),
    ],
)
def test_only_what_is_in_a_named_group_counts(shop: LinesAndData, by: Grouping, groups: list[str]) -> None:
    lines, data = shop
    cohort = list(CUSTOMERS)
    for measure in (Measure.BASKETS, Measure.SPEND):
        asked = question(measure, by, groups)
        assert cells(data.amounts(KEY.pseudonyms(cohort), asked)) == recounted(lines, cohort, asked)


def test_a_cohort_of_nobody_and_a_cohort_of_strangers_have_no_rows(shop: LinesAndData) -> None:
    _, data = shop
    for cohort in ([], ["nobody", "nobody else"]):
        for by in (None, *Grouping):
            found = data.amounts(KEY.pseudonyms(cohort), question(Measure.SPEND, by))
            assert (found.customers, cells(found)) == (len(cohort), {})


def test_a_customer_named_twice_is_refused(shop: LinesAndData) -> None:
    _, data = shop
    (one,) = KEY.pseudonyms(["a"])
    with pytest.raises(InvalidValueError, match="repeated"):
        data.amounts([one, one], question(Measure.SPEND))


def test_a_customers_amounts_are_the_same_to_the_last_bit_whoever_else_is_there(
    tmp_path: Path,
) -> None:
    # Prices of which no sum of binary fractions is exact, in an order of lines that others change.
    lines = [line for line in drawn(7, lines=400) if line.customer]
    only = read_in(tmp_path / "only", [line for line in lines if line.customer == "c"])
    random.Random(1).shuffle(lines)
    everybody = read_in(tmp_path / "everybody", lines)
    (alone,) = cohort = KEY.pseudonyms(["c"])
    others = KEY.pseudonyms(["d", "a", "c", "e"])
    for measure, by in (
        (Measure.SPEND, None),
        (Measure.SPEND, Grouping.STORE_GROUP),
        (Measure.QUANTITY, Grouping.CATEGORY),
        (Measure.BASKETS, Grouping.WEEK),
    ):
        asked = question(measure, by)
        expected = [(group, amount.hex()) for (_, group), amount in cells(only.amounts(cohort, asked)).items()]
        assert expected
        for data, members in ((only, others), (everybody, cohort), (everybody, others)):
            found = cells(data.amounts(members, asked)).items()
            place = members.index(alone)
            assert [(group, amount.hex()) for (number, group), amount in found if number == place] == expected


def test_a_receipt_number_that_another_store_uses_is_another_basket(tmp_path: Path) -> None:
    day, one, paid = WEEK_ONE + timedelta(weeks=FIRST_WEEK), Decimal(1), Decimal("0.10")
    lines = [
        Line("a", day, "1", "77", "p0", one, paid),
        Line("a", day, "1", "77", "p0", one, paid),
        Line("a", day, "1", "77", "p3", one, paid),
        Line("a", day, "2", "77", "p0", one, paid),
        Line("a", day + timedelta(days=1), "1", "77", "p0", one, paid),
        Line("b", day, "1", "77", "p0", one, paid),
        # Nothing that the catalogue knows: a basket, and in no category.
        Line("a", day, "3", "78", OUTSIDE, one, paid),
        Line("a", day, "3", "79", "p5", one, paid),
    ]
    data = read_in(tmp_path / "shop", lines)
    cohort = KEY.pseudonyms(["a", "b"])

    def found(*asked: Any) -> dict[tuple[int, int], float]:
        return cells(data.amounts(cohort, question(*asked)))

    assert found(Measure.BASKETS) == {(0, 0): 5.0, (1, 0): 1.0}
    assert found(Measure.BASKETS, Grouping.CATEGORY, ["dairy", "fruit"]) == {(0, 0): 3.0, (0, 1): 1.0, (1, 0): 1.0}
    assert found(Measure.BASKETS, Grouping.STORE_GROUP, ["city", "village"]) == {(0, 0): 4.0, (0, 1): 1.0, (1, 0): 1.0}
    assert found(Measure.SPEND) == {(0, 0): 0.7, (1, 0): 0.1}
    assert found(Measure.QUANTITY) == {(0, 0): 5.0, (1, 0): 1.0}


def test_what_cost_nothing_was_bought_all_the_same(tmp_path: Path) -> None:
    free = Line("a", WEEK_ONE + timedelta(weeks=FIRST_WEEK), "1", "1", "p0", Decimal(0), Decimal(0))
    data = read_in(tmp_path / "shop", [free, Line("b", date(2025, 1, 1), "1", "1", "p0", Decimal(1), Decimal(1))])
    for measure, amount in ((Measure.SPEND, 0.0), (Measure.QUANTITY, 0.0), (Measure.CUSTOMERS, 1.0)):
        found = data.amounts(KEY.pseudonyms(["a", "b"]), question(measure))
        assert cells(found) == {(0, 0): amount}
        assert found.bought.tolist() == [1.0, 0.0]


def test_a_vault_knows_the_catalogues_usable_categories_and_its_lists_store_groups(
    shop: LinesAndData,
) -> None:
    _, data = shop
    assert data.groups(Grouping.CATEGORY) == {"dairy", "bread", "fruit"}
    # The airport's, too, where nobody bought: what a vault knows is nothing that customers did.
    assert data.groups(Grouping.STORE_GROUP) == {"city", "village", "airport"}


def test_without_a_list_of_stores_there_is_no_group_and_no_row_by_it(tmp_path: Path) -> None:
    lines = drawn(3)
    data = read_in(tmp_path / "shop", lines, contract=CONTRACT)
    assert data.groups(Grouping.STORE_GROUP) == frozenset()
    cohort = list(CUSTOMERS)
    for measure in (Measure.SPEND, Measure.QUANTITY):
        assert cells(data.amounts(KEY.pseudonyms(cohort), question(measure, Grouping.STORE_GROUP))) == {}
        asked = question(measure, Grouping.CATEGORY)
        assert cells(data.amounts(KEY.pseudonyms(cohort), asked)) == recounted(lines, cohort, asked)


def test_without_a_database_there_is_no_answer(tmp_path: Path) -> None:
    data = VaultData(path=tmp_path / DATABASE_NAME, anchor=WEEK_ONE)
    with pytest.raises(DataUnreadableError):
        data.amounts([], question(Measure.SPEND))
    with pytest.raises(DataUnreadableError):
        data.groups(Grouping.CATEGORY)


@pytest.mark.parametrize(("measure", "by"), EVERY_QUESTION)
def test_a_question_about_items_reads_lines_and_every_other_one_receipts(measure: Measure, by: Grouping | None) -> None:
    expected = "purchase" if by is Grouping.CATEGORY or measure is Measure.QUANTITY else "basket"
    assert source_of(question(measure, by)) == expected
