"""Customers' grants and withdrawals, from the partner's own file to the consent service, as pseudonyms."""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_consent.domain.acts import MAX_ACTS_PER_BATCH, ActKind, ConsentAct
from hanse_consent.client import ConsentClient
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.vocabulary import Tier

COLUMNS = ("key", "kind", "customer", "purpose", "tier", "notice", "said_at")
"""``key`` is a unique name of the act; ``customer`` the partner's own number, which stays here."""


class ActFileError(HanseError):
    """A file of consent acts cannot be read or has a faulty line."""

    code = "ACT_FILE_INVALID"
    exit_code = 2


def read_acts(path: Path, key: PseudonymKey) -> list[ConsentAct]:
    """Read a CSV file of acts and turn customers into pseudonyms.

    Raises:
        ActFileError: Naming the line and the faulty field, never the customer.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ActFileError(
                    f"{path.name} has the columns {', '.join(reader.fieldnames or ['none'])}.",
                    f"It must have exactly: {', '.join(COLUMNS)}.",
                )
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ActFileError(f"{path.name} cannot be read ({type(error).__name__}).", "Name a CSV file.") from error
    pseudonyms = key.pseudonyms(row["customer"] or "" for row in rows)
    return [_act(row, pseudonym, line) for line, (row, pseudonym) in enumerate(zip(rows, pseudonyms, strict=True), 2)]


def send_acts(acts: Sequence[ConsentAct], client: ConsentClient) -> int:
    """Record all acts, in batches; return the position at which the last one stands.

    Raises:
        HanseError: If the service did not take a batch. Sending the same file again is safe.
    """
    position = 0
    for batch in _batches(acts):
        position = client.record_acts(batch)
    return position


def _batches(acts: Sequence[ConsentAct]) -> Iterator[Sequence[ConsentAct]]:
    for start in range(0, len(acts), MAX_ACTS_PER_BATCH):
        yield acts[start : start + MAX_ACTS_PER_BATCH]


def _act(row: dict[str, str], pseudonym: str, line: int) -> ConsentAct:
    try:
        return ConsentAct(
            kind=ActKind(row["kind"]),
            customer=pseudonym,
            purpose=row["purpose"],
            tier=Tier(row["tier"]) if row["tier"] else None,
            notice=row["notice"] or None,
            said_at=datetime.fromisoformat(row["said_at"]),
            key=row["key"],
        )
    except ValidationError as error:
        raise ActFileError(f"Line {line} is not valid: {describe(error)}.", "Mend that line.") from error
    except (ValueError, TypeError) as error:
        raise ActFileError(
            f"Line {line} is not valid.",
            f"kind is {' or '.join(ActKind)}, tier {', '.join(Tier)} or empty, said_at an ISO 8601 time with its zone.",
        ) from error
