import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse_client.data.errors import DataRefusedError, DataUnreadableError, VaultStorageError
from hanse_client.data.ingest import DATABASE_NAME, ingest
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.data.queries import VaultData
from hanse_privacy.errors import InvalidValueError

TODAY = date(2025, 3, 1)
FIRST = date(2025, 1, 1)
ANCHOR = date(2024, 12, 30)
KEY = PseudonymKey(key_id="test", secret=bytes(range(32)))
ITEM_OF = {"10": 0, "11": 0, "12": 1}  # 13 is sensitive, 14 not in the catalogue, 99 not in the master

line = st.tuples(
    st.sampled_from(["", "a", "b", "c", "d"]),  # customer
    st.integers(0, 59),  # day
    st.sampled_from(["1", "2"]),  # store
    st.sampled_from(["1", "2", "3"]),  # receipt
    st.sampled_from(["10", "11", "12", "13", "14", "99"]),  # product
    st.integers(0, 100),  # quantity
    st.integers(0, 50_000),  # cents
    st.integers(0, 50_000),  # cents off
)


def spelled(customer, day, store, receipt, product, quantity, cents, off):
    return [customer, (FIRST + timedelta(days=day)).isoformat(), store, receipt, product, str(quantity)] + [
        f"{money / 100:.2f}" for money in (cents, off)
    ]


def expected(lines, cohort, last_week):
    """The same questions, answered line by line in Python."""
    baskets, item_baskets = defaultdict(set), defaultdict(set)
    money = defaultdict(lambda: np.zeros(2))
    stores, items = defaultdict(set), defaultdict(set)
    for customer, day, store, receipt, product, _, cents, off in lines:
        week = (FIRST + timedelta(days=day) - ANCHOR).days // 7 + 1
        if customer == "" or customer not in cohort or week > last_week:
            continue
        place = cohort.index(customer)
        baskets[place, week].add((day, store, receipt))
        money[place, week] += cents / 100, off / 100
        stores[place].add(store)
        if product in ITEM_OF:
            item_baskets[place, ITEM_OF[product], week].add((day, store, receipt))
            items[place].add(ITEM_OF[product])
    return (
        {key: len(found) for key, found in baskets.items()},
        money,
        {key: len(found) for key, found in item_baskets.items()},
        [len(stores[place]) for place in range(len(cohort))],
        [len(items[place]) for place in range(len(cohort))],
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(line, min_size=1, max_size=60),
    cohort=st.lists(st.sampled_from(["a", "b", "c", "d", "stranger"]), unique=True),
    last_week=st.integers(1, 12),
)
def test_ingest_and_queries_equal_a_count_by_hand(shop, catalogue, lines, cohort, last_week):
    lines = [("a", 0, "1", "1", "10", 1, 100, 0), *lines]
    shop.contract_text = shop.contract_text.replace("minimum_customers = 3", "minimum_customers = 1")
    if "duplicate_line_share" not in shop.contract_text:
        shop.contract_text += "duplicate_line_share = 1.0\nunknown_product_share = 1.0\n"
    shop.lines = [spelled(*given_line) for given_line in lines]
    with tempfile.TemporaryDirectory() as folder:
        report = ingest(shop.contract(), catalogue, KEY, vault=Path(folder), today=TODAY)
        data = VaultData(path=Path(folder) / DATABASE_NAME, anchor=ANCHOR)
        loaded = data.history(KEY.pseudonyms(cohort), last_week=last_week)
        breadth = data.breadth(KEY.pseudonyms(cohort), last_week=last_week)
        known = set(data.customers())
    customers = {given_line[0] for given_line in lines} - {""}
    baskets, money, item_baskets, stores, items = expected(lines, cohort, last_week)
    weeks, bought = loaded.basket_weeks, loaded.item_weeks
    keys = list(zip(weeks.customer.tolist(), weeks.week.tolist(), strict=True))
    assert dict(zip(keys, weeks.baskets.tolist(), strict=True)) == baskets
    for key, value, discount in zip(keys, weeks.value, weeks.discount, strict=True):
        assert (value, discount) == pytest.approx(tuple(money[key]))
    found = zip(bought.customer.tolist(), bought.item.tolist(), bought.week.tolist(), strict=True)
    assert dict(zip(found, bought.baskets.tolist(), strict=True)) == item_baskets
    assert breadth.stores.tolist() == stores
    assert breadth.items.tolist() == items
    assert known == set(KEY.pseudonyms(customers))
    assert (loaded.customers, loaded.items) == (len(cohort), 3)
    kinds = [given_line[4] for given_line in lines if given_line[0]]
    assert report.lines_read == len(lines)
    assert report.lines_without_customer == len(lines) - len(kinds)
    assert report.lines_used == sum(kind in ITEM_OF for kind in kinds)
    assert report.lines_sensitive == kinds.count("13")
    assert report.lines_outside_catalogue == kinds.count("14")
    assert report.lines_unknown_product == kinds.count("99")
    assert report.customers == len(customers)


@pytest.fixture
def vault(shop, catalogue, tmp_path):
    folder = tmp_path / "vault"
    folder.mkdir()
    ingest(shop.contract(), catalogue, KEY, vault=folder, today=TODAY)
    return folder


def test_database_is_private_and_alone(vault):
    assert [path.name for path in vault.iterdir()] == [DATABASE_NAME]
    assert (vault / DATABASE_NAME).stat().st_mode & 0o777 == 0o600


