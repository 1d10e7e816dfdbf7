"""The data contract: one TOML file that maps a partner's own files and columns to the league's terms.

Nothing is guessed: a column that the contract does not name is never read, and a field that this
version does not know is refused.
"""

import tomllib
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hanse_client.data.errors import ContractError, DataUnreadableError
from hanse_client.data.files import csv_columns, matching, parquet_columns
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.vocabulary import PartyName

LARGEST_AMOUNT = 1e9
"""Of one line: sums of a receipt's lines then fit into what they are added up in."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileFormat(StrEnum):
    """How a source's files are written."""

    PARQUET = "parquet"
    CSV = "csv"


class Header(_Part):
    """Who wrote this contract, and for which version of the format."""

    version: Literal[1]
    partner: PartyName
    description: str = ""


class CsvLayout(_Part):
    """How a CSV file is laid out; it has a header line and is encoded as UTF-8."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    decimal_comma: bool = False
    """Numbers are written 1,50. A number with a point is then refused, never read as thousands."""


class Column(_Part):
    """A column of codes or numbers that stay text."""

    column: str = Field(min_length=1)


class TimeColumn(Column):
    """The till's local date and time (a date alone will do)."""

    time_format: str | None = None
    """How text is written, in strptime's letters, such as ``%d.%m.%Y %H:%M``; ISO 8601 when left out."""

    @field_validator("time_format")
    @classmethod
    def _round_trips(cls, value: str | None) -> str | None:
        if value is not None:
            example = datetime(2025, 11, 28, 13, 45)  # noqa: DTZ001 - only its day matters here
            try:
                parsed = datetime.strptime(example.strftime(value), value)  # noqa: DTZ007 - local till time
            except ValueError as error:
                raise ValueError("must be a strptime format, such as %d.%m.%Y %H:%M") from error
            if parsed.date() != example.date():
                raise ValueError("must name year, month and day")
        return value


class NumberColumn(Column):
    """A column of numbers, and how they become units or currency."""

    divide_by: float = Field(default=1.0, gt=0)
    """100 where money is written in cents."""
    change_sign: bool = False
    """True where a discount is written as a negative number."""


class Source(_Part):
    """One or more files of the same layout."""

    files: str = Field(min_length=1)
    """A pattern relative to the contract file, such as ``export/sales-*.parquet``."""
    format: FileFormat
    csv: CsvLayout | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if PurePath(self.files).is_absolute():
            raise ValueError("files must be relative to the contract file")
        if self.csv is not None and self.format is not FileFormat.CSV:
            raise ValueError('csv settings need format = "csv"')
        return self

    @property
    def layout(self) -> CsvLayout:
        """The CSV layout, with its defaults."""
        return self.csv or CsvLayout()


class SalesColumns(_Part):
    """Where a purchase line says what; customer, time and store may stand in the receipts instead."""

    customer: Column | None = None
    time: TimeColumn | None = None
    store: Column | None = None
    receipt: Column
    product: Column
    quantity: NumberColumn
    value: NumberColumn
    """What the customer paid for the line, in currency."""
    discount: NumberColumn | None = None
    """What was taken off the line, as a positive amount once read."""


class ReceiptColumns(_Part):
    """Where a receipt says what."""

    receipt: Column
    customer: Column | None = None
    time: TimeColumn | None = None
    store: Column | None = None


class ProductColumns(_Part):
    """Where the item master says what."""

    product: Column
    """The partner's own product code, as in the sales."""
    article: Column
    """The shared public catalogue's code for it, such as a GTIN."""


class StoreColumns(_Part):
    """Where the list of stores says what."""

    store: Column
    """The partner's own store code, as in the sales or receipts."""
    group: Column
    """The league's name for the kind of store that it is."""


class Sales(Source):
    """The purchase lines."""

    columns: SalesColumns


class Receipts(Source):
    """A table of receipts that the lines are joined to by receipt number."""

    columns: ReceiptColumns


class Products(Source):
    """The partner's own item master."""

    columns: ProductColumns


