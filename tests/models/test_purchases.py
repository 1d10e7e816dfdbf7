from dataclasses import replace

import numpy as np
import pytest

from hanse_models.purchases import BasketWeeks, Breadth, ItemWeeks, items_bought
from hanse_privacy.errors import InvalidValueError

LINES = {(0, 1, 0): (2, 3), (0, 1, 1): (2,), (0, 4, 0): (1,), (1, 2, 0): (0, 3)}


@pytest.fixture
def history(make_history):
    return make_history(LINES, 3, 4)


def test_columns_are_narrowed_and_read_only(history) -> None:
    assert history.item_weeks.customer.dtype == np.int32
    assert history.item_weeks.week.dtype == np.int16
    assert history.basket_weeks.value.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        history.item_weeks.item[0] = 1


def test_a_callers_array_stays_writeable() -> None:
    stores = np.array([1, 2], dtype=np.int32)
    Breadth(stores=stores, items=stores)
    stores[0] = 5


def test_until_keeps_the_weeks_up_to_and_including(history) -> None:
    past = history.until(2)
    assert sorted(set(past.item_weeks.week)) == [1, 2]
    assert sorted(set(past.basket_weeks.week)) == [1, 2]
    assert (past.customers, past.items) == (3, 4)
    assert len(history.until(0).item_weeks.item) == 0
    assert len(history.until(4).item_weeks.item) == len(history.item_weeks.item)


def test_items_bought_counts_both_ends_of_the_window(history) -> None:
    assert items_bought(history, first_week=2, last_week=4).toarray().tolist() == [
        [0, 1, 0, 0],
        [1, 0, 0, 1],
        [0, 0, 0, 0],
    ]
    assert items_bought(history, first_week=1, last_week=1).toarray()[0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("customer", np.array([0, -1]), "customer is -1"),
        ("item", np.array([0, 2**31]), "item is 2147483648"),
        ("week", np.array([0, 1]), "week is 0"),
        ("week", np.array([1, 10_001]), "from 1 to 10000"),
        ("baskets", np.array([0, 1]), "baskets is 0"),
        ("baskets", np.array([1.0, 1.0]), "an integer type"),
        ("item", np.array([1, 2, 3]), "item's length is 3"),
        ("item", np.array([[1, 2]]), "one dimension"),
        ("item", [1, 2], "a NumPy array"),
    ],
)
def test_a_bad_column_is_named_with_its_bound(column, values, message) -> None:
    good = ItemWeeks(customer=np.array([0, 1]), item=np.array([0, 1]), week=np.array([1, 1]), baskets=np.array([1, 1]))
    with pytest.raises(InvalidValueError, match=message):
        replace(good, **{column: values})


@pytest.mark.parametrize("value", [-0.01, np.nan, np.inf])
def test_amounts_are_finite_and_not_negative(value) -> None:
    with pytest.raises(InvalidValueError, match="in 1 rows"):
        BasketWeeks(
            customer=np.array([0]),
            week=np.array([1]),
            baskets=np.array([1]),
            value=np.array([value]),
            discount=np.array([0.0]),
        )


def test_a_repeated_key_is_refused() -> None:
    twice = np.array([1, 1])
    with pytest.raises(InvalidValueError, match="one per customer, item and week"):
        ItemWeeks(customer=twice, item=twice, week=twice, baskets=twice)
    with pytest.raises(InvalidValueError, match="one per customer and week"):
        BasketWeeks(customer=twice, week=twice, baskets=twice, value=twice, discount=twice)


def test_rows_beyond_the_shop_are_refused(history) -> None:
    with pytest.raises(InvalidValueError, match="number of items, 3"):
        replace(history, items=3)
    with pytest.raises(InvalidValueError, match="number of customers, 1"):
        replace(history, customers=1)


def test_an_item_needs_a_basket_around_it(history) -> None:
    more = replace(history.item_weeks, baskets=history.item_weeks.baskets + 1)
    with pytest.raises(InvalidValueError, match="too high in 4 rows"):
        replace(history, item_weeks=more)
    with pytest.raises(InvalidValueError, match="too high in 1 rows"):
        replace(history, basket_weeks=history.basket_weeks.until(2))


def test_a_shop_with_no_customer_is_a_shop(make_history) -> None:
    empty = make_history({}, 0, 5)
    assert items_bought(empty, first_week=1, last_week=9).shape == (0, 5)
