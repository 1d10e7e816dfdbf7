"""What a run may read of the vault: the named cohort's purchases, added up by week inside the database.

A connection is opened read-only for each call and closed after it: a long-lived process holds no
lock, sees a newly ingested database at its next call, and may call from several threads.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from ibis.backends.duckdb import Backend
from numpy.typing import NDArray

from hanse_client.data.errors import DataUnreadableError, reading
from hanse_client.data.ingest import SCHEMA_VERSION
from hanse_models.purchases import BasketWeeks, Breadth, ItemWeeks, PurchaseHistory
from hanse_privacy.validation import require

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the vault's data comes from."""

    partner: str
    catalogue_digest: str
    catalogue_items: int
    pseudonym_key_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class CohortHistory:
    """A cohort's purchases; customers are numbered by their place in the cohort that was asked for."""

    history: PurchaseHistory
    unknown_customers: int
    """Of the cohort, how many the vault does not know; they have no purchases."""
    baskets_before_calendar: int
    """Baskets before week 1, which no statistic counts."""


@dataclass(frozen=True, kw_only=True)
class VaultData:
    """The vault database, as a run may read it.

    Args:
        path: The file ``purchases.duckdb``.
        anchor: The first day of week 1 as if it were whole (``Calendar.anchor``).
    """

    path: Path
    anchor: date

    def origin(self) -> Origin:
        """Where the data comes from; compare the digest with the league's catalogue.

        Raises:
            DataUnreadableError: If there is no database, or one of another version.
        """
        with self._open() as engine:
            return _origin(engine)

    def customers(self) -> tuple[str, ...]:
        """Every pseudonym that the vault knows, sorted."""
        with self._open() as engine:
            return tuple(engine.table("customer").order_by("customer").to_pyarrow()["customer"].to_pylist())

    def history(self, cohort: Sequence[str], *, last_week: int) -> CohortHistory:
        """Load the cohort's purchases of weeks 1 to ``last_week``, both included, and nobody else's.

        Args:
            cohort: Pseudonyms, each once.
            last_week: The last week that the run may look at.

        Raises:
            InvalidValueError: If a pseudonym occurs twice.
            DataUnreadableError: If the database cannot be read.
        """
        with self._open() as engine:
            members = _members(cohort)
            known = engine.table("customer").join(members, "customer").count()
            purchases = self._with_week(engine.table("purchase").join(members, "customer"))
            bought = (
                purchases.filter(purchases.week.between(1, last_week))
                .group_by("number", "item", "week")
                .agg(baskets=lambda table: table.count())
                .order_by("number", "week", "item")
                .to_pyarrow()
            )
            baskets = self._with_week(engine.table("basket").join(members, "customer"))
            early = baskets.filter(baskets.week < 1).count()
            items = _origin(engine).catalogue_items
            return CohortHistory(
                history=PurchaseHistory(
                    customers=len(cohort),
                    items=items,
                    item_weeks=ItemWeeks(
                        customer=_array(bought, "number").astype(np.int32),
                        item=_array(bought, "item").astype(np.int32),
                        week=_array(bought, "week").astype(np.int16),
                        baskets=_array(bought, "baskets").astype(np.int32),
                    ),
                    basket_weeks=self._activity(engine, members, last_week=last_week),
                ),
                unknown_customers=len(cohort) - _scalar(known),
                baskets_before_calendar=_scalar(early),
            )

    def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
        """Load the cohort's baskets and money of weeks 1 to ``last_week``, without what was bought.

        Raises:
            InvalidValueError: If a pseudonym occurs twice.
            DataUnreadableError: If the database cannot be read.
        """
        with self._open() as engine:
            return self._activity(engine, _members(cohort), last_week=last_week)

    def _activity(self, engine: Backend, members: ir.Table, *, last_week: int) -> BasketWeeks:
        baskets = self._with_week(engine.table("basket").join(members, "customer"))
        weekly = (
            baskets.filter(baskets.week.between(1, last_week))
            .group_by("number", "week")
            .agg(
                baskets=lambda table: table.count(),
                value=lambda table: table.value.sum(),
                discount=lambda table: table.discount.sum(),
            )
            .order_by("number", "week")
            .to_pyarrow()
        )
        return BasketWeeks(
            customer=_array(weekly, "number").astype(np.int32),
            week=_array(weekly, "week").astype(np.int16),
            baskets=_array(weekly, "baskets").astype(np.int32),
            value=_array(weekly, "value").astype(np.float64),
            discount=_array(weekly, "discount").astype(np.float64),
        )

    def breadth(self, cohort: Sequence[str], *, last_week: int) -> Breadth:
        """Count each cohort member's distinct stores and items in weeks 1 to ``last_week``.

        Raises:
            InvalidValueError: If a pseudonym occurs twice.
            DataUnreadableError: If the database cannot be read.
        """
        with self._open() as engine:
            members = _members(cohort)
            counts = {}
            for table, column in (("basket", "store"), ("purchase", "item")):
                rows = self._with_week(engine.table(table).join(members, "customer"))
                rows = rows.filter(rows.week.between(1, last_week))
                found = rows.group_by("number").agg(distinct=rows[column].nunique()).to_pyarrow()
                counts[column] = np.zeros(len(cohort), dtype=np.int32)
                counts[column][_array(found, "number")] = _array(found, "distinct")
        return Breadth(stores=counts["store"], items=counts["item"])

    def _with_week(self, table: ir.Table) -> ir.Table:
        days = table.day.epoch_days() - (self.anchor - _EPOCH).days
        return table.mutate(week=(days // 7 + 1).cast("int32"))

    @contextmanager
    def _open(self) -> Iterator[Backend]:
        with reading(f"The vault database {self.path.name}"):
            if not self.path.is_file():
                raise DataUnreadableError(f"There is no vault database {self.path.name}.", "Ingest the export first.")
            connection = duckdb.connect(self.path, read_only=True)
            try:
                yield ibis.duckdb.from_connection(connection)
            finally:
                connection.close()


def _origin(engine: Backend) -> Origin:
    row = engine.table("origin").to_pyarrow().to_pylist()[0]
    if row["schema_version"] != SCHEMA_VERSION:
        raise DataUnreadableError("The vault database is of another version.", "Ingest the export again.")
    return Origin(
        partner=row["partner"],
        catalogue_digest=row["catalogue_digest"],
        catalogue_items=row["catalogue_items"],
        pseudonym_key_id=row["pseudonym_key_id"],
    )


def _members(cohort: Sequence[str]) -> ir.Table:
    repeated = len(cohort) - len(set(cohort))
    require(repeated == 0, name="cohort", value=f"{repeated} customers repeated", bound="each customer once")
    return ibis.memtable(
        pa.table(
            {
                "customer": pa.array(cohort, pa.string()),
                "number": pa.array(range(len(cohort)), pa.int32()),
            }
        )
    )


def _array(table: pa.Table, column: str) -> NDArray[Any]:
    values: NDArray[Any] = table[column].to_numpy()
    return values


def _scalar(value: ir.IntegerScalar) -> int:
    return int(value.to_pyarrow().as_py())
