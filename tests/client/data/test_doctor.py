from io import StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from small_shop import found, with_receipts

from hanse_client.data.errors import DataUnreadableError
from hanse_client.data.findings import FindingCode, Severity, render
from hanse_privacy.errors import HanseError

CARD, TIME, STORE, RECEIPT, PLU, PIECES, PAID, SAVED = range(8)


def spoil(shop, column, value, rows):
    for row in rows:
        shop.lines[row][column] = value


def test_clean_export_passes(shop, catalogue):
    report = shop.examine(catalogue)
    assert report.findings == ()
    assert (report.exit_code, report.lines, report.customers) == (0, 40, 4)


SPOILT_VALUES = [
    (TIME, "24/02/2025", FindingCode.WRONG_TYPE),
    (TIME, "2025-02-20 10:00:00+01", FindingCode.WRONG_TYPE),
    (TIME, "", FindingCode.WRONG_TYPE),
    (PIECES, "two", FindingCode.WRONG_TYPE),
    (PIECES, "nan", FindingCode.WRONG_TYPE),
    (PAID, "1,50", FindingCode.WRONG_TYPE),
    (PAID, "inf", FindingCode.WRONG_TYPE),
    (PAID, "", FindingCode.WRONG_TYPE),
    (SAVED, "none", FindingCode.WRONG_TYPE),
    (RECEIPT, "", FindingCode.WRONG_TYPE),
    (PLU, " ", FindingCode.WRONG_TYPE),
    (PIECES, "-1", FindingCode.NEGATIVE_QUANTITY),
    (PAID, "-0.01", FindingCode.NEGATIVE_VALUE),
    (SAVED, "-0.50", FindingCode.NEGATIVE_DISCOUNT),
    (PIECES, "100.5", FindingCode.ABSURD_QUANTITY),
    (PAID, "500.01", FindingCode.ABSURD_VALUE),
    (TIME, "2025-03-02 00:00:00", FindingCode.DATE_IN_FUTURE),
    (TIME, "2024-12-31 23:59:59", FindingCode.DATE_TOO_EARLY),
    (PLU, "99", FindingCode.UNKNOWN_PRODUCT),
]


@pytest.mark.parametrize(("column", "value", "code"), SPOILT_VALUES)
def test_spoilt_value_is_counted_with_three_examples(shop, catalogue, column, value, code):
    spoil(shop, column, value, range(0, 10, 2))  # five lines of five receipts
    report = shop.examine(catalogue)
    finding = found(report, code)
    assert finding.severity is Severity.ERROR
    assert finding.count == 5
    assert len(finding.examples) == 3
    assert all(example.startswith("export/sales.csv: ") for example in finding.examples)
    assert all("card-" not in example for example in finding.examples)
    assert report.exit_code == 2
    assert [other.code for other in report.errors] == [code]


@pytest.mark.parametrize(
    ("column", "value"),
    [(PIECES, "100"), (PAID, "500"), (PAID, "0"), (TIME, "2025-03-01 23:59:59"), (TIME, "2025-01-01"), (SAVED, "")],
)
def test_values_on_the_bound_are_fine(shop, catalogue, column, value):
    spoil(shop, column, value, [0, 1])
    assert shop.examine(catalogue).errors == ()


def test_duplicates_count_the_surplus_lines(shop, catalogue):
    shop.lines += [list(shop.lines[0]), list(shop.lines[0]), list(shop.lines[5])]
    finding = found(shop.examine(catalogue), FindingCode.DUPLICATE_LINES)
    assert (finding.severity, finding.count, len(finding.examples)) == (Severity.ERROR, 3, 2)
    assert "card-" not in "".join(finding.examples)


def test_lines_that_differ_somewhere_are_no_duplicates(shop, catalogue):
    shop.lines.append([*shop.lines[0][:PIECES], "2", *shop.lines[0][PAID:]])
    assert shop.examine(catalogue).errors == ()


@pytest.mark.parametrize(
    ("limit", "spoiler", "code"),
    [
        ("duplicate_line_share = 0.1", lambda lines: lines.append(list(lines[0])), FindingCode.DUPLICATE_LINES),
        ("unknown_product_share = 0.1", lambda lines: lines[0].__setitem__(PLU, "99"), FindingCode.UNKNOWN_PRODUCT),
    ],
)
def test_contract_can_tolerate_a_share_and_it_is_still_told(shop, catalogue, limit, spoiler, code):
    shop.contract_text += limit
    spoiler(shop.lines)
    report = shop.examine(catalogue)
    assert found(report, code).severity is Severity.WARNING
    assert report.exit_code == 0


def test_tolerance_has_an_end(shop, catalogue):
    shop.contract_text += "unknown_product_share = 0.1"
    spoil(shop, PLU, "99", range(5))  # 5 of 40
    assert found(shop.examine(catalogue), FindingCode.UNKNOWN_PRODUCT).severity is Severity.ERROR


def test_missing_column_names_what_exists(shop, catalogue):
    shop.columns[PIECES] = "amount"
    report = shop.examine(catalogue)
    finding = found(report, FindingCode.MISSING_COLUMN)
    assert "'pieces'" in finding.what
    assert "quantity" in finding.what
    assert "card, sold_at, shop, till_receipt, plu, amount, paid, saved" in finding.examples[0]
    assert report.exit_code == 2


def test_unmapped_column_is_told_and_no_fault(shop, catalogue):
    shop.columns.append("till_number")
    for line in shop.lines:
        line.append("4")
    report = shop.examine(catalogue)
    assert found(report, FindingCode.UNMAPPED_COLUMN).examples == ("till_number",)
    assert report.exit_code == 0