class Stores(Source):
    """Which group each store belongs to; without it the partner answers no question by store group."""

    columns: StoreColumns


class Limits(_Part):
    """What a plausible export looks like; anything outside is an error that the doctor explains."""

    maximum_quantity: float = Field(gt=0, le=LARGEST_AMOUNT)
    """Per line, in the till's own unit."""
    maximum_value: float = Field(gt=0, le=LARGEST_AMOUNT)
    """Per line, in currency."""
    earliest: date
    """First day that the export may hold: the first day of the league's calendar or later."""
    latest: date | None = None
    """Last day that it may hold; today when left out."""
    late_after_days: int = Field(default=14, ge=0)
    """A newest purchase older than this, counted back from the last day, is reported as late."""
    unknown_product_share: float = Field(default=0.0, ge=0, le=1)
    """Share of lines whose product may be missing from the item master; above it is an error."""
    duplicate_line_share: float = Field(default=0.0, ge=0, le=1)
    """Share of lines that may repeat another in every column; tolerated repeats are kept and counted."""
    minimum_customers: int = Field(ge=1)
    """Fewer customers than this: the partner takes no part."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.latest is not None and self.latest < self.earliest:
            raise ValueError("latest must not be before earliest")
        return self


class Contract(_Part):
    """A partner's whole data contract. Read it with :func:`load_contract`."""

    folder: Path
    """Where the contract file lies; file patterns start here."""
    contract: Header
    sales: Sales
    receipts: Receipts | None = None
    products: Products
    stores: Stores | None = None
    limits: Limits

    @model_validator(mode="after")
    def _customer_time_and_store_once(self) -> Self:
        for term in ("customer", "time", "store"):
            places = [
                place
                for place, columns in (
                    ("sales.columns", self.sales.columns),
                    ("receipts.columns", self.receipts.columns if self.receipts else None),
                )
                if getattr(columns, term, None) is not None
            ]
            if not places:
                raise ValueError(f"sales.columns.{term} is not mapped (nor receipts.columns.{term})")
            if len(places) > 1:
                raise ValueError(f"{term} is mapped in both sales.columns and receipts.columns; keep one")
        return self


def load_contract(path: Path) -> Contract:
    """Read and validate a contract file.

    Raises:
        ContractError: If it cannot be read, is no TOML, or a field is missing, unknown or out of
            bounds; every faulty field is named.
    """
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(
            f"The contract {path.name} cannot be read ({type(error).__name__}).",
            "Name the partner's contract.toml, and check that this account may read it.",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"The contract {path.name} is no TOML: {error}.", "Mend that line.") from error
    if "folder" in fields:
        raise ContractError(
            f"The contract {path.name} is not valid: folder: is set by the file's own place.",
            "Remove the field.",
        )
    try:
        return Contract.model_validate({**fields, "folder": path.resolve().parent})
    except ValidationError as error:
        raise ContractError(
            f"The contract {path.name} is not valid: {describe(error)}.{_columns_to_choose(fields, path)}",
            "Mend the named fields; 'hanse node doctor' then checks the columns against the files.",
        ) from error


def _columns_to_choose(fields: dict[str, Any], path: Path) -> str:
    """The columns of each source that can be read even though the contract is faulty."""
    hints = []
    for name in ("sales", "receipts", "products", "stores"):
        try:
            source = Source.model_validate(
                {key: value for key, value in fields[name].items() if key in Source.model_fields}
            )
            columns = columns_of(source, matching(path.resolve().parent, source.files)[0])
        except (KeyError, AttributeError, IndexError, ValidationError, DataUnreadableError):
            continue  # A hint only: the fault itself is already named.
        hints.append(f" The files of [{name}] have the columns {', '.join(columns)}.")
    return "".join(hints)


def columns_of(source: Source, path: Path) -> tuple[str, ...]:
    """The columns that one file of a source has.

    Raises:
        DataUnreadableError: If the file cannot be read in the source's format.
    """
    if source.format is FileFormat.CSV:
        return csv_columns(path, delimiter=source.layout.delimiter)
    return parquet_columns(path)
