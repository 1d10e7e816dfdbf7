from datetime import date

import pytest
from small_shop import write_catalogue

from hanse_client.data.contract import load_contract
from hanse_client.data.errors import ContractError
from hanse_client.data.findings import FindingCode
from hanse_models.catalogue import CatalogueError, load_catalogue


def refused(shop, text):
    shop.contract_text = text
    with pytest.raises(ContractError) as caught:
        shop.contract()
    return str(caught.value)


def test_reads(shop):
    contract = shop.contract()
    assert contract.contract.partner == "corner-shop"
    assert contract.limits.earliest == date(2025, 1, 1)
    assert contract.folder == shop.folder.resolve()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version = 1", "version = 2", "contract.version"),
        ("version = 1", "version = 1\nowner = 'x'", "contract.owner"),
        ("minimum_customers = 3", "minimum_customers = 0", "limits.minimum_customers"),
        ("earliest = 2025-01-01", "earliest = 2025-01-01\nlatest = 2024-01-01", "latest must not be before earliest"),
        ('column = "pieces" }', 'column = "pieces", divide_by = 0 }', "sales.columns.quantity.divide_by"),
        ('column = "card" }', 'column = "card", divide_by = 100 }', "sales.columns.customer.divide_by"),
        ('column = "sold_at" }', 'column = "sold_at", time_format = "%d.%m" }', "must name year, month and day"),
        ('files = "export/sales*.csv"', 'files = "/export/sales*.csv"', "relative to the contract"),
        ('format = "csv"', 'format = "xlsx"', "sales.format"),
        ('store = { column = "shop" }', "", "store is not mapped"),
        ("[contract]", "folder = '/tmp'\n[contract]", "folder"),
        ("[contract]", "[contract", "no TOML"),
    ],
)
def test_refusal_names_the_field(shop, old, new, words):
    assert words in refused(shop, shop.contract_text.replace(old, new, 1))


def test_unmapped_term_names_the_columns_that_exist(shop):
    shop.write()
    text = refused(shop, shop.contract_text.replace('quantity = { column = "pieces" }', ""))
    assert "sales.columns.quantity: Field required" in text
    assert "The files of [sales] have the columns card, sold_at, shop, till_receipt, plu, pieces, paid, saved" in text


def test_missing_file(tmp_path):
    with pytest.raises(ContractError, match="cannot be read"):
        load_contract(tmp_path / "contract.toml")


def test_decimal_comma_never_guesses_at_points(shop, catalogue):
    shop.contract_text = shop.contract_text.replace(
        'files = "export/sales*.csv"\nformat = "csv"\n',
        'files = "export/sales*.csv"\nformat = "csv"\n[sales.csv]\ndelimiter = ","\ndecimal_comma = true\n',
    )
    for line in shop.lines:
        line[6:8] = ["2,50", "0,10"]
    assert shop.examine(catalogue).errors == ()
    shop.lines[0][6] = "1.250"
    assert [finding.code for finding in shop.examine(catalogue).errors] == [FindingCode.WRONG_TYPE]


@pytest.mark.parametrize(
    ("items", "articles"),
    [
        ([("Milk", "food", "maybe")], {"G1": 0}),
        ([("Milk", "food", "no")], {"G1": 1}),
        ([("Milk", "food", "no")], {}),
        ([], {}),
    ],
)
def test_catalogue_that_contradicts_itself(tmp_path, items, articles):
    with pytest.raises(CatalogueError):
        write_catalogue(tmp_path / "bad", items, articles)


def test_catalogue_with_an_article_twice(tmp_path):
    write_catalogue(tmp_path / "c", [("Milk", "food", "no"), ("Bread", "food", "no")], {"G1": 0})
    with (tmp_path / "c/articles.csv").open("a") as file:
        file.write("G1,1\n")
    with pytest.raises(CatalogueError, match="Line 3"):
        load_catalogue(tmp_path / "c")
