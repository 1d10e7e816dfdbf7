"""Acts and records out and in again: exact, safe in a spreadsheet, streaming, and silent about customers."""

import csv
import io
import itertools
import json
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyld import jsonld

from hanse_consent.domain.acts import ActKind, Age, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.records.cells import neutral, original
from hanse_consent.records.errors import ActsFileError
from hanse_consent.records.export import (
    ACT_COLUMNS,
    RECORD_COLUMNS,
    acts_as_csv,
    acts_as_ndjson,
    records_as_csv,
    records_as_json_ld,
    records_as_ndjson,
)
from hanse_consent.records.importing import acts_from_csv, acts_from_ndjson
from hanse_consent.records.record import make_record
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.evidence import act_row, detail_row
from hanse_consent.storage.stored_acts import StoredAct
from hanse_consent.storage.tables import RecordedActRow
from hanse_privacy.errors import InvalidValueError

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
NASTY = st.one_of(
    st.text(max_size=20),
    st.builds(str.__add__, st.sampled_from([*DANGEROUS, "'", "''=", "\n", '"', "\ufeff", "\x00"]), st.text(max_size=8)),
)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])
MOMENTS = st.datetimes(
    min_value=datetime.fromisoformat("1971-01-01"), max_value=datetime.fromisoformat("2200-01-01"), timezones=ZONES
)
KEYS = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)
CUSTOMERS = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)


@st.composite
def acts(draw):
    kind = draw(st.sampled_from(ActKind))
    fields = {"kind": kind, "customer": draw(CUSTOMERS), "said_at": draw(MOMENTS), "key": draw(KEYS)}
    grants = kind in (ActKind.GRANT, ActKind.RENEWAL)
    guardian = kind in (ActKind.GUARDIAN_GRANT, ActKind.GUARDIAN_WITHDRAWAL)
    if grants or guardian or kind in (ActKind.REFUSAL, ActKind.DEFERRAL, ActKind.WITHDRAWAL, ActKind.OBJECTION):
        fields["purpose"] = draw(NAMES)
    if grants:
        fields["tier"] = draw(st.sampled_from(["basic", "standard", "advanced"]))
    fields["notice"] = draw(NAMES) + "@1.2"
    if kind in (ActKind.SEPARATE_GRANT, ActKind.SEPARATE_WITHDRAWAL):
        subject = draw(st.from_regex(r"[A-Za-z][A-Za-z0-9:-]{0,30}", fullmatch=True))
        fields["separate"] = SeparateConsent(matter=draw(st.sampled_from(SeparateMatter)), subject=subject)
    if kind is ActKind.PROFILE:
        fields["country"] = draw(st.none() | st.just("CN"))
        minor = Age(adult=False, born_on=draw(st.dates(min_value=date(2009, 1, 1))))
        fields["age"] = draw(st.sampled_from([Age(adult=True), minor]))
    fields["ends_at"] = draw(st.none() | st.just(fields["said_at"] + timedelta(microseconds=1)))
    fields["explicit"], fields["preselected"] = draw(st.booleans()), draw(st.booleans())
    fields["language"] = draw(st.sampled_from([None, "en", "zh-Hans"]))
    fields["interaction"] = draw(st.none() | KEYS)
    fields["channel"] = draw(st.none() | NAMES)
    return ConsentAct.model_validate(fields)


def as_stored(said):
    """Acts as the store gives them back."""
    moment = to_microseconds(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))
    found = []
    for position, act in enumerate(said, start=1):
        row = act_row(act, controller_no=1, position=position, customer_no=1, recorded_us=moment, registry_version=1)
        columns = dict(zip(table_of(RecordedActRow).columns.keys(), row, strict=True))
        country, adult, born_on = detail_row(act, controller_no=1, position=position, customer_no=1)[3:]
        del columns["controller_no"]
        found.append(
            StoredAct(**columns, pseudonym=bytes.fromhex(act.customer), country=country, adult=adult, born_on=born_on)
        )
    return found


def read(reader, data, **options):
    return [act for lines in reader(io.BytesIO(data), **options) for act in lines.acts]


