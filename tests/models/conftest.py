"""Tiny histories, drawn or written by hand, for the tests of what is learnt from purchases."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from hanse_models.purchases import BasketWeeks, ItemWeeks, PurchaseHistory

Lines = Mapping[tuple[int, int, int], tuple[int, ...]]
"""(customer, week, number of the basket in that week) to the distinct items in it."""


def _history(lines: Lines, customers: int, items: int) -> PurchaseHistory:
    bought: dict[tuple[int, int, int], int] = {}
    visited: dict[tuple[int, int], int] = {}
    for (customer, week, _), basket in lines.items():
        visited[customer, week] = visited.get((customer, week), 0) + 1
        for item in basket:
            bought[customer, item, week] = bought.get((customer, item, week), 0) + 1
    item_keys = np.array(list(bought), dtype=np.int64).reshape(-1, 3)
    basket_keys = np.array(list(visited), dtype=np.int64).reshape(-1, 2)
    return PurchaseHistory(
        customers=customers,
        items=items,
        item_weeks=ItemWeeks(
            customer=item_keys[:, 0],
            item=item_keys[:, 1],
            week=item_keys[:, 2],
            baskets=np.array(list(bought.values()), dtype=np.int64),
        ),
        basket_weeks=BasketWeeks(
            customer=basket_keys[:, 0],
            week=basket_keys[:, 1],
            baskets=np.array(list(visited.values()), dtype=np.int64),
            value=np.ones(len(visited)),
            discount=np.zeros(len(visited)),
        ),
    )


@pytest.fixture(scope="session")
def make_history() -> Callable[[Lines, int, int], PurchaseHistory]:
    """A history from baskets, counted with dictionaries."""
    return _history
