"""Acts and records of one controller as streams of bytes: CSV, NDJSON, JSON-LD. Memory stays flat.

Each function is a generator of chunks, ready for a file or an HTTP answer; the caller chooses whose acts it feeds in.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from hanse_consent.domain.moments import from_day_number, from_microseconds
from hanse_consent.records.cells import neutral
from hanse_consent.records.document import ConsentRecord, iso_moment
from hanse_consent.records.record import standalone
from hanse_consent.records.vocabulary import context
from hanse_consent.storage.stored_acts import StoredAct

CSV_TYPE = "text/csv; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"
JSON_LD_TYPE = "application/ld+json"

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some spreadsheets read UTF-8 only behind it."""

RECORDED_COLUMNS = ("position", "recorded_at")
ACT_COLUMNS = (
    "kind",
    "customer",
    "said_at",
    "key",
    "purpose",
    "tier",
    "notice",
    "language",
    "explicit",
    "ends_at",
    "separate_matter",
    "separate_subject",
    "country",
    "adult",
    "born_on",
    "interaction",
    "preselected",
    "channel",
)
"""The columns of an act, in the order in which they are written; an empty cell is a field that is not given."""

RECORD_COLUMNS = (
    "record_id",
    "customer",
    "purpose",
    "title",
    "state",
    "valid_until",
    "tier",
    "categories",
    "recipients",
    "notices",
    "events",
    "at",
    "position",
    "registry_version",
    "sha256",
)
"""One row per record; plural columns are separated by blanks."""

_ROWS_PER_CHUNK = 500


def acts_as_csv(acts: Iterable[StoredAct], *, byte_order_mark: bool = False) -> Iterator[bytes]:
    """Acts as CSV (RFC 4180): position, moment of recording, and the columns of an act.

    Args:
        acts: In the order of their positions, none of an erased customer.
        byte_order_mark: Whether the file begins with one.
    """
    return _csv((*RECORDED_COLUMNS, *ACT_COLUMNS), map(_act_cells, acts), byte_order_mark=byte_order_mark)


def acts_as_ndjson(acts: Iterable[StoredAct]) -> Iterator[bytes]:
    """Acts as NDJSON: one object per line with position, moment of recording, and the act."""
    return _chunks(map(_act_line, acts))


def records_as_csv(records: Iterable[ConsentRecord], *, byte_order_mark: bool = False) -> Iterator[bytes]:
    """Records as CSV, one row each: a summary for people; NDJSON and JSON-LD hold the whole."""
    return _csv(RECORD_COLUMNS, map(_record_cells, records), byte_order_mark=byte_order_mark)


def records_as_ndjson(records: Iterable[ConsentRecord]) -> Iterator[bytes]:
    """Records as NDJSON: each line is a JSON-LD document with its own context."""
    return _chunks(_dump(standalone(record)) + b"\n" for record in records)


def records_as_json_ld(records: Iterable[ConsentRecord]) -> Iterator[bytes]:
    """Records as one JSON-LD document: the context once, then the graph."""
    yield b'{"@context":' + _dump(dict(context())) + b',"@graph":['
    separator = b"\n"
    for record in records:
        yield separator + _dump(record.to_json())
        separator = b",\n"
    yield b"\n]}\n"


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]], *, byte_order_mark: bool) -> Iterator[bytes]:
    if byte_order_mark:
        yield BYTE_ORDER_MARK
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    waiting = 0
    for row in rows:
        writer.writerow([neutral(cell) for cell in row])
        waiting += 1
        if waiting == _ROWS_PER_CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
            waiting = 0
    yield buffer.getvalue().encode()


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) == _ROWS_PER_CHUNK:
            yield b"".join(waiting)
            waiting.clear()
    yield b"".join(waiting)


def _act_cells(stored: StoredAct) -> tuple[str, ...]:
    adult, born_on = stored.adult, stored.born_on
    return (
        str(stored.position),
        _moment(stored.recorded_us),
        stored.kind,
        stored.customer or "",
        _moment(stored.said_us),
        stored.key,
        stored.purpose or "",
        stored.tier or "",
        stored.notice or "",
        stored.language or "",
        "true" if stored.explicit else "",
        _moment(stored.ends_us) if stored.ends_us is not None else "",
        stored.separate_matter or "",
        stored.separate_subject or "",
        stored.country or "",
        "" if adult is None else "true" if adult else "false",
        from_day_number(born_on).isoformat() if born_on is not None else "",
        stored.interaction or "",
        "true" if stored.preselected else "",
        stored.channel or "",
    )


def _act_line(stored: StoredAct) -> bytes:
    act: dict[str, object] = {
        "kind": stored.kind,
        "customer": stored.customer,
        "said_at": _moment(stored.said_us),
        "key": stored.key,
        "purpose": stored.purpose,
        "tier": stored.tier,
        "notice": stored.notice,
        "language": stored.language,
        "explicit": True if stored.explicit else None,
        "ends_at": _moment(stored.ends_us) if stored.ends_us is not None else None,
        "separate": _separate(stored),
        "country": stored.country,
        "age": _age(stored),
        "interaction": stored.interaction,
        "preselected": True if stored.preselected else None,
        "channel": stored.channel,
    }
    line = {
        "position": stored.position,
        "recorded_at": _moment(stored.recorded_us),
        "act": {name: value for name, value in act.items() if value is not None},
    }
    return msgspec.json.encode(line) + b"\n"


def _separate(stored: StoredAct) -> dict[str, str | None] | None:
    if stored.separate_matter is None:
        return None
    return {"matter": stored.separate_matter, "subject": stored.separate_subject}


def _age(stored: StoredAct) -> dict[str, object] | None:
    if stored.adult is None:
        return None
    if stored.born_on is None:
        return {"adult": bool(stored.adult)}
    return {"adult": bool(stored.adult), "born_on": from_day_number(stored.born_on).isoformat()}


def _moment(microseconds: int) -> str:
    return iso_moment(from_microseconds(microseconds))


def _record_cells(record: ConsentRecord) -> tuple[str, ...]:
    process = record.processes[0]
    purpose = process.purposes[0]
    return (
        record.identifiers[0],
        record.data_subject.identifiers[0],
        purpose.identifiers[0],
        purpose.title,
        record.current_state,
        iso_moment(record.valid_until) if record.valid_until is not None else "",
        purpose.tier or "",
        " ".join(category for data in process.personal_data for category in data.broader),
        " ".join(process.recipients),
        " ".join(notice.id for notice in record.notices),
        str(len(record.events)),
        iso_moment(record.created),
        str(record.position),
        str(record.registry_version),
        record.digest,
    )