@given(cell=NASTY)
def test_a_cell_is_never_a_formula_and_always_read_back(cell):
    written = neutral(cell)
    assert not written.startswith(DANGEROUS)
    assert original(written) == cell


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(said=st.lists(acts(), max_size=6), mark=st.booleans(), lf=st.booleans(), batch=st.integers(1, 4))
def test_acts_make_the_round_trip_through_csv(said, mark, lf, batch):
    data = b"".join(acts_as_csv(as_stored(said), byte_order_mark=mark))
    assert data.startswith(b"\xef\xbb\xbf") is mark
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert not any(cell.startswith(DANGEROUS) for row in rows for cell in row)
    assert [row[0] for row in rows[1:]] == [str(n) for n in range(1, len(said) + 1)]
    if lf:
        data = data.replace(b"\r\n", b"\n")
    assert read(acts_from_csv, data, batch=batch) == said


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(said=st.lists(acts(), max_size=6), mark=st.booleans(), crlf=st.booleans(), batch=st.integers(1, 4))
def test_acts_make_the_round_trip_through_ndjson(said, mark, crlf, batch):
    data = b"".join(acts_as_ndjson(as_stored(said)))
    assert [json.loads(line)["position"] for line in data.splitlines()] == list(range(1, len(said) + 1))
    data = (b"\xef\xbb\xbf" if mark else b"") + (data.replace(b"\n", b"\r\n") if crlf else data)
    assert read(acts_from_ndjson, data, batch=batch) == said


def test_a_key_that_looks_like_a_formula_is_neutral_in_the_file(shop):
    data = b"".join(acts_as_csv(as_stored([shop.act(key="-1", interaction="-2")])))
    assert b",'-1," in data
    assert b",'-2," in data
    assert read(acts_from_csv, data)[0].key == "-1"


def test_columns_may_stand_in_any_order_and_unused_ones_be_missing(shop):
    text = f"said_at,key,customer,kind\n2026-05-04T12:00:00+08:00,k,{shop.customer},erasure\n\n"
    (act,) = read(acts_from_csv, text.encode())
    assert act.kind is ActKind.ERASURE
    assert act.said_at == datetime(2026, 5, 4, 4, 0, tzinfo=UTC)


def test_plain_acts_and_exported_ones_are_both_read_from_ndjson(shop):
    act = shop.act()
    lines = act.model_dump_json() + "\n\n" + json.dumps({"act": json.loads(act.model_dump_json())}) + "\n"
    assert read(acts_from_ndjson, lines.encode()) == [act, act]


def test_batches_know_their_lines(shop):
    said = [shop.act(key=f"k{n}") for n in range(5)]
    data = b"".join(acts_as_csv(as_stored(said)))
    assert [lines.lines for lines in acts_from_csv(io.BytesIO(data), batch=2)] == [(2, 3), (4, 5), (6,)]
    data = b"\n".join(line for line in b"".join(acts_as_ndjson(as_stored(said))).splitlines() for _ in (1,))
    assert [lines.lines for lines in acts_from_ndjson(io.BytesIO(data), batch=3)] == [(1, 2, 3), (4, 5)]


@pytest.mark.parametrize("batch", [0, 10_001])
def test_a_batch_has_bounds(batch):
    for reader in (acts_from_csv, acts_from_ndjson):
        with pytest.raises(InvalidValueError, match="batch"):
            reader(io.BytesIO(b""), batch=batch)


SECRET = "5ec4e7" * 5 + "5e"
HEAD = "kind,customer,said_at,key,explicit\n"
GOOD = f"erasure,{'a' * 32},2026-05-04T12:00:00Z,k1,\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (HEAD + GOOD + f"erasure,{SECRET}X,2026-05-04T12:00:00Z,k,\n", 3, "customer"),
        (HEAD + f"erasure,{SECRET},1777896000,k,\n", 2, "said_at"),
        (HEAD + f"erasure,{SECRET},2026-05-04T12:00:00Z,k,yes\n", 2, "neither true nor false"),
        (HEAD + f"{SECRET},{SECRET},2026-05-04T12:00:00Z,k,\n", 2, "kind"),
        (HEAD + GOOD + f"erasure,{SECRET}\n", 3, "2 cells, the first line 5"),
        (HEAD + f'erasure,"{SECRET},2026-05-04T12:00:00Z,k,\n', 2, "quotes"),
        (HEAD + f'erasure,"{SECRET}"x,2026-05-04T12:00:00Z,k,\n', 2, "quotes"),
        (GOOD.replace("a" * 32, SECRET), 1, "column 1"),
        (f"kind,{SECRET}\n", 1, "column 2"),
        ("kind,kind\n", 1, "column 2"),
        (HEAD + GOOD + SECRET * 3000, 3, "longer than"),
        (HEAD + f"grant,{SECRET},2026-05-04T12:00:00Z,k,\n", 2, "a grant must name its purpose"),
    ],
)
def test_an_error_in_csv_names_the_line_and_nobody(text, line, said):
    with pytest.raises(ActsFileError, match=f"Line {line}: .*{said}") as caught:
        read(acts_from_csv, text.encode())
    assert caught.value.line == line
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


