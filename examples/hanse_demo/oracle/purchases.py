"""Everything that one partner's vault holds, as the oracle reads it: every customer, basket by basket."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from hanse_client.data.queries import VaultData
from hanse_models.matrices import csr_array, sum_into_matrix
from hanse_models.purchases import BasketWeeks, Breadth, ItemWeeks, PurchaseHistory, items_bought
from hanse_privacy.validation import require, require_at_least


@dataclass(frozen=True, kw_only=True, eq=False)
class Baskets:
    """A partner's receipts, customer by customer, the oldest of a customer first.

    Receipts of one day come in the vault's own order: it keeps no time of day.

    Args:
        customer: int64[baskets], row of the customer.
        week: int64[baskets], from 1.
        store: int64[baskets], a number per store.
        items: Sparse float64[baskets, items], 1 for each item of the catalogue in the basket.
    """

    customer: NDArray[np.int64]
    week: NDArray[np.int64]
    store: NDArray[np.int64]
    items: csr_array


@dataclass(frozen=True, kw_only=True, eq=False)
class PartnerPurchases:
    """One partner's customers and all that they bought in weeks 1 to ``last_week``.

    Args:
        partner: The partner's name.
        customers: Every pseudonym that the vault knows, sorted; rows follow this order.
        last_week: The last week that was read.
        history: The purchases as a run reads them.
        baskets: The same purchases, basket by basket.
    """

    partner: str
    customers: tuple[str, ...]
    last_week: int
    history: PurchaseHistory
    baskets: Baskets

    def members(self, pseudonyms: frozenset[str]) -> NDArray[np.bool_]:
        """Return who is among ``pseudonyms``, bool[customers].

        Raises:
            InvalidValueError: If the partner does not know one of them.
        """
        unknown = len(pseudonyms.difference(self.customers))
        require(unknown == 0, name="customers", value=f"{unknown} unknown to {self.partner}", bound="the partner's own")
        return np.array([customer in pseudonyms for customer in self.customers], dtype=np.bool_)

    def breadth(self, *, last_week: int) -> Breadth:
        """Return each customer's distinct stores and items in weeks 1 to ``last_week``."""
        past = self.baskets.week <= last_week
        stores = int(self.baskets.store.max(initial=0)) + 1
        visits = np.unique(self.baskets.customer[past] * stores + self.baskets.store[past])
        items = items_bought(self.history, first_week=1, last_week=last_week)
        return Breadth(
            stores=np.bincount(visits // stores, minlength=len(self.customers)).astype(np.int32),
            items=np.diff(items.indptr),
        )

    def last_baskets(self, count: int, *, last_week: int) -> PurchaseHistory:
        """Return the history that shows only each customer's last ``count`` baskets up to ``last_week``.

        Money is left out (0 throughout): no recommender looks at it.
        """
        require_at_least(0, count=count)
        baskets, customers = self.baskets, len(self.customers)
        kept = np.flatnonzero(baskets.week <= last_week)
        # Rows are sorted by customer: a basket's rank from the end is its distance to the customer's last one.
        end = np.searchsorted(baskets.customer[kept], baskets.customer[kept], side="right")
        kept = kept[end - np.arange(len(kept)) <= count]
        weeks = self.last_week + 1
        keys, basket_of = np.unique(baskets.customer[kept] * weeks + baskets.week[kept], return_inverse=True)
        # One row per customer and week, counting in how many of its baskets each item is.
        gather = sum_into_matrix(
            basket_of.astype(np.int32),
            np.arange(len(kept), dtype=np.int32),
            np.ones(len(kept)),
            shape=(len(keys), len(kept)),
        )
        bought = (gather @ baskets.items[kept]).tocoo()
        return PurchaseHistory(
            customers=customers,
            items=self.history.items,
            item_weeks=ItemWeeks(
                customer=(keys // weeks)[bought.row],
                item=bought.col,
                week=(keys % weeks)[bought.row],
                baskets=bought.data.astype(np.int32),
            ),
            basket_weeks=BasketWeeks(
                customer=keys // weeks,
                week=keys % weeks,
                baskets=np.bincount(basket_of, minlength=len(keys)).astype(np.int32),
                value=np.zeros(len(keys)),
                discount=np.zeros(len(keys)),
            ),
        )


def load_partner(path_to_purchases_duckdb: Path, *, partner: str, week_one: date, last_week: int) -> PartnerPurchases:
    """Read every customer of a vault database, consent or not: what only a demo's harness may do.

    Args:
        path_to_purchases_duckdb: The vault's ``purchases.duckdb``.
        partner: The partner's name.
        week_one: First day of league week 1, as in the league's settings.
        last_week: The last week to read, targets and labels included.

    Raises:
        DataUnreadableError: If the database cannot be read.
    """
    require_at_least(1, last_week=last_week)
    vault = VaultData(path=path_to_purchases_duckdb, anchor=week_one)
    customers = vault.customers()
    history = vault.history(customers, last_week=last_week)
    return PartnerPurchases(
        partner=partner,
        customers=customers,
        last_week=last_week,
        history=history,
        baskets=_read_baskets(path_to_purchases_duckdb, week_one=week_one, last_week=last_week, items=history.items),
    )


def _read_baskets(path: Path, *, week_one: date, last_week: int, items: int) -> Baskets:
    connection = duckdb.connect(path, read_only=True)
    try:
        # A temporary table lies in the engine's memory: the vault's file stays as it is.
        connection.execute(
            """
            CREATE TEMPORARY TABLE placed AS
            SELECT *, row_number() OVER (ORDER BY number, day, basket) - 1 AS place
            FROM (
                SELECT basket, day, number, date_diff('day', ?, day) // 7 + 1 AS week,
                       dense_rank() OVER (ORDER BY store) - 1 AS store_number
                FROM basket
                JOIN (SELECT customer, row_number() OVER (ORDER BY customer) - 1 AS number FROM customer)
                USING (customer)
                WHERE day >= ?
            )
            WHERE week <= ?
            """,
            [week_one, week_one, last_week],
        )
        placed = _columns(connection, "SELECT number, week, store_number FROM placed ORDER BY place")
        lines = _columns(connection, "SELECT DISTINCT place, item FROM purchase JOIN placed USING (basket)")
    finally:
        connection.close()
    contents = sum_into_matrix(
        lines["place"], lines["item"], np.ones(len(lines["item"])), shape=(len(placed["number"]), items)
    )
    return Baskets(customer=placed["number"], week=placed["week"], store=placed["store_number"], items=contents)


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(values) for name, values in connection.execute(query).fetchnumpy().items()}
