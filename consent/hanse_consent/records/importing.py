"""Files of acts read back: CSV and NDJSON, in batches, each line checked as if it came over the network.

An error names the line and the field, never what the file holds there: a file of acts is full of customers.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec
from pydantic import ValidationError

from hanse_consent.domain.acts import MAX_ACTS_PER_BATCH, ConsentAct
from hanse_consent.records.cells import original
from hanse_consent.records.errors import ActsFileError
from hanse_consent.records.export import ACT_COLUMNS, BYTE_ORDER_MARK, RECORDED_COLUMNS
from hanse_privacy.validation import require

MAX_LINE_BYTES = 65_536
"""A longer line is refused: no act comes near it."""

_BOOLEANS = {"true": True, "false": False}
_FLAGS = frozenset({"explicit", "adult", "preselected"})
_AGE = frozenset({"adult", "born_on"})
_SEPARATE = {"separate_matter": "matter", "separate_subject": "subject"}
_KNOWN = frozenset({*ConsentAct.model_fields, "matter", "subject", "adult", "born_on"})
_MEND = "Mend it and read the file again: an act that was recorded before counts once, by its key."


@dataclass(frozen=True, slots=True, kw_only=True)
class ActLines:
    """Acts of a file, at most as many as one batch may carry, with the lines they end on.

    Args:
        acts: In the order of the file.
        lines: For each act its line, from 1, for errors about it.
    """

    acts: tuple[ConsentAct, ...]
    lines: tuple[int, ...]


def acts_from_csv(file: BinaryIO, *, batch: int = MAX_ACTS_PER_BATCH) -> Iterator[ActLines]:
    """Read acts from CSV as :func:`hanse_consent.records.export.acts_as_csv` writes them.

    The first line names the columns, in any order; columns that no act of the file uses may be missing. Position and
    moment of recording, if there, are not read: whoever records the acts gives them new ones.

    Args:
        file: Open for reading bytes; with or without a byte order mark, lines ending in LF or CRLF.
        batch: How many acts to hand on at a time, up to 10,000.

    Raises:
        ActsFileError: For the first line that cannot be read.
    """
    return _batches(_csv_acts(file), size=batch)


def acts_from_ndjson(file: BinaryIO, *, batch: int = MAX_ACTS_PER_BATCH) -> Iterator[ActLines]:
    """Read acts from NDJSON: each line an act, or an object that holds one as ``act`` as the export writes it.

    Args:
        file: Open for reading bytes; with or without a byte order mark. Empty lines are skipped.
        batch: How many acts to hand on at a time, up to 10,000.

    Raises:
        ActsFileError: For the first line that cannot be read.
    """
    return _batches(_ndjson_acts(file), size=batch)


def _batches(acts: Iterable[tuple[int, ConsentAct]], *, size: int) -> Iterator[ActLines]:
    require(1 <= size <= MAX_ACTS_PER_BATCH, name="batch", value=size, bound=f"from 1 to {MAX_ACTS_PER_BATCH}")
    return _in_batches(acts, size)


def _in_batches(acts: Iterable[tuple[int, ConsentAct]], size: int) -> Iterator[ActLines]:
    waiting: list[tuple[int, ConsentAct]] = []
    for numbered in acts:
        waiting.append(numbered)
        if len(waiting) == size:
            yield _batch(waiting)
            waiting.clear()
    if waiting:
        yield _batch(waiting)


def _batch(numbered: list[tuple[int, ConsentAct]]) -> ActLines:
    return ActLines(acts=tuple(act for _, act in numbered), lines=tuple(line for line, _ in numbered))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(data) > MAX_LINE_BYTES:
            raise ActsFileError(f"it is longer than {MAX_LINE_BYTES} bytes.", _MEND, line=number)
        yield data.removeprefix(BYTE_ORDER_MARK) if number == 1 else data


def _texts(file: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(_lines(file), start=1):
        yield _text(line, number=number)


def _text(line: bytes, *, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ActsFileError("it is not UTF-8.", "Save the file as UTF-8.", line=number) from None


def _csv_acts(file: BinaryIO) -> Iterator[tuple[int, ConsentAct]]:
    rows = csv.reader(_texts(file), strict=True)
    columns: list[str] = []
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            raise ActsFileError("its quotes or line ends are not those of CSV.", _MEND, line=rows.line_num) from None
        if not columns:
            columns = _header(row)
        elif row:
            yield rows.line_num, _act(_from_cells(columns, row, line=rows.line_num), line=rows.line_num)


def _header(row: list[str]) -> list[str]:
    known = frozenset((*RECORDED_COLUMNS, *ACT_COLUMNS))
    for number, name in enumerate(row, start=1):
        if name not in known or row.index(name) != number - 1:
            # Not repeated here: where the header is missing, this is somebody's act.
            raise ActsFileError(
                f"column {number} has a name that is unknown, or that stands twice.",
                f"The first line names the columns; they are {', '.join(ACT_COLUMNS)}.",
                line=1,
            )
    return row


def _from_cells(columns: list[str], row: list[str], *, line: int) -> dict[str, Any]:
    if len(row) != len(columns):
        raise ActsFileError(f"it has {len(row)} cells, the first line {len(columns)}.", _MEND, line=line)
    fields: dict[str, Any] = {}
    for name, cell in zip(columns, row, strict=True):
        if not cell or name in RECORDED_COLUMNS:
            continue
        value: Any = original(cell)
        if name in _FLAGS:
            if value not in _BOOLEANS:
                raise ActsFileError(f"{name} is neither true nor false.", _MEND, line=line)
            value = _BOOLEANS[value]
        if name in _AGE:
            fields.setdefault("age", {})[name] = value
        elif name in _SEPARATE:
            fields.setdefault("separate", {})[_SEPARATE[name]] = value
        else:
            fields[name] = value
    return fields


def _ndjson_acts(file: BinaryIO) -> Iterator[tuple[int, ConsentAct]]:
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        value = _decoded(line, number=number)
        if isinstance(value, dict) and "act" in value:
            if not value.keys() <= {*RECORDED_COLUMNS, "act"}:
                raise ActsFileError("it has fields beside position, recorded_at and act.", _MEND, line=number)
            value = value["act"]
        yield number, _act(value, line=number)


def _decoded(line: bytes, *, number: int) -> Any:
    try:
        value = msgspec.json.decode(line)
        # What reads the same when it is written again names no field twice. Anything else is looked at closely.
        if msgspec.json.encode(value) == line.rstrip(b"\r\n"):
            return value
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _DECODER.decode(_text(line, number=number))
    except (ValueError, RecursionError):
        raise ActsFileError("it is not JSON, or names a field twice.", _MEND, line=number) from None


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_no_name_twice)


def _act(fields: Any, *, line: int) -> ConsentAct:
    try:
        return ConsentAct.model_validate(fields)
    except ValidationError as error:
        raise ActsFileError(f"{_faults(error)}.", _MEND, line=line) from None


def _faults(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        # The name of an unknown field may be anything, a customer too.
        place = ".".join(str(part) if part in _KNOWN else "an unknown field" for part in fault["loc"]) or "the act"
        faults.append(f"{place}: {fault['msg']}")
    return "; ".join(faults)
