"""Acts in and out of a store as files, row by row: however long the file, memory stays flat."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from hanse_consent.commands.controllers import ConfigurationFile, Controller, require_known
from hanse_consent.configuration import load_configuration
from hanse_consent.domain.acts import ActEffect
from hanse_consent.errors import ConsentConfigurationError
from hanse_consent.garbage import collected_between
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.opening import open_store, utc_now
from hanse_consent.record_service import RecordService
from hanse_consent.records.document import ConsentRecord
from hanse_consent.records.export import (
    acts_as_csv,
    acts_as_ndjson,
    records_as_csv,
    records_as_json_ld,
    records_as_ndjson,
)
from hanse_consent.records.importing import acts_from_csv, acts_from_ndjson
from hanse_consent.storage.store import ConsentStore
from hanse_consent.storage.stored_acts import StoredAct
from hanse_privacy.identity import SigningKey

_ROWS_PER_READ = 5_000


class FileFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    NDJSON = "ndjson"
    JSON_LD = "jsonld"


class Content(StrEnum):
    """What is exported."""

    ACTS = "acts"
    """What was said, as it can be imported again."""
    RECORDS = "records"
    """ISO/IEC TS 27560 records, one per customer and purpose."""


def import_acts(
    file: Annotated[Path, typer.Argument(help="CSV or NDJSON of acts, by its name's ending.")],
    controller: Controller,
    config: ConfigurationFile,
) -> None:
    """Record a file of acts for one controller; sent again, an act counts once, by its key."""
    read = {".csv": acts_from_csv, ".ndjson": acts_from_ndjson}.get(file.suffix)
    if read is None:
        raise ConsentConfigurationError(
            f"{file.name} ends neither in .csv nor in .ndjson.", "Name the file after its format."
        )
    counts = dict.fromkeys(ActEffect, 0)
    with open_store(load_configuration(config)) as store, _opened(file) as source:
        for portion in collected_between(read(source)):
            for effect in store.record(controller, portion.acts).effects:
                counts[effect] += 1
    said = ", ".join(f"{count} {effect.value}" for effect, count in counts.items() if count)
    typer.echo(f"{sum(counts.values())} acts of {controller}: {said or 'none'}.")


def export_acts(
    controller: Controller,
    config: ConfigurationFile,
    content: Annotated[Content, typer.Option("--content", help="What to export.")] = Content.ACTS,
    file_format: Annotated[FileFormat, typer.Option("--format", help="How to write it.")] = FileFormat.CSV,
    out: Annotated[Path | None, typer.Option("--out", help="The file; standard output if none is named.")] = None,
    *,
    byte_order_mark: Annotated[
        bool, typer.Option("--bom", help="Begin CSV with a byte order mark, for Excel.")
    ] = False,
) -> None:
    """Write out one controller's acts or records. Whoever was erased is in neither."""
    configuration = load_configuration(config)
    key = SigningKey.load(configuration.key)
    with open_store(configuration) as store:
        require_known(store, controller)
        service = RecordService(
            store=store, packs=load_shipped_packs(), key=key, service=configuration.name, now=utc_now
        )
        source = _Source(acts=acts_of(store, controller), records=service.records_of_everybody(controller))
        chunks = _chunks(source, content=content, file_format=file_format, byte_order_mark=byte_order_mark)
        if out is None:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            return
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            for chunk in chunks:
                target.write(chunk)


@dataclass(frozen=True, kw_only=True)
class _Source:
    acts: Iterator[StoredAct]
    records: Iterator[ConsentRecord]


def _chunks(source: _Source, *, content: Content, file_format: FileFormat, byte_order_mark: bool) -> Iterator[bytes]:
    match content, file_format:
        case Content.ACTS, FileFormat.CSV:
            return acts_as_csv(source.acts, byte_order_mark=byte_order_mark)
        case Content.ACTS, FileFormat.NDJSON:
            return acts_as_ndjson(source.acts)
        case Content.RECORDS, FileFormat.CSV:
            return records_as_csv(source.records, byte_order_mark=byte_order_mark)
        case Content.RECORDS, FileFormat.NDJSON:
            return records_as_ndjson(source.records)
        case Content.RECORDS, FileFormat.JSON_LD:
            return records_as_json_ld(source.records)
        case _:
            raise ConsentConfigurationError(
                f"{content.value} are not written as {file_format.value}.", "Choose csv or ndjson."
            )


def acts_of(store: ConsentStore, controller: str) -> Iterator[StoredAct]:
    """All acts of a controller's customers who were not erased, in order, a few thousand in memory at a time."""
    position = 0
    while page := store.acts_after(controller, position, limit=_ROWS_PER_READ):
        position = page[-1].position
        yield from (stored for stored in page if stored.pseudonym is not None)


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise ConsentConfigurationError(
            f"The file {file.name} cannot be read ({error.strerror}).", "Name a file of acts."
        ) from error
