"""How each partner of the demo writes its export: own files, own columns, own units, own codes.

Every function reads the table ``coded`` (one row per line: partner, card, shop, receipt,
store_receipt, code, quantity, sold_at, value_cents, discount_cents) and the table ``code``
(article, partner, code).
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import duckdb


class PartnerName(StrEnum):
    """The demo's four retailers."""

    ALDER = "alder"
    BIRCH = "birch"
    CEDAR = "cedar"
    DUNE = "dune"


def card(partner: PartnerName, number: int) -> str:
    """A customer's identifier in the partner's own form, from nine digits that are the partner's own."""
    match partner:
        case PartnerName.ALDER:
            return f"7{number:09d}"
        case PartnerName.BIRCH:
            return f"M-{number:09d}"
        case PartnerName.CEDAR:
            return f"K{number:08X}"
        case PartnerName.DUNE:
            return f"{number // 1000:06d}/{number % 1000:03d}"


def write_export(connection: duckdb.DuckDBPyConnection, partner: PartnerName, export: Path) -> None:
    """Write one partner's files into an empty folder."""
    _WRITERS[partner](connection, export)


def _alder(connection: duckdb.DuckDBPyConnection, export: Path) -> None:
    """One flat table in monthly files; whole-number cards, money in currency."""
    for month in range(1, 13):
        _write(
            connection,
            export / f"sales-2017-{month:02d}.parquet",
            """
            SELECT card::BIGINT AS card_no, sold_at, shop AS shop_no, receipt AS receipt_no, 500000 + code AS plu,
                   quantity AS pieces, value_cents / 100 AS amount, discount_cents / 100 AS rebate,
                   'EUR' AS currency
            FROM coded WHERE partner = 'alder' AND month(sold_at) = ?
            ORDER BY sold_at, receipt_no, plu
            """,
            [month],
        )
    _write(
        connection,
        export / "items.parquet",
        "SELECT 500000 + code AS plu, article AS gtin FROM code WHERE partner = 'alder' ORDER BY plu",
    )


def _birch(connection: duckdb.DuckDBPyConnection, export: Path) -> None:
    """Receipts and lines in two tables; money in cents."""
    _write(
        connection,
        export / "receipts.parquet",
        """
        SELECT DISTINCT 'R' || receipt AS receipt_id, card AS member, 'B' || shop AS branch,
               min(sold_at) OVER (PARTITION BY receipt) AS purchase_time
        FROM coded WHERE partner = 'birch' ORDER BY purchase_time, receipt_id
        """,
    )
    _write(
        connection,
        export / "lines.parquet",
        """
        SELECT 'R' || receipt AS receipt_id, 'A' || code AS article_no, quantity AS qty,
               value_cents AS cents, discount_cents AS saved_cents
        FROM coded WHERE partner = 'birch' ORDER BY receipt, article_no
        """,
    )
    _write(
        connection,
        export / "articles.parquet",
        "SELECT 'A' || code AS article_no, article AS public_code FROM code"
        " WHERE partner = 'birch' ORDER BY article_no",
    )


def _cedar(connection: duckdb.DuckDBPyConnection, export: Path) -> None:
    """One file with German columns; times as text, discounts as positive numbers."""
    _write(
        connection,
        export / "kassenbons.parquet",
        """
        SELECT card AS "Kundenkarte", strftime(sold_at, '%d.%m.%Y %H:%M') AS "Zeit", 'F' || shop AS "Filiale",
               receipt AS "Bon", code AS "Artikel", quantity AS "Menge",
               (value_cents / 100)::DECIMAL(12, 2) AS "Umsatz", (discount_cents / 100)::DECIMAL(12, 2) AS "Nachlass"
        FROM coded WHERE partner = 'cedar' ORDER BY receipt, code
        """,
    )
    _write(
        connection,
        export / "artikelstamm.parquet",
        """
        SELECT code AS "Artikel", article AS "EAN" FROM code WHERE partner = 'cedar'
        ORDER BY code
        """,
    )


def _dune(connection: duckdb.DuckDBPyConnection, export: Path) -> None:
    """One file per store, tickets numbered per store; dates alone, discounts as negative numbers."""
    shops = connection.execute("SELECT shop FROM shop WHERE partner = 'dune' ORDER BY shop").fetchall()
    for (shop,) in shops:
        _write(
            connection,
            export / f"store-{shop}.parquet",
            """
            SELECT card AS customer_code, sold_at::DATE AS day, shop AS store, store_receipt AS ticket,
                   printf('%05d', code) AS product_code, quantity AS units, value_cents / 100 AS paid,
                   -discount_cents / 100 AS saved
            FROM coded WHERE partner = 'dune' AND shop = ? ORDER BY ticket, product_code
            """,
            [shop],
        )
    _write(
        connection,
        export / "products.parquet",
        """
        SELECT printf('%05d', code) AS product_code, article AS barcode FROM code
        WHERE partner = 'dune' ORDER BY product_code
        """,
    )


_WRITERS: dict[PartnerName, Callable[[duckdb.DuckDBPyConnection, Path], None]] = {
    PartnerName.ALDER: _alder,
    PartnerName.BIRCH: _birch,
    PartnerName.CEDAR: _cedar,
    PartnerName.DUNE: _dune,
}


def _write(connection: duckdb.DuckDBPyConnection, path: Path, query: str, values: Sequence[int] = ()) -> None:
    connection.sql(query, params=list(values)).write_parquet(str(path))
