"""Reads a partner's files, through Ibis on DuckDB, into one table in the league's terms.

Reading never fails on a faulty value: it becomes null, and the doctor counts it. Nothing is fetched
from a network: DuckDB may load no extension and install none.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend
from pydantic import BaseModel

from hanse_client.data.contract import (
    Column,
    Contract,
    CsvLayout,
    FileFormat,
    NumberColumn,
    Source,
    TimeColumn,
)
from hanse_client.data.errors import reading
from hanse_client.data.files import matching
from hanse_models.catalogue import Catalogue

FILE = "hanse_file"
"""The column that says which file a row came from."""
_MEMORY = "1GB"
_THREADS = 2
# A time of day followed by Z or an offset: not the till's local time.
_WITH_OFFSET = r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$"


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]  # Ibis publishes no types
def try_strptime(text: str, format: str) -> datetime:  # type: ignore[empty-body]  # noqa: A002 - DuckDB's own
    """DuckDB's ``try_strptime``: null where the text does not have the format."""


@ibis.udf.scalar.builtin(name="isfinite")  # type: ignore[untyped-decorator]  # Ibis publishes no types
def is_finite(number: float) -> bool:  # type: ignore[empty-body]  # DuckDB's own
    """DuckDB's ``isfinite``: false for NaN and infinities."""


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """One source as it stands in its files, and as the league reads it."""

    raw: ir.Table
    columns: Mapping[str, Column]
    """Term to the contract's column."""
    layout: CsvLayout

    @property
    def type_faults(self) -> dict[str, str]:
        """Terms whose column has a type that can never be read as the term, and why."""
        faults = {term: type_fault(column, self.raw) for term, column in self.columns.items()}
        return {term: fault for term, fault in faults.items() if fault is not None}

    @property
    def parsed(self) -> ir.Table:
        """One column per term, and :data:`FILE`; only where there are no type faults."""
        parsed = {term: parsed_column(self.raw, column, self.layout) for term, column in self.columns.items()}
        return self.raw.select(**parsed, **{FILE: self.raw[FILE]})


@dataclass(frozen=True, kw_only=True)
class Export:
    """A partner's export in the league's terms."""

    sales: SourceTable
    receipts: SourceTable | None
    products: SourceTable
    stores: SourceTable | None

    @property
    def sources(self) -> dict[str, SourceTable]:
        """The sources by their name in the contract."""
        named = {"sales": self.sales, "receipts": self.receipts, "products": self.products, "stores": self.stores}
        return {name: source for name, source in named.items() if source is not None}


