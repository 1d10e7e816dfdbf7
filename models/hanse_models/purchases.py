"""A shop's purchases as the models take them: added up by customer, item and week.

Customers are rows 0 to ``customers - 1`` (whoever calls keeps the list of pseudonyms in that order);
items are places in the league's public catalogue; weeks are counted from the first day of week 1:
week = floor((day - week one) / 7 days) + 1. Rows may come in any order, each key once. Arrays are taken
as read-only views; integers may come in any integer type and are narrowed only if every value fits.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array, sum_into_matrix
from hanse_privacy.validation import require, require_at_least

_LAST_WEEK = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemWeeks:
    """In how many of a customer's baskets of a week an item occurs; one row per customer, item and week.

    Args:
        customer: int32[n], row of the customer.
        item: int32[n], place of the item in the catalogue.
        week: int16[n], from 1.
        baskets: int32[n], from 1: distinct baskets that hold the item, however many pieces.

    Raises:
        InvalidValueError: If lengths differ, a value is out of range, or a key occurs twice.
    """

    customer: NDArray[np.int32]
    item: NDArray[np.int32]
    week: NDArray[np.int16]
    baskets: NDArray[np.int32]

    def __post_init__(self) -> None:
        rows = _length(self.customer, "customer")
        _store(self, "customer", _integers(self.customer, np.int32, name="customer", rows=rows, lowest=0))
        _store(self, "item", _integers(self.item, np.int32, name="item", rows=rows, lowest=0))
        _store(self, "week", _weeks(self.week, rows=rows))
        _store(self, "baskets", _integers(self.baskets, np.int32, name="baskets", rows=rows, lowest=1))
        items = int(self.item.max(initial=0)) + 1
        _require_unique(_key(self.customer, self.week) * items + self.item, what="customer, item and week")

    def until(self, week: int) -> Self:
        """Return the rows of weeks up to and including ``week``."""
        keep = self.week <= week
        if keep.all():
            return self
        return replace(
            self,
            customer=self.customer[keep],
            item=self.item[keep],
            week=self.week[keep],
            baskets=self.baskets[keep],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BasketWeeks:
    """A customer's shopping of a week; one row per customer and week with at least one basket.

    Args:
        customer: int32[n], row of the customer.
        week: int16[n], from 1.
        baskets: int32[n], from 1.
        value: float64[n], money spent, 0 or more (a partner nets its returns before).
        discount: float64[n], money saved, 0 or more.

    Raises:
        InvalidValueError: If lengths differ, a value is out of range, or a key occurs twice.
    """

    customer: NDArray[np.int32]
    week: NDArray[np.int16]
    baskets: NDArray[np.int32]
    value: NDArray[np.float64]
    discount: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = _length(self.customer, "customer")
        _store(self, "customer", _integers(self.customer, np.int32, name="customer", rows=rows, lowest=0))
        _store(self, "week", _weeks(self.week, rows=rows))
        _store(self, "baskets", _integers(self.baskets, np.int32, name="baskets", rows=rows, lowest=1))
        _store(self, "value", _amounts(self.value, name="value", rows=rows))
        _store(self, "discount", _amounts(self.discount, name="discount", rows=rows))
        _require_unique(_key(self.customer, self.week), what="customer and week")

    def until(self, week: int) -> Self:
        """Return the rows of weeks up to and including ``week``."""
        keep = self.week <= week
        if keep.all():
            return self
        return replace(
            self,
            customer=self.customer[keep],
            week=self.week[keep],
            baskets=self.baskets[keep],
            value=self.value[keep],
            discount=self.discount[keep],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Breadth:
    """How widely each customer shopped up to a cut; one place per customer.

    Args:
        stores: int32[customers], distinct stores visited.
        items: int32[customers], distinct items bought.
    """

    stores: NDArray[np.int32]
    items: NDArray[np.int32]

    def __post_init__(self) -> None:
        rows = _length(self.stores, "stores")
        _store(self, "stores", _integers(self.stores, np.int32, name="stores", rows=rows, lowest=0))
        _store(self, "items", _integers(self.items, np.int32, name="items", rows=rows, lowest=0))


@dataclass(frozen=True, kw_only=True, eq=False)
class PurchaseHistory:
    """All that the recommender knows of one shop's customers.

    Args:
        customers: Number of customers; some may have no purchase.
        items: Number of items in the league's catalogue.
        item_weeks: What was bought.
        basket_weeks: How often, and for how much.

    Raises:
        InvalidValueError: If a row names a customer or item beyond these numbers, or an item occurs in more
            baskets of a week than the customer had.
    """

    customers: int
    items: int
    item_weeks: ItemWeeks
    basket_weeks: BasketWeeks

    def __post_init__(self) -> None:
        require_at_least(0, customers=self.customers)
        require_at_least(1, items=self.items)
        require_known_customers(self.item_weeks.customer, customers=self.customers)
        require_known_customers(self.basket_weeks.customer, customers=self.customers)
        highest = int(self.item_weeks.item.max(initial=-1))
        require(
            highest < self.items,
            name="item_weeks.item",
            value=highest,
            bound=f"below the number of items, {self.items}",
        )
        self._require_baskets_around_items()

    def _require_baskets_around_items(self) -> None:
        basket_keys = _key(self.basket_weeks.customer, self.basket_weeks.week)
        order = np.argsort(basket_keys)
        # A last key above all others lets every look-up end inside the array.
        sorted_keys = np.append(basket_keys[order], np.iinfo(np.int64).max)
        sorted_baskets = np.append(self.basket_weeks.baskets[order], 0)
        item_keys = _key(self.item_weeks.customer, self.item_weeks.week)
        place = np.searchsorted(sorted_keys, item_keys)
        available = np.where(sorted_keys[place] == item_keys, sorted_baskets[place], 0)
        too_many = int(np.count_nonzero(self.item_weeks.baskets > available))
        require(
            too_many == 0,
            name="item_weeks.baskets",
            value=f"too high in {too_many} rows",
            bound="at most the baskets of the same customer and week in basket_weeks",
        )

    def until(self, week: int) -> Self:
        """Return the history of weeks up to and including ``week``, over the same customers and items."""
        return replace(self, item_weeks=self.item_weeks.until(week), basket_weeks=self.basket_weeks.until(week))


def items_bought(history: PurchaseHistory, *, first_week: int, last_week: int) -> csr_array:
    """Return which items each customer bought in the weeks from ``first_week`` to ``last_week``, both included.

    Returns:
        Sparse float64[customers, items], every stored entry 1.
    """
    rows = history.item_weeks
    keep = (rows.week >= first_week) & (rows.week <= last_week)
    bought = sum_into_matrix(
        rows.customer[keep],
        rows.item[keep],
        np.ones(int(np.count_nonzero(keep))),
        shape=(history.customers, history.items),
    )
    bought.data[:] = 1.0
    return bought


def require_known_customers(customer: NDArray[np.int32], *, customers: int) -> None:
    """Require every row's customer to be one of the first ``customers``."""
    highest = int(customer.max(initial=-1))
    require(
        highest < customers,
        name="customer",
        value=highest,
        bound=f"below the number of customers, {customers}",
    )


