"""What can go wrong between a partner's export and its vault database."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from hanse_privacy.errors import HanseError


class ContractError(HanseError):
    """The contract file is missing, is no TOML, or has a faulty field."""

    code = "CONTRACT_INVALID"
    exit_code = 2


class DataUnreadableError(HanseError):
    """An export or a vault database cannot be read."""

    code = "DATA_UNREADABLE"
    exit_code = 2


class DataRefusedError(HanseError):
    """The export has errors, so no vault database is built from it."""

    code = "DATA_REFUSED"
    exit_code = 2


class VaultStorageError(HanseError):
    """The vault database cannot be written."""

    code = "VAULT_STORAGE"


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn a failure to read ``what`` into a :class:`DataUnreadableError`.

    The database's own message is left out: it can quote a row of the file.
    """
    try:
        yield
    except (duckdb.Error, OSError, UnicodeDecodeError) as error:
        raise DataUnreadableError(
            f"{what} cannot be read ({type(error).__name__}).",
            "Check that the file is complete, in the format that the contract names, encoded as UTF-8,"
            " and readable by this account.",
        ) from error