def test_no_files(shop, catalogue):
    shop.contract_text = shop.contract_text.replace("sales*.csv", "verkauf*.csv")
    report = shop.examine(catalogue)
    assert "export/verkauf*.csv" in found(report, FindingCode.NO_FILES).what
    assert report.exit_code == 2


def test_empty_export(shop, catalogue):
    shop.lines = []
    report = shop.examine(catalogue)
    assert [finding.code for finding in report.errors] == [FindingCode.EMPTY_EXPORT]


def test_fewer_customers_than_the_floor(shop, catalogue):
    shop.lines = [line for line in shop.lines if line[CARD] in {"card-0", "card-1"}]
    finding = found(shop.examine(catalogue), FindingCode.TOO_FEW_CUSTOMERS)
    assert finding.count == 2
    assert finding.severity is Severity.ERROR


def test_lines_without_a_card_are_reported(shop, catalogue):
    spoil(shop, CARD, "", range(4))
    report = shop.examine(catalogue)
    assert found(report, FindingCode.MISSING_CUSTOMER).count == 4
    assert report.exit_code == 0


def test_late_data(shop, catalogue):
    shop.contract_text = shop.contract_text.replace("late_after_days = 10", "late_after_days = 4")
    assert found(shop.examine(catalogue), FindingCode.LATE_DATA).count == 5
    shop.contract_text = shop.contract_text.replace("late_after_days = 4", "late_after_days = 5")
    assert shop.examine(catalogue).findings == ()


def test_outside_the_catalogue_and_sensitive_are_told_without_naming_receipts(shop, catalogue):
    spoil(shop, PLU, "14", [0, 2, 4])
    spoil(shop, PLU, "13", [7, 9])
    report = shop.examine(catalogue)
    assert found(report, FindingCode.OUTSIDE_CATALOGUE).count == 3
    sensitive = found(report, FindingCode.SENSITIVE_LEFT_OUT)
    assert (sensitive.count, sensitive.examples) == (2, ())
    assert report.exit_code == 0


def test_product_with_two_articles(shop, catalogue):
    shop.items += [["10", "G3"]]
    finding = found(shop.examine(catalogue), FindingCode.DUPLICATE_PRODUCT)
    assert finding.examples == ("export/items.csv: product 10, 2 times",)


def test_receipts_in_their_own_table(shop, catalogue):
    with_receipts(shop, shop.receipts())
    report = shop.examine(catalogue)
    assert (report.errors, report.customers, report.lines) == ((), 4, 40)


def test_orphan_lines_and_repeated_receipts(shop, catalogue):
    receipts = shop.receipts()
    with_receipts(shop, [*receipts[1:], receipts[5]])
    report = shop.examine(catalogue)
    assert found(report, FindingCode.LINE_WITHOUT_RECEIPT).count == 2
    assert found(report, FindingCode.DUPLICATE_RECEIPT).count == 1
    assert report.lines == 40


def test_parquet_types_that_can_never_fit(shop, catalogue):
    shop.contract_text = shop.contract_text.replace(
        'files = "export/sales*.csv"\nformat = "csv"', 'files = "export/sales.parquet"\nformat = "parquet"'
    )
    shop.write()
    columns = dict(zip(shop.columns, zip(*shop.lines, strict=True), strict=True))
    table = pa.table({name: list(values) for name, values in columns.items()})
    table = table.set_column(1, "sold_at", pa.array([0] * 40, pa.timestamp("us", tz="UTC")))
    table = table.set_column(5, "pieces", pa.array([True] * 40))
    pq.write_table(table, shop.folder / "export/sales.parquet")
    report = shop.examine(catalogue)
    whats = [finding.what for finding in report.errors]
    assert any("sold_at" in what and "UTC" in what for what in whats)
    assert any("pieces" in what and "boolean" in what for what in whats)


@pytest.mark.parametrize("content", [b"PAR1 cut short", b""])
def test_unreadable_file_is_one_sentence_with_a_mend(shop, catalogue, content):
    shop.contract_text = shop.contract_text.replace(
        'files = "export/sales*.csv"\nformat = "csv"', 'files = "export/sales.parquet"\nformat = "parquet"'
    )
    shop.write()
    (shop.folder / "export/sales.parquet").write_bytes(content)
    with pytest.raises(DataUnreadableError, match=r"sales\.parquet cannot be read"):
        shop.examine(catalogue)


def test_ragged_csv_is_unreadable_and_shows_no_row(shop, catalogue):
    shop.lines[3] = [*shop.lines[3], "too", "many"]
    with pytest.raises(HanseError) as caught:
        shop.examine(catalogue)
    assert "card-" not in str(caught.value)


def test_wrong_encoding(shop, catalogue):
    shop.write()
    (shop.folder / "export/sales-2.csv").write_bytes(",".join(shop.columns).encode() + b"\n\xfc,,,,,,,\n")
    with pytest.raises(DataUnreadableError):
        shop.examine(catalogue)


def test_report_for_the_terminal_shows_code_count_example_and_mend(shop, catalogue):
    spoil(shop, PIECES, "-3", range(5))
    console = Console(file=StringIO(), width=200)
    console.print(render(shop.examine(catalogue)))
    text = console.file.getvalue()
    for words in ("NEGATIVE_QUANTITY", "5 lines", "export/sales.csv", "Take returns", "1 error keeps the export out"):
        assert words in text