@contextmanager
def open_engine() -> Iterator[Backend]:
    """Start an in-memory DuckDB that spills into a private folder, removed at the end."""
    with TemporaryDirectory(prefix="hanse-spill-") as spill:
        engine = ibis.duckdb.connect(
            threads=_THREADS,
            memory_limit=_MEMORY,
            temp_directory=spill,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        try:
            yield engine
        finally:
            engine.disconnect()


def terms(columns: BaseModel) -> dict[str, Column]:
    """The terms that a part of the contract maps, with their columns."""
    found = {name: getattr(columns, name) for name in type(columns).model_fields}
    return {name: column for name, column in found.items() if column is not None}


def read_export(engine: Backend, contract: Contract) -> Export:
    """Open every source of a contract whose files and columns are known to exist.

    Raises:
        DataUnreadableError: If a file cannot be read.
    """
    receipts, stores = contract.receipts, contract.stores
    return Export(
        sales=_read(engine, contract.folder, contract.sales, terms(contract.sales.columns)),
        receipts=None if receipts is None else _read(engine, contract.folder, receipts, terms(receipts.columns)),
        products=_read(engine, contract.folder, contract.products, terms(contract.products.columns)),
        stores=None if stores is None else _read(engine, contract.folder, stores, terms(stores.columns)),
    )


def _read(engine: Backend, folder: Path, source: Source, columns: dict[str, Column]) -> SourceTable:
    paths = [str(path) for path in matching(folder, source.files)]
    with reading(f"What matches {source.files}"):
        if source.format is FileFormat.CSV:
            raw = engine.read_csv(
                paths,
                delim=source.layout.delimiter,
                header=True,
                all_varchar=True,
                quote='"',
                escape='"',
                skip=0,
                union_by_name=True,
                filename=FILE,
            )
        else:
            raw = engine.read_parquet(paths, union_by_name=True, filename=FILE)
    return SourceTable(raw=raw, columns=columns, layout=source.layout)


def type_fault(column: Column, table: ir.Table) -> str | None:
    """Say why a column's type can never be read as its term, or None."""
    kind = table[column.column].type()
    if isinstance(column, TimeColumn):
        if kind.is_timestamp() and kind.timezone is not None:
            return f"is a time in zone {kind.timezone}, not the till's local time"
        if not (kind.is_timestamp() or kind.is_date() or kind.is_string()):
            return f"holds {kind}, not dates"
    elif isinstance(column, NumberColumn):
        if not (kind.is_numeric() and not kind.is_boolean()) and not kind.is_string():
            return f"holds {kind}, not numbers"
    elif kind.is_nested() or kind.is_binary():
        return f"holds {kind}, not codes"
    return None


def parsed_column(table: ir.Table, column: Column, layout: CsvLayout) -> ir.Value:
    """A column as its term: text, local time or number; null where it cannot be read so."""
    raw = table[column.column]
    if isinstance(column, TimeColumn):
        return _time(raw, column)
    if isinstance(column, NumberColumn):
        return _number(raw, column, decimal_comma=layout.decimal_comma)
    return raw.cast("string").strip().nullif("")


def _time(raw: ir.Value, column: TimeColumn) -> ir.Value:
    if not isinstance(raw, ir.StringValue):
        return raw.cast("timestamp")
    text = raw.strip()
    if column.time_format is not None:
        return try_strptime(text, column.time_format)
    return ibis.ifelse(text.re_search(_WITH_OFFSET), ibis.null("timestamp"), text.try_cast("timestamp"))


def _number(raw: ir.Value, column: NumberColumn, *, decimal_comma: bool) -> ir.Value:
    text = raw
    if isinstance(raw, ir.StringValue) and decimal_comma:
        # "1.234" may be a thousand or a little over one: refused, not guessed.
        text = ibis.ifelse(raw.contains("."), ibis.null("string"), raw.replace(",", "."))
    number = text.try_cast("float64")
    finite = ibis.ifelse(is_finite(number), number, ibis.null("float64"))
    scale = -column.divide_by if column.change_sign else column.divide_by
    # Adding zero turns the -0.0 of a changed sign into 0.0.
    return finite / scale + 0.0


def list_stores(engine: Backend, export: Export) -> ir.Table:
    """Read the partner's list of stores, once, into a table of the engine's memory: store and ``store_group``.

    It holds every store that the list puts into a group, whatever was bought there; none without a list.

    Raises:
        DataUnreadableError: If a file cannot be read.
    """
    if export.stores is None:
        columns = ibis.schema({"store": "string", "store_group": "string"})
        return engine.create_table("stores", schema=columns, temp=True)
    stores = export.stores.parsed.rename(store_group="group")
    stores = stores.filter(stores.store.notnull(), stores.store_group.notnull())
    # One row per store: a store listed twice is the doctor's finding, not more lines.
    stores = stores.group_by("store").agg(store_group=stores.store_group.min())
    with reading("The list of stores"):
        return engine.create_table("stores", stores, temp=True)


def join_lines(engine: Backend, export: Export, catalogue: Catalogue, *, stores: ir.Table) -> ir.Table:
    """Join lines with receipts, item master, catalogue and stores, once, into a table of the engine's memory.

    Columns: customer, time, store, receipt, product, quantity, value, discount (0 where none),
    ``receipt_found``, ``product_found``, ``item`` (null outside the catalogue), ``sensitive``, ``store_group``
    (null where none is known), FILE.
    The raw customer identifier lives in this table only, and goes with the engine.

    Raises:
        DataUnreadableError: If a file cannot be read.
    """
    lines = export.sales.parsed
    if "discount" not in lines.columns:
        lines = lines.mutate(discount=0.0)
    lines = lines.mutate(discount=lines.discount.fill_null(0.0))
    if export.receipts is None:
        lines = lines.mutate(receipt_found=True)
    else:
        # One row per receipt: a receipt listed twice is the doctor's finding, not more lines.
        per_receipt = export.receipts.parsed
        carried = {term: per_receipt[term].arbitrary() for term in export.receipts.columns if term != "receipt"}
        per_receipt = per_receipt.group_by("receipt").agg(**carried, receipt_found=per_receipt.count() > 0)
        lines = lines.left_join(per_receipt, "receipt").drop("receipt_right")
        lines = lines.mutate(receipt_found=lines.receipt_found.fill_null(False))  # noqa: FBT003 - a column of truth
    master = export.products.parsed
    master = master.group_by("product").agg(article=master.article.min(), product_found=master.count() > 0)
    released = ibis.memtable(_articles(catalogue))
    master = master.left_join(released, "article").drop("article_right", "article")
    lines = lines.left_join(master, "product").drop("product_right")
    lines = lines.mutate(
        product_found=lines.product_found.fill_null(False),  # noqa: FBT003 - as above
        sensitive=lines.sensitive.fill_null(False),  # noqa: FBT003 - as above
    )
    lines = lines.left_join(stores, "store").drop("store_right")
    with reading("The export"):
        return engine.create_table("lines", lines, temp=True)


def _articles(catalogue: Catalogue) -> pa.Table:
    """The catalogue as a table: article, item, and whether the item is sensitive (then it stays out)."""
    items = list(catalogue.articles.values())
    return pa.table(
        {
            "article": pa.array(catalogue.articles.keys(), pa.string()),
            "item": pa.array(items, pa.int32()),
            "sensitive": pa.array([catalogue.items[item].sensitive for item in items], pa.bool_()),
        }
    )