def _length(values: NDArray[Any], name: str) -> int:
    require(
        isinstance(values, np.ndarray) and values.ndim == 1,
        name=name,
        value=type(values).__name__,
        bound="a NumPy array of one dimension",
    )
    return len(values)


def _store(target: object, name: str, values: NDArray[Any]) -> None:
    view = values.view()
    view.flags.writeable = False
    object.__setattr__(target, name, view)


def _integers(
    values: NDArray[Any],
    dtype: type[np.signedinteger[Any]],
    *,
    name: str,
    rows: int,
    lowest: int,
    highest: int | None = None,
) -> NDArray[Any]:
    require(
        _length(values, name) == rows,
        name=f"{name}'s length",
        value=len(values),
        bound=f"{rows}, as the first column's",
    )
    require(values.dtype.kind in "iu", name=f"{name}'s type", value=str(values.dtype), bound="an integer type")
    limit = int(np.iinfo(dtype).max) if highest is None else highest
    bound = f"from {lowest} to {limit}"
    require(int(values.min(initial=lowest)) >= lowest, name=name, value=int(values.min(initial=lowest)), bound=bound)
    require(int(values.max(initial=lowest)) <= limit, name=name, value=int(values.max(initial=lowest)), bound=bound)
    return values.astype(dtype, copy=False)


def _weeks(values: NDArray[Any], *, rows: int) -> NDArray[Any]:
    return _integers(values, np.int16, name="week", rows=rows, lowest=1, highest=_LAST_WEEK)


def _amounts(values: NDArray[Any], *, name: str, rows: int) -> NDArray[np.float64]:
    require(
        _length(values, name) == rows,
        name=f"{name}'s length",
        value=len(values),
        bound=f"{rows}, as the first column's",
    )
    require(values.dtype.kind in "iuf", name=f"{name}'s type", value=str(values.dtype), bound="a number type")
    bad = int(np.count_nonzero(~np.isfinite(values) | (values < 0)))
    require(bad == 0, name=name, value=f"negative, infinite or missing in {bad} rows", bound="finite and 0 or more")
    return values.astype(np.float64, copy=False)


def _key(customer: NDArray[np.int32], week: NDArray[np.int16]) -> NDArray[np.int64]:
    return customer.astype(np.int64) * (_LAST_WEEK + 1) + week


def _require_unique(keys: NDArray[np.int64], *, what: str) -> None:
    # In order, as the vault delivers them, one comparison suffices; a million keys are slow to sort.
    in_order = bool((np.diff(keys) > 0).all())
    repeated = 0 if in_order else len(keys) - len(np.unique(keys))
    require(repeated == 0, name="rows", value=f"{repeated} repeated", bound=f"one per {what}")
