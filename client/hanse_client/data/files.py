"""Which files a pattern names, and which columns a file has, before anything is read from it."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hanse_client.data.errors import DataUnreadableError


def matching(folder: Path, pattern: str) -> tuple[Path, ...]:
    """The files under ``folder`` that a relative pattern names, sorted."""
    return tuple(sorted(path for path in folder.glob(pattern) if path.is_file()))


def csv_columns(path: Path, *, delimiter: str) -> tuple[str, ...]:
    """The columns that a CSV file's header line names.

    Raises:
        DataUnreadableError: If the file cannot be read as text.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(next(csv.reader(file, delimiter=delimiter), ()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file.

    Raises:
        DataUnreadableError: If it is no Parquet file, is cut short, or cannot be read.
    """
    try:
        return tuple(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataUnreadableError:
    return DataUnreadableError(
        f"The file {path.name} cannot be read ({type(error).__name__}).",
        "Check that it is complete, in the format that the contract names, and readable by this account.",
    )
