"""Customers' grants and withdrawals, from the partner's own file to the consent service, as pseudonyms."""

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_consent.client import ConsentClient
from hanse_consent.domain.acts import MAX_ACTS_PER_BATCH, ActKind, ConsentAct
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.vocabulary import Tier

COLUMNS = ("key", "kind", "customer", "purpose", "tier", "notice", "said_at")
"""``key`` is a unique name of the act; ``customer`` the partner's own number, which stays here. A withdrawal without a
purpose withdraws all."""

OPTIONAL_COLUMNS = ("language", "interaction", "channel", "ends_at", "explicit")
"""May be left out: the language in which the notice was shown, the gesture by which it was said (purposes granted by
one gesture are a bundle and refused), where, until when, and ``yes`` for an express statement."""

_EXPLICIT = {"": False, "no": False, "yes": True}


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
            named = tuple(reader.fieldnames or ())
            if named[: len(COLUMNS)] != COLUMNS or not _are_optional(named[len(COLUMNS) :]):
                raise ActFileError(
                    f"{path.name} has the columns {', '.join(named) or 'none'}.",
                    f"It must have first: {', '.join(COLUMNS)}; then, if needed: {', '.join(OPTIONAL_COLUMNS)}.",
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


def _are_optional(named: Sequence[str]) -> bool:
    return len(set(named)) == len(named) and set(named) <= set(OPTIONAL_COLUMNS)


def _act(row: dict[str, str], pseudonym: str, line: int) -> ConsentAct:
    try:
        return ConsentAct(
            kind=ActKind(row["kind"]),
            customer=pseudonym,
            purpose=row["purpose"] or None,
            tier=Tier(row["tier"]) if row["tier"] else None,
            notice=row["notice"] or None,
            said_at=datetime.fromisoformat(row["said_at"]),
            key=row["key"],
            language=row.get("language") or None,
            interaction=row.get("interaction") or None,
            channel=row.get("channel") or None,
            ends_at=datetime.fromisoformat(row["ends_at"]) if row.get("ends_at") else None,
            explicit=_EXPLICIT[row.get("explicit") or ""],
        )
    except ValidationError as error:
        raise ActFileError(f"Line {line} is not valid: {describe(error)}.", "Mend that line.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ActFileError(
            f"Line {line} is not valid.",
            f"kind is one of {', '.join(ActKind)}; tier {', '.join(Tier)} or empty; times ISO 8601 with their zone; "
            "explicit yes, no or empty.",
        ) from error