ACT = {"kind": "erasure", "customer": "a" * 32, "said_at": "2026-05-04T12:00:00Z", "key": "k"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (json.dumps(ACT | {"customer": SECRET + "X"}), "customer"),
        (json.dumps(ACT | {SECRET: 1}), "an unknown field"),
        (json.dumps({"act": ACT, SECRET: 1}), "fields beside"),
        (json.dumps([SECRET]), "the act"),
        (json.dumps({"act": SECRET}), "the act"),
        (json.dumps(ACT)[:-1] + f',"customer":"{SECRET}"}}', "twice"),
        (json.dumps(ACT, separators=(",", ":"))[:-1] + ',"kind":"grant"}', "twice"),
        (json.dumps(ACT, separators=(",", ":"))[:-1] + ',"separate":{"matter":"x","matter":"x"}}', "twice"),
        (json.dumps(ACT)[:-1], "not JSON"),
        ("[" * 20_000, "not JSON"),
        (json.dumps(ACT | {"customer": SECRET, "separate": {"matter": SECRET}}), "separate"),
        (json.dumps(ACT | {"said_at": 1777896000}), "said_at"),
    ],
)
def test_an_error_in_ndjson_names_the_line_and_nobody(line, said):
    text = json.dumps(ACT) + "\n" + line + "\n"
    with pytest.raises(ActsFileError, match=f"Line 2: .*{said}") as caught:
        read(acts_from_ndjson, text.encode())
    assert SECRET not in str(caught.value)


def test_what_is_not_utf_8_is_refused(shop):
    for reader, head in ((acts_from_csv, HEAD.encode()), (acts_from_ndjson, b"\n")):
        with pytest.raises(ActsFileError, match="Line 2: it is not UTF-8"):
            read(reader, head + b"\xff\xfe\n")


def test_batches_before_the_fault_are_handed_on():
    text = HEAD + GOOD * 4 + "erasure\n"
    reader = acts_from_csv(io.BytesIO(text.encode()), batch=2)
    assert len(next(reader).acts) == 2
    assert len(next(reader).acts) == 2
    with pytest.raises(ActsFileError, match="Line 6"):
        next(reader)


class Endless(io.RawIOBase):
    """A file without end, made while it is read."""

    def __init__(self, head, line):
        self.head, self.line = head, line

    def readline(self, size=-1):
        head, self.head = self.head, b""
        return head or self.line


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_memory_stays_flat_both_ways(shop, form):
    forever = itertools.repeat(as_stored([shop.act()])[0])
    export, reader = {"csv": (acts_as_csv, acts_from_csv), "ndjson": (acts_as_ndjson, acts_from_ndjson)}[form]
    lines = b"".join(export(as_stored([shop.act()]))).splitlines(keepends=True)
    head, line = (lines[0], lines[1]) if form == "csv" else (lines[0], lines[0])
    tracemalloc.start()
    try:
        for _ in itertools.islice(export(forever), 10):
            pass
        for _ in itertools.islice(reader(Endless(head, line), batch=500), 10):
            pass
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture
def records(shop):
    registry = shop.registry(purposes=(shop.purpose(title='=HYPERLINK("x")', description='a\r\nb,"c"'),))
    source = shop.source(registry=registry)
    return [make_record(shop.recorded(shop.act(customer=letter * 32)), source, purpose=shop.name) for letter in "abc"]


def test_records_as_csv_are_a_summary_without_formulas(records):
    data = b"".join(records_as_csv(records, byte_order_mark=True))
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == RECORD_COLUMNS
    assert [row["customer"] for row in rows] == ["a" * 32, "b" * 32, "c" * 32]
    assert rows[0]["title"] == '\'=HYPERLINK("x")'
    assert rows[0]["state"] == "dpv:ConsentGiven"
    assert rows[0]["sha256"] == records[0].digest


def test_records_as_ndjson_stand_alone_and_as_json_ld_share_one_context(records):
    def refuse(url, options):
        raise AssertionError(url)

    options = {"documentLoader": refuse}
    lines = [json.loads(line) for line in b"".join(records_as_ndjson(records)).splitlines()]
    whole = json.loads(b"".join(records_as_json_ld(records)))
    alone = [jsonld.expand(line, options)[0] for line in lines]
    assert jsonld.expand(whole, options) == alone
    assert len(alone) == 3
    assert json.loads(b"".join(records_as_json_ld([])))["@graph"] == []


def test_every_field_of_an_act_has_a_column():
    flat = {"separate": {"separate_matter", "separate_subject"}, "age": {"adult", "born_on"}}
    expected = set().union(*(flat.get(name, {name}) for name in ConsentAct.model_fields))
    assert set(ACT_COLUMNS) == expected
