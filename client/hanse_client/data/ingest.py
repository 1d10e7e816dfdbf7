"""Builds the vault database from an export: pseudonyms instead of customers, league items instead of codes.

``purchases.duckdb`` holds no more than the league's statistics need:

- ``customer(customer)``: every pseudonym, once;
- ``basket(basket, customer, day, store, value, discount)``: one row per receipt, money over *all* its
  lines, whatever the catalogue knows of them;
- ``purchase(customer, basket, day, store, item, quantity, value, discount)``: one row per receipt and
  catalogue item, sensitive items left out;
- ``item(item, category)``: the catalogue's items that are not sensitive, each with its category;
- ``store(store, store_group)``: the stores whose group the contract names;
- ``origin``: one row that says where it comes from.

Receipt numbers, times of day, product codes and raw customer identifiers stay behind.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.duckdb import Backend

from hanse_client.data.contract import Contract
from hanse_client.data.doctor import Examination, examine_with
from hanse_client.data.errors import DataRefusedError, VaultStorageError
from hanse_client.data.findings import DoctorReport
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.data.reader import open_engine
from hanse_models.catalogue import Catalogue

DATABASE_NAME = "purchases.duckdb"
SCHEMA_VERSION = 2
_VAULT = "vault"
_BASKET_KEY = ["customer", "store", "day", "receipt"]


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What became of every line of an export."""

    lines_read: int
    lines_used: int
    """Lines with a customer and a league item that is not sensitive."""
    lines_without_customer: int
    lines_outside_catalogue: int
    lines_sensitive: int
    lines_unknown_product: int
    """The last three have a customer: they count in money and baskets, not as items. The five kinds of
    lines add up to ``lines_read``."""
    customers: int
    baskets: int
    items: int
    """Distinct league items bought."""
    first_day: date
    last_day: date
    doctor: DoctorReport


def ingest(contract: Contract, catalogue: Catalogue, key: PseudonymKey, *, vault: Path, today: date) -> IngestReport:
    """Read an export and replace the vault database ``vault/purchases.duckdb`` (mode 0600).

    It is built in a private folder beside its place and renamed; whatever fails, the old one stays.

    Args:
        contract: The partner's data contract.
        catalogue: The league's public catalogue.
        key: The partner's key for pseudonyms.
        vault: The vault's data folder; it must exist.
        today: The last day that the export may hold where the contract names none.

    Raises:
        DataRefusedError: If the doctor finds errors.
        DataUnreadableError: If a file cannot be read.
        VaultStorageError: If the database cannot be written.
    """
    with open_engine() as engine:
        examination = examine_with(engine, contract, catalogue, today=today)
        report, lines, stores = examination.report, examination.lines, examination.stores
        if report.errors or lines is None or stores is None:
            codes = ", ".join(finding.code for finding in report.errors)
            raise DataRefusedError(
                f"The export of {report.partner} has errors: {codes}.",
                "Run 'hanse node doctor' for counts and examples; the vault keeps the data it had.",
            )
        pseudonyms = _pseudonyms(lines, key)
        with _replacing(vault / DATABASE_NAME) as place:
            # Which groups a vault knows is told when it refuses a question: it is nothing that customers did.
            public = {
                "origin": ibis.memtable(_origin(contract, catalogue, key)),
                "item": ibis.memtable(_items(catalogue)),
                "store": stores,
            }
            return _write(engine, lines, pseudonyms, place, examination, public)


def _pseudonyms(lines: ir.Table, key: PseudonymKey) -> ir.Table:
    raw = lines.select("customer").distinct().filter(lambda table: table.customer.notnull()).to_pyarrow()
    made = key.pseudonyms(raw["customer"].to_pylist())
    return ibis.memtable(raw.append_column("pseudonym", pa.array(made, pa.string())))


def _origin(contract: Contract, catalogue: Catalogue, key: PseudonymKey) -> pa.Table:
    return pa.table(
        {
            "schema_version": pa.array([SCHEMA_VERSION], pa.int32()),
            "partner": [contract.contract.partner],
            "catalogue_digest": [catalogue.digest],
            "catalogue_items": pa.array([len(catalogue.items)], pa.int32()),
            "pseudonym_key_id": [key.key_id],
        }
    )


