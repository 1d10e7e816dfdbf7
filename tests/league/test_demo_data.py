"""The demo's own data: four exports that share nothing, and contracts that read them."""

import shutil
import tomllib
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from hanse_client.data.contract import load_contract
from hanse_client.data.doctor import examine
from hanse_client.data.ingest import DATABASE_NAME, ingest
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.data.queries import VaultData
from hanse_demo import complete_journey
from hanse_demo.complete_journey import DemoDataMissingError, cut, data_folder
from hanse_demo.cutting import PartnerName
from hanse_demo.public_catalogue import EXCLUDED_DEPARTMENTS
from hanse_models.catalogue import load_catalogue

EXAMPLES = Path(__file__).parents[2] / "examples"
WEEK_ONE = date(2016, 12, 26)
CUSTOMER_COLUMN = {
    "alder/export/sales-*.parquet": "card_no",
    "birch/export/receipts.parquet": "member",
    "cedar/export/kassenbons.parquet": "Kundenkarte",
    "dune/export/store-*.parquet": "customer_code",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    report = cut(folder, 1)
    for partner in PartnerName:
        shutil.copy(EXAMPLES / "complete_journey/partners" / partner / "contract.toml", folder / "partners" / partner)
    return folder, report


def test_no_two_partners_share_a_customer_identifier(demo):
    folder, report = demo
    mapped = duckdb.sql(f"SELECT partner, card FROM '{report.mapping}'").fetchall()
    seen: set[str] = set()
    for files, column in CUSTOMER_COLUMN.items():
        rows = duckdb.sql(f"SELECT DISTINCT {column}::VARCHAR FROM '{folder / 'partners' / files}'").fetchall()
        cards = {value for (value,) in rows}
        assert cards == {card for partner, card in mapped if files.startswith(partner)}
        assert not cards & seen
        seen |= cards
    households = duckdb.sql(f"SELECT DISTINCT household::VARCHAR FROM '{report.mapping}'").fetchall()
    assert not seen & {household for (household,) in households}


def test_no_two_vaults_share_a_customer_identifier(demo, tmp_path):
    """What a vault keeps is under its own key: not even the same card number would meet, and no card is in it."""
    folder, report = demo
    catalogue = load_catalogue(folder / "league/catalogue")
    cards = {card for (card,) in duckdb.sql(f"SELECT card FROM '{report.mapping}'").fetchall()}
    seen: set[str] = set()
    for partner in ("cedar", "dune"):
        key = PseudonymKey.generate("k")
        (tmp_path / partner).mkdir()
        contract = load_contract(folder / "partners" / partner / "contract.toml")
        ingest(contract, catalogue, key, vault=tmp_path / partner, today=date(2018, 1, 1))
        state = tmp_path / partner / DATABASE_NAME
        pseudonyms = set(VaultData(path=state, anchor=WEEK_ONE).customers())
        assert pseudonyms
        assert not pseudonyms & (seen | cards)
        assert not any(card.encode() in state.read_bytes() for card in list(cards)[:200])
        # The very same identifiers under another partner's key share nothing, either.
        assert not pseudonyms & set(PseudonymKey.generate("other").pseudonyms(sorted(cards)))
        seen |= pseudonyms


def test_mapping_lies_outside_every_partner(demo):
    folder, report = demo
    assert report.mapping.parent == folder / "visible_to_no_party"


def test_one_partner_is_small_and_households_overlap(demo):
    _, report = demo
    households = {partner.name: partner.households for partner in report.partners}
    assert 60 <= households[PartnerName.DUNE] <= 100
    assert all(households[name] > 1000 for name in PartnerName if name is not PartnerName.DUNE)
    regular = {partner.name: partner.regular_households for partner in report.partners}
    assert regular[PartnerName.DUNE] >= 60
    assert set(report.households_by_partners) == {1, 2, 3, 4}
    assert sum(k * n for k, n in report.households_by_partners.items()) == sum(households.values())


def test_every_grocery_line_is_in_exactly_one_export(demo):
    _, report = demo
    data = data_folder()
    departments = ", ".join(f"'{department}'" for department in EXCLUDED_DEPARTMENTS)
    lines, households = duckdb.sql(
        f"SELECT count(*), count(DISTINCT household_id) FROM '{data / 'transactions.parquet'}' "
        f"JOIN '{data / 'products.parquet'}' USING (product_id) WHERE department NOT IN ({departments})"
    ).fetchall()[0]
    assert sum(partner.lines for partner in report.partners) == lines
    assert lines + report.lines_left_out == 1_469_307
    assert sum(report.households_by_partners.values()) == households


def test_same_seed_same_data_other_seed_other_stores(demo, tmp_path):
    folder, report = demo
    again = cut(tmp_path, 1)
    assert again.partners == report.partners
    for name in ("partners/cedar/export/kassenbons.parquet", "league/catalogue/items.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert cut(tmp_path, 2).partners != report.partners


@pytest.mark.parametrize("partner", list(PartnerName))
def test_contract_reads_the_export_without_a_finding_that_matters(demo, partner):
    folder, _ = demo
    catalogue = load_catalogue(folder / "league/catalogue")
    contract = load_contract(folder / "partners" / partner / "contract.toml")
    assert examine(contract, catalogue, today=date(2018, 1, 1)).errors == ()


def test_week_one_reproduces_the_week_column_of_the_data():
    """On every line: days are local to New York (the data's timestamps are in UTC), weeks begin on Monday."""
    lines = pd.read_parquet(data_folder() / "transactions.parquet", columns=["week", "transaction_timestamp"])
    local = lines.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    days = local.dt.tz_localize(None).dt.normalize()
    assert len(lines) == 1_469_307
    assert ((days - pd.Timestamp(WEEK_ONE)).dt.days // 7 + 1 == lines.week).all()
    league = tomllib.loads((EXAMPLES / "complete_journey/league/league.toml").read_text(encoding="utf-8"))
    assert league["week_one"] == WEEK_ONE


def test_vault_of_birch_counts_what_the_source_holds(demo, tmp_path):
    """Weeks, baskets and money, from the package's own week column, past the export and the contract."""
    folder, report = demo
    key = PseudonymKey.generate("k")
    contract = load_contract(folder / "partners/birch/contract.toml")
    ingest(contract, load_catalogue(folder / "league/catalogue"), key, vault=tmp_path, today=date(2018, 1, 1))
    cards = dict(duckdb.sql(f"SELECT card, household FROM '{report.mapping}' WHERE partner = 'birch'").fetchall())
    cohort = sorted(cards)[:50]
    history = (
        VaultData(path=tmp_path / DATABASE_NAME, anchor=WEEK_ONE)
        .history(key.pseudonyms(cohort), last_week=53)
        .basket_weeks
    )
    data = data_folder()
    departments = ", ".join(f"'{department}'" for department in EXCLUDED_DEPARTMENTS)
    households = ", ".join(str(cards[card]) for card in cohort)
    source = duckdb.sql(
        f"SELECT household_id, store_id, week, basket_id, sales_value FROM '{data / 'transactions.parquet'}' "
        f"JOIN '{data / 'products.parquet'}' USING (product_id) "
        f"WHERE department NOT IN ({departments}) AND household_id IN ({households})"
    ).fetchall()
    baskets_by_store = {}
    for _, store, _, basket, _ in source:
        baskets_by_store.setdefault(store, set()).add(basket)
    receipts = duckdb.sql(
        f"SELECT member, purchase_time FROM '{folder}/partners/birch/export/receipts.parquet'"
    ).fetchall()
    assert history.baskets.sum() == sum(member in set(cohort) for member, _ in receipts)
    # Per household and week, Birch's baskets are some of the household's, never more.
    all_weeks = {}
    for household, _, week, basket, _ in source:
        all_weeks.setdefault((household, week), set()).add(basket)
    for place, week, baskets in zip(history.customer, history.week, history.baskets, strict=True):
        assert baskets <= len(all_weeks[cards[cohort[place]], int(week)])


def test_absent_package_is_one_sentence_with_the_mend(monkeypatch, tmp_path):
    monkeypatch.setattr(complete_journey.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DemoDataMissingError, match=r"pip install 'hanse\[demo\]'"):
        cut(tmp_path, 1)


@pytest.mark.parametrize("partner", ["north", "south"])
def test_own_data_is_clean_and_small(partner):
    folder = EXAMPLES / "own_data"
    contract = load_contract(folder / "partners" / partner / "contract.toml")
    report = examine(contract, load_catalogue(folder / "league/catalogue"), today=date(2026, 1, 1))
    assert report.errors == ()
    assert report.customers == 150
    assert all(path.stat().st_size <= 150_000 for path in (folder / "partners" / partner / "export").iterdir())
