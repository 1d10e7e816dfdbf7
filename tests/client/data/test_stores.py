"""The partner's list of stores: what the contract may say of it, and what the doctor finds in it."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_shop import STORES, TODAY, found, with_receipts, write_csv, write_stores

from hanse_client.data.errors import ContractError, DataRefusedError
from hanse_client.data.findings import FindingCode, Severity
from hanse_client.data.ingest import ingest
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.data.queries import VaultData
from hanse_models.catalogue import Catalogue, CatalogueError, load_catalogue
from hanse_privacy.protocol.question_steps import Grouping

KEY = PseudonymKey(key_id="test", secret=bytes(range(32)))
GROUP = 'group = { column = "kind" }'
LISTED = (("1", "city"), ("2", "village"))


@pytest.fixture
def listed(shop):
    """The small shop, with both of its stores in a group."""
    shop.contract_text += STORES
    write_stores(shop, LISTED)
    return shop


def known_groups(shop, catalogue: Catalogue, folder: Path) -> frozenset[str]:
    report = ingest(shop.contract(), catalogue, KEY, vault=folder, today=TODAY)
    assert report.lines_read == 40
    return VaultData(path=folder / "purchases.duckdb", anchor=TODAY).groups(Grouping.STORE_GROUP)


def test_a_list_that_holds_every_store_is_no_finding(listed, catalogue) -> None:
    report = listed.examine(catalogue)
    assert (report.findings, report.lines, report.exit_code) == ((), 40, 0)


def test_a_contract_without_stores_is_whole(shop, catalogue) -> None:
    assert shop.contract().stores is None
    assert shop.examine(catalogue).findings == ()


def test_lines_of_a_store_in_no_group_are_a_warning_with_examples(listed, catalogue) -> None:
    write_stores(listed, LISTED[:1])
    report = listed.examine(catalogue)
    finding = found(report, FindingCode.STORE_WITHOUT_GROUP)
    of_store_two = [line for line in listed.lines if line[2] == "2"]
    assert (finding.severity, finding.count, len(finding.examples)) == (Severity.WARNING, len(of_store_two), 3)
    assert all("store 2" in example and "card-" not in example for example in finding.examples)
    assert report.exit_code == 0
    assert report.lines == 40


def test_an_empty_list_leaves_every_line_without_a_group(listed, catalogue) -> None:
    write_stores(listed, [])
    report = listed.examine(catalogue)
    assert found(report, FindingCode.STORE_WITHOUT_GROUP).count == report.lines == 40
    assert report.errors == ()


def test_a_line_without_a_store_is_told_once_as_what_it_is(listed, catalogue) -> None:
    listed.lines[0][2] = ""
    report = listed.examine(catalogue)
    assert [finding.code for finding in report.findings] == [FindingCode.WRONG_TYPE]


def test_a_store_in_two_groups_is_an_error_and_multiplies_no_line(listed, catalogue, tmp_path) -> None:
    write_stores(listed, [*LISTED, ("1", "village"), ("1", "airport")])
    report = listed.examine(catalogue)
    finding = found(report, FindingCode.DUPLICATE_STORE)
    assert (finding.severity, finding.count) == (Severity.ERROR, 1)
    assert finding.examples == ("export/stores.csv: store 1, 3 times",)
    assert (report.lines, report.exit_code) == (40, 2)
    with pytest.raises(DataRefusedError, match="DUPLICATE_STORE"):
        ingest(listed.contract(), catalogue, KEY, vault=tmp_path, today=TODAY)


def test_a_store_listed_twice_in_one_group_is_in_one_group(listed, catalogue) -> None:
    write_stores(listed, [*LISTED, ("1", "city"), (" 1 ", " city ")])
    assert listed.examine(catalogue).findings == ()


def test_a_list_in_several_files_is_one_list(listed, catalogue) -> None:
    write_stores(listed, LISTED[:1])
    write_stores(listed, [*LISTED[1:], ("1", "village")], name="stores-2.csv")
    report = listed.examine(catalogue)
    assert [finding.code for finding in report.findings] == [FindingCode.DUPLICATE_STORE]
    assert report.findings[0].examples == ("export/stores-2.csv: store 1, 2 times",)


def test_a_missing_file_is_named_with_its_part_of_the_contract(listed, catalogue) -> None:
    (listed.folder / "export" / "stores.csv").unlink()
    report = listed.examine(catalogue)
    finding = found(report, FindingCode.NO_FILES)
    assert "export/stores*.csv" in finding.what
    assert "[stores]" in finding.what
    assert "[stores]" in finding.mend
    assert report.exit_code == 2


@pytest.mark.parametrize(("place", "term"), [(0, "store"), (1, "group")])
def test_a_missing_column_is_named_with_its_term(listed, catalogue, place: int, term: str) -> None:
    header = ["branch", "kind"]
    header[place] = "other"
    write_stores(listed, LISTED, header=header)
    report = listed.examine(catalogue)
    finding = found(report, FindingCode.MISSING_COLUMN)
    assert f"mapped to {term}" in finding.what
    assert "[stores]" in finding.what
    assert f"stores.columns.{term}" in finding.mend
    assert finding.examples == (f"export/stores.csv has the columns {', '.join(header)}",)


def test_a_column_that_nobody_maps_is_told(listed, catalogue) -> None:
    write_stores(listed, [(*row, "Lübeck") for row in LISTED], header=("branch", "kind", "town"))
    report = listed.examine(catalogue)
    assert found(report, FindingCode.UNMAPPED_COLUMN).examples == ("town",)
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("row", "term", "example"),
    [
        (("3", ""), "group", "export/stores.csv: store 3, kind is None"),
        (("3", "  "), "group", "export/stores.csv: store 3, kind is '  '"),
        (("", "city"), "store", "export/stores.csv: store None, branch is None"),
    ],
)
def test_an_empty_store_or_group_is_an_error(listed, catalogue, row: tuple[str, str], term: str, example: str) -> None:
    write_stores(listed, [*LISTED, row])
    report = listed.examine(catalogue)
    finding = found(report, FindingCode.WRONG_TYPE)
    assert (finding.severity, finding.count, finding.examples) == (Severity.ERROR, 1, (example,))
    assert f"as {term}." in finding.what
    assert f"stores.columns.{term}" in finding.mend
    assert report.exit_code == 2


def in_parquet(shop, columns: dict[str, pa.Array]) -> None:
    shop.contract_text = shop.contract_text.replace(
        'files = "export/stores*.csv"\nformat = "csv"', 'files = "export/stores.parquet"\nformat = "parquet"'
    )
    pq.write_table(pa.table(columns), shop.folder / "export" / "stores.parquet")


def test_store_numbers_in_parquet_are_the_codes_of_the_sales(listed, catalogue) -> None:
    in_parquet(listed, {"branch": pa.array([1, 2], pa.int64()), "kind": pa.array(["city", "village"])})
    assert listed.examine(catalogue).findings == ()


def test_a_group_that_can_never_be_a_name_is_an_error(listed, catalogue) -> None:
    in_parquet(listed, {"branch": pa.array([1, 2]), "kind": pa.array([["city"], ["village"]])})
    finding = found(listed.examine(catalogue), FindingCode.WRONG_TYPE)
    assert "'kind' of [stores]" in finding.what
    assert "not codes" in finding.what


def test_stores_named_by_receipts_are_in_their_groups_too(listed, catalogue) -> None:
    with_receipts(listed, listed.receipts())
    write_stores(listed, LISTED[1:])
    report = listed.examine(catalogue)
    of_store_one = [line for line in listed.lines if line[2] == "1"]
    assert found(report, FindingCode.STORE_WITHOUT_GROUP).count == len(of_store_one) == 24
    assert report.errors == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('group = { column = "kind" }', "", "stores.columns.group: Field required"),
        ('store = { column = "branch" }', "", "stores.columns.store: Field required"),
        ('group = { column = "kind" }', 'group = { column = "" }', "stores.columns.group"),
        (
            'group = { column = "kind" }',
            'group = { column = "kind", divide_by = 10 }',
            "stores.columns.group.divide_by",
        ),
        (
            'group = { column = "kind" }',
            'group = { column = "kind" }\nregion = { column = "r" }',
            "stores.columns.region",
        ),
        ('files = "export/stores*.csv"', 'files = "/export/stores.csv"', "stores: Value error, files must be relative"),
        ('files = "export/stores*.csv"', "", "stores.files"),
    ],
)
def test_a_faulty_part_on_stores_is_refused_by_its_field(listed, old: str, new: str, words: str) -> None:
    assert old in listed.contract_text
    listed.contract_text = listed.contract_text.replace(old, new)
    with pytest.raises(ContractError) as caught:
        listed.contract()
    assert words in str(caught.value)


def test_an_unmapped_term_names_the_columns_that_the_list_has(listed) -> None:
    listed.contract_text = listed.contract_text.replace(GROUP, "")
    with pytest.raises(ContractError, match=r"The files of \[stores\] have the columns branch, kind"):
        listed.contract()


def test_what_groups_a_vault_knows_does_not_depend_on_who_bought_where(listed, catalogue, tmp_path) -> None:
    """A vault that refuses a question says which groups it knows: that may not tell whether somebody was there."""
    write_stores(listed, [*LISTED, ("3", "airport"), ("4", "station")])
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    known = known_groups(listed, catalogue, before)
    assert known == {"city", "village", "airport", "station"}
    # One customer who was at the airport, once; and one who was there without a card.
    listed.lines[0][2] = listed.lines[1][2] = "3"
    listed.lines[2][0], listed.lines[2][2] = "", "4"
    assert known_groups(listed, catalogue, after) == known


def write_items(folder: Path, rows: Sequence[Sequence[object]]) -> None:
    folder.mkdir()
    for name, written in (("items.csv", rows), ("articles.csv", [["article", "item"], ["G1", 0]])):
        write_csv(folder / name, written)


HEADER = ["item", "name", "category", "sensitive"]


def test_a_catalogue_says_which_categories_can_be_asked_for(tmp_path) -> None:
    rows = [
        HEADER,
        [0, "Milk", "dairy", "no"],
        [1, "Apples", "fruit", "no"],
        [2, "Lactose-free milk", "dairy", "yes"],
        [3, "Painkillers", "pharmacy", "yes"],
    ]
    write_items(tmp_path / "catalogue", rows)
    catalogue = load_catalogue(tmp_path / "catalogue")
    assert catalogue.categories == ("dairy", "fruit")
    assert [item.category for item in catalogue.items] == ["dairy", "fruit", "dairy", "pharmacy"]


def test_another_category_is_another_catalogue(tmp_path) -> None:
    for name in ("dairy", "drinks"):
        write_items(tmp_path / name, [HEADER, [0, "Milk", name, "no"]])
    assert load_catalogue(tmp_path / "dairy").digest != load_catalogue(tmp_path / "drinks").digest


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([HEADER, [0, "Milk", "dairy", "no"], [1, "Bread", "", "no"]], "Line 3 of items.csv is not valid.*category"),
        ([HEADER, [0, "Milk", " dairy", "no"]], "Line 2 of items.csv is not valid.*no blank"),
        ([HEADER, [0, "Milk", "d" * 101, "no"]], "Line 2 of items.csv is not valid.*100 characters"),
        ([HEADER, [0, "Milk", "", "yes"]], "Line 2 of items.csv"),
        ([["item", "name", "sensitive"], [0, "Milk", "no"]], "other columns than expected.*item, name, category"),
        ([["item", "name", "sensitive", "category"], [0, "Milk", "no", "dairy"]], "other columns than expected"),
        ([HEADER, [0, "Milk", "no"]], "other columns than expected"),
    ],
    ids=[
        "empty",
        "blank-before",
        "too-long",
        "empty-and-sensitive",
        "the-old-columns",
        "another-order",
        "a-short-line",
    ],
)
def test_a_catalogue_without_categories_is_refused(tmp_path, rows: Sequence[Sequence[object]], words: str) -> None:
    write_items(tmp_path / "catalogue", rows)
    with pytest.raises(CatalogueError, match=f"(?s){words}"):
        load_catalogue(tmp_path / "catalogue")