def test_no_raw_identifier_and_no_sensitive_item_reaches_the_database(shop, catalogue, tmp_path):
    shop.lines[0][4] = "13"
    ingest(shop.contract(), catalogue, KEY, vault=tmp_path, today=TODAY)
    content = (tmp_path / DATABASE_NAME).read_bytes()
    assert b"card-" not in content
    connection = duckdb.connect(tmp_path / DATABASE_NAME, read_only=True)
    tables = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    assert tables == {"customer", "basket", "purchase", "item", "store", "origin"}
    for table in tables:
        for row in connection.table(table).fetchall():
            assert not any(str(value).startswith("card-") for value in row)
    assert {item for (item,) in connection.execute("SELECT DISTINCT item FROM purchase").fetchall()} == {0, 1}
    connection.close()


def test_only_the_cohort_comes_up(vault):
    data = VaultData(path=vault / DATABASE_NAME, anchor=ANCHOR)
    one = KEY.pseudonyms(["card-2"])
    loaded = data.history(one, last_week=53)
    assert set(loaded.basket_weeks.customer.tolist()) == {0}
    assert loaded.basket_weeks.baskets.sum() == 5
    assert loaded.item_weeks.baskets.sum() == 10
    empty = data.history([], last_week=53)
    assert (empty.customers, len(empty.item_weeks.item), len(empty.basket_weeks.week)) == (0, 0, 0)


def test_cohort_order_numbers_the_customers_and_a_stranger_is_an_empty_row(vault):
    data = VaultData(path=vault / DATABASE_NAME, anchor=ANCHOR)
    cohort = KEY.pseudonyms(["card-3", "nobody", "card-0"])
    loaded = data.history(cohort, last_week=53)
    assert loaded.customers == 3
    assert set(loaded.basket_weeks.customer.tolist()) == set(loaded.item_weeks.customer.tolist()) == {0, 2}
    with pytest.raises(InvalidValueError, match="repeated"):
        data.history([cohort[0], cohort[0]], last_week=53)


def test_purchases_before_week_one_are_in_no_statistic(vault):
    data = VaultData(path=vault / DATABASE_NAME, anchor=date(2025, 2, 22))
    loaded = data.history(KEY.pseudonyms(["card-0"]), last_week=53)
    # Of five baskets, those of 20 and 21 February lie before.
    assert loaded.basket_weeks.week.tolist() == [1]
    assert loaded.basket_weeks.baskets.tolist() == [3]
    assert set(loaded.item_weeks.week.tolist()) == {1}


def test_activity_is_the_history_without_what_was_bought(vault):
    data = VaultData(path=vault / DATABASE_NAME, anchor=ANCHOR)
    cohort = KEY.pseudonyms(["card-3", "nobody", "card-0"])
    activity = data.activity(cohort, last_week=8)
    whole = data.history(cohort, last_week=8).basket_weeks
    for column in ("customer", "week", "baskets", "value", "discount"):
        assert getattr(activity, column).tolist() == getattr(whole, column).tolist() != []


def test_origin(vault, catalogue):
    origin = VaultData(path=vault / DATABASE_NAME, anchor=ANCHOR).origin()
    assert (origin.catalogue_digest, origin.catalogue_items) == (catalogue.digest, 3)


def test_refused_export_leaves_the_old_database(shop, catalogue, vault):
    before = (vault / DATABASE_NAME).read_bytes()
    shop.lines[0][5] = "-1"
    with pytest.raises(DataRefusedError, match="NEGATIVE_QUANTITY") as caught:
        ingest(shop.contract(), catalogue, KEY, vault=vault, today=TODAY)
    assert caught.value.exit_code == 2
    assert (vault / DATABASE_NAME).read_bytes() == before
    assert [path.name for path in vault.iterdir()] == [DATABASE_NAME]


def test_new_key_new_pseudonyms_old_reader_sees_them_at_its_next_call(shop, catalogue, vault):
    data = VaultData(path=vault / DATABASE_NAME, anchor=ANCHOR)
    old = set(data.customers())
    ingest(shop.contract(), catalogue, PseudonymKey.generate("next"), vault=vault, today=TODAY)
    assert not old & set(data.customers())


def test_full_disk_leaves_the_old_database(shop, vault, tmp_path):
    """A limit on file sizes stands in for a full disk: the same write fails, half way."""
    before = (vault / DATABASE_NAME).read_bytes()
    shop.write()
    program = f"""
import resource, signal, sys
from datetime import date
from pathlib import Path
from hanse_models.catalogue import load_catalogue
from hanse_client.data.contract import load_contract
from hanse_client.data.errors import VaultStorageError
from hanse_client.data.ingest import ingest
from hanse_client.data.pseudonyms import PseudonymKey
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    shop = Path({str(tmp_path)!r})
    catalogue = load_catalogue(shop / "catalogue")
    key = PseudonymKey.generate("k")
    ingest(load_contract(shop / "contract.toml"), catalogue, key, vault=shop / "vault", today=date(2025, 3, 1))
except VaultStorageError as error:
    print(error)
    sys.exit(0)
sys.exit(1)
"""
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Free disk space" in done.stdout
    assert (vault / DATABASE_NAME).read_bytes() == before
    assert [path.name for path in vault.iterdir()] == [DATABASE_NAME]


def test_missing_folder_and_missing_or_damaged_database(shop, catalogue, tmp_path):
    with pytest.raises(VaultStorageError, match="No such file"):
        ingest(shop.contract(), catalogue, KEY, vault=tmp_path / "nowhere", today=TODAY)
    data = VaultData(path=tmp_path / DATABASE_NAME, anchor=ANCHOR)
    with pytest.raises(DataUnreadableError, match="no vault database"):
        data.customers()
    (tmp_path / DATABASE_NAME).write_bytes(b"nonsense" * 5000)
    with pytest.raises(DataUnreadableError):
        data.history([], last_week=1)
