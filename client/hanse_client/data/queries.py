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
from hanse_client.data.question_rows import EXACT, amounts_of, grouped, source_of
from hanse_models.purchases import BasketWeeks, Breadth, ItemWeeks, PurchaseHistory
from hanse_models.questions import CustomerAmounts
from hanse_privacy.protocol.question_steps import Grouping, Question
from hanse_privacy.validation import require

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The catalogue that the export was read with."""

    catalogue_digest: str
    catalogue_items: int


@dataclass(frozen=True, kw_only=True)
class VaultData:
    """The vault database, as a run may read it.

    Args:
        path: The file ``purchases.duckdb``.
        anchor: The first day of week 1; week = floor((day - anchor) / 7 days) + 1.
    """

    path: Path
    anchor: date

    def origin(self) -> Origin:
        """What the data was read with; compare the digest with the league's catalogue.

        Raises:
            DataUnreadableError: If there is no database, or one of another version.
        """
        with self._open() as engine:
            return _origin(engine)

    def customers(self) -> tuple[str, ...]:
        """Every pseudonym that the vault knows, sorted."""
        with self._open() as engine:
            return tuple(engine.table("customer").order_by("customer").to_pyarrow()["customer"].to_pylist())

    def history(self, cohort: Sequence[str], *, last_week: int) -> PurchaseHistory:
        """Load the cohort's purchases of weeks 1 to ``last_week``, both included, and nobody else's.

        Purchases before week 1 are in no statistic. A pseudonym that the vault does not know is an empty row.

        Args:
            cohort: Pseudonyms, each once.
            last_week: The last week that the run may look at.

        Returns:
            The purchases; customers are numbered by their place in ``cohort``.

        Raises:
            InvalidValueError: If a pseudonym occurs twice.
            DataUnreadableError: If the database cannot be read.
        """
        with self._open() as engine:
            members = _members(cohort)
            purchases = self._with_week(engine.table("purchase").join(members, "customer"))
            bought = (
                purchases.filter(purchases.week.between(1, last_week))
                .group_by("number", "item", "week")
                .agg(baskets=lambda table: table.count())
                .order_by("number", "week", "item")
                .to_pyarrow()
            )
            return PurchaseHistory(
                customers=len(cohort),
                items=_origin(engine).catalogue_items,
                item_weeks=ItemWeeks(
                    customer=_array(bought, "number").astype(np.int32),
                    item=_array(bought, "item").astype(np.int32),
                    week=_array(bought, "week").astype(np.int16),
                    baskets=_array(bought, "baskets").astype(np.int32),
                ),
                basket_weeks=self._activity(engine, members, last_week=last_week),
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
                value=lambda table: table.value.cast(EXACT).sum().cast("float64"),
                discount=lambda table: table.discount.cast(EXACT).sum().cast("float64"),
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

    def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
        """Add up what each cohort member did in each of a question's groups, in its weeks.

        Raises:
            InvalidValueError: If a pseudonym occurs twice.
            DataUnreadableError: If the database cannot be read.
        """
        with self._open() as engine:
            rows = self._with_week(engine.table(source_of(question)).join(_members(cohort), "customer"))
            rows = grouped(rows, question, items=engine.table("item"), stores=engine.table("store"))
            found = amounts_of(rows, question.measure).to_pyarrow()
            return CustomerAmounts(
                customers=len(cohort),
                groups=len(question.group_names),
                customer=_array(found, "number").astype(np.int32),
                group=_array(found, "place").astype(np.int32),
                amount=_array(found, "amount").astype(np.float64),
            )

    def groups(self, by: Grouping) -> frozenset[str]:
        """Every category, or every store group, that the vault knows; weeks need no list.

        Raises:
            DataUnreadableError: If the database cannot be read.
        """
        table, column = ("item", "category") if by is Grouping.CATEGORY else ("store", "store_group")
        with self._open() as engine:
            return frozenset(engine.table(table).select(column).distinct().to_pyarrow()[column].to_pylist())

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
    return Origin(catalogue_digest=row["catalogue_digest"], catalogue_items=row["catalogue_items"])


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