def _items(catalogue: Catalogue) -> pa.Table:
    usable = [(place, item.category) for place, item in enumerate(catalogue.items) if not item.sensitive]
    return pa.table(
        {
            "item": pa.array([place for place, _ in usable], pa.int32()),
            "category": pa.array([category for _, category in usable], pa.string()),
        }
    )


def _write(
    engine: Backend,
    lines: ir.Table,
    pseudonyms: ir.Table,
    place: Path,
    examination: Examination,
    public: Mapping[str, ir.Table],
) -> IngestReport:
    # Raw identifiers stay in the engine's memory: only finished tables go into the attached file.
    known = lines.filter(lines.customer.notnull()).mutate(day=lines.time.date())
    baskets = known.group_by(_BASKET_KEY).agg(value=known.value.sum(), discount=known.discount.sum())
    baskets = baskets.mutate(basket=ibis.row_number().over(order_by=["day", "store", "receipt", "customer"]))
    baskets = engine.create_table("baskets", baskets.join(pseudonyms, "customer"), temp=True)
    of_league = known.filter(known.item.notnull(), ~known.sensitive)
    purchases = (
        of_league.drop("sensitive", "store_group")
        .join(baskets.select(*_BASKET_KEY, "basket", "pseudonym"), _BASKET_KEY)
        .group_by("pseudonym", "basket", "day", "store", "item")
        .agg(
            quantity=lambda table: table.quantity.sum(),
            value=lambda table: table.value.sum(),
            discount=lambda table: table.discount.sum(),
        )
        .rename(customer="pseudonym")
        .order_by("customer", "basket", "item")
    )
    engine.attach(place, name=_VAULT)
    for name, table in (
        ("customer", pseudonyms.select(customer="pseudonym").order_by("customer")),
        (
            "basket",
            baskets.select("basket", "day", "store", "value", "discount", customer="pseudonym").order_by(
                "customer", "basket"
            ),
        ),
        ("purchase", purchases),
        *public.items(),
    ):
        engine.create_table(name, table, database=(_VAULT, "main"))
    bought = engine.table("purchase", database=(_VAULT, "main")).item.nunique()
    totals = (
        known.agg(
            without_customer=examination.report.lines - known.count(),
            outside=(known.product_found & known.item.isnull()).sum().fill_null(0),
            sensitive=known.sensitive.sum().fill_null(0),
            unknown=(~known.product_found).sum().fill_null(0),
            used=(known.item.notnull() & ~known.sensitive).sum().fill_null(0),
            baskets=baskets.count().as_scalar(),
            items=bought.as_scalar(),
        )
        .to_pyarrow()
        .to_pylist()[0]
    )
    engine.detach(_VAULT)
    counts = examination.counts
    return IngestReport(
        lines_read=examination.report.lines,
        lines_used=totals["used"],
        lines_without_customer=totals["without_customer"],
        lines_outside_catalogue=totals["outside"],
        lines_sensitive=totals["sensitive"],
        lines_unknown_product=totals["unknown"],
        customers=examination.report.customers,
        baskets=totals["baskets"],
        items=totals["items"],
        first_day=counts["first"].date(),
        last_day=counts["last"].date(),
        doctor=examination.report,
    )


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a place to build a file in; put it where ``target`` is once it is whole and on disk."""
    building: Path | None = None
    try:
        # mkdtemp's folder is 0700, so that the file is private before its own mode is set.
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        place = building / target.name
        yield place
        place.chmod(0o600)
        with place.open("rb") as file:
            os.fsync(file.fileno())
        place.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException, OSError) as error:
        raise VaultStorageError(
            f"The vault database {target.name} could not be written ({_reason(error)}).",
            "Free disk space, check that this account owns the folder, and ingest again; what the vault had"
            " before is untouched.",
        ) from error
    finally:
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # DuckDB's messages can quote values; only the operating system's own words are repeated.
    for words in ("No space left on device", "File too large", "Permission denied"):
        if words in str(error):
            return words
    return type(error).__name__
