"""A million customers and what they say, as files of acts: the same for the same number, whatever else changes.

Who says what follows from a hash of the customer's number: no chance, and no order between customers, so that every
look-up in an index of pseudonyms is as far from the last one as in life.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from consent.world import ASKED, CENTRE, EXCHANGE, FACE, PURPOSES

_OTHERS = tuple(name for name in PURPOSES if name != ASKED)


class Part(StrEnum):
    """The files, in the order in which they are brought in."""

    GRANTS = "grants"
    """One grant of everybody, who is not known yet."""
    PROFILES = "profiles"
    """Residence and age of everybody, one act each."""
    REST = "rest"
    """All else: separate and guardians' consents, withdrawals, objections, restrictions, erasures."""


@dataclass(frozen=True, slots=True)
class _Dice:
    """Numbers from 0 up to 1 that belong to one customer."""

    raw: bytes

    def __getitem__(self, index: int) -> float:
        return int.from_bytes(self.raw[3 * index : 3 * index + 3]) / 2**24


def pseudonym(number: int) -> str:
    """The pseudonym of a customer, from 1."""
    return hashlib.blake2b(number.to_bytes(8), digest_size=16, person=b"customer").hexdigest()


@dataclass(frozen=True, kw_only=True)
class ActsFile:
    """A file of acts, and how many it holds."""

    path: Path
    rows: int


def write_files(folder: Path, *, customers: int, began_at: datetime) -> dict[Part, ActsFile]:
    """Write all acts of so many customers as NDJSON, one file per part."""
    files = {}
    for part, lines in (
        (Part.GRANTS, _grants(customers, began_at)),
        (Part.PROFILES, _profiles(customers, began_at)),
        (Part.REST, _rest(customers, began_at)),
    ):
        path, rows = folder / f"{part.value}.ndjson", 0
        with path.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(line)
                rows += 1
        files[part] = ActsFile(path=path, rows=rows)
    return files


def _dice(number: int) -> _Dice:
    return _Dice(hashlib.blake2b(number.to_bytes(8), digest_size=60, person=b"dice").digest())


def _line(customer: str, kind: str, key: str, at: datetime, **fields: object) -> str:
    act = {"kind": kind, "customer": customer, "said_at": at.isoformat(), "key": key, **fields}
    return json.dumps(act, separators=(",", ":")) + "\n"


def country_of(dice: _Dice) -> str:
    """Where a customer lives."""
    place = dice[0]
    if place < 0.04:
        return "CN"
    if place < 0.05:
        return "US"
    if place < 0.25:
        return ("AT", "FR", "SE", "NL")[int(place * 1e4) % 4]
    return "DE"


def _profiles(customers: int, began_at: datetime) -> Iterator[str]:
    for number in range(1, customers + 1):
        dice = _dice(number)
        said_at = began_at - timedelta(days=450, seconds=int(dice[1] * 86_400))
        born_on = began_at.date() - timedelta(days=int(365.25 * (9 + 9 * dice[3])))
        age = {"adult": False, "born_on": born_on.isoformat()} if dice[2] < 0.03 else {"adult": True}
        yield _line(pseudonym(number), "profile", f"p{number}", said_at, country=country_of(dice), age=age)


def _grants(customers: int, began_at: datetime) -> Iterator[str]:
    """Most customers grant what is asked about, some something else."""
    for number in range(1, customers + 1):
        dice = _dice(number)
        asked = dice[4] < 0.8
        purpose = ASKED if asked else _OTHERS[int(dice[5] * len(_OTHERS))]
        days = 1 + 330 * dice[6] if dice[7] > 0.02 else 400.0
        said_at = began_at - timedelta(seconds=int(days * 86_400))
        place = dice[8]
        notice = "terms@3" if days < 60 else "terms@2"
        if place < 0.04:
            notice = ("terms@1", "leaflet@1", "flyer@1")[int(place * 1e4) % 3]
        deep = dice[9]
        tier = "advanced" if deep < 0.9 else "standard" if deep < 0.96 else "basic"
        yield _line(
            pseudonym(number),
            "grant",
            f"g{number}",
            said_at,
            purpose=purpose,
            tier=tier,
            notice=notice,
            language="en",
            explicit=dice[10] < 0.95,
            channel="app",
        )


def _rest(customers: int, began_at: datetime) -> Iterator[str]:
    for number in range(1, customers + 1):
        yield from _rest_of(number, began_at)


def _rest_of(number: int, began_at: datetime) -> Iterator[str]:
    dice, customer = _dice(number), pseudonym(number)
    said_at = began_at - timedelta(days=50, seconds=int(dice[11] * 86_400))
    notice = {"notice": "terms@3", "language": "en"}

    def separately(matter: str, subject: str, tag: str) -> str:
        separate = {"matter": matter, "subject": subject}
        return _line(
            customer,
            "separate-grant",
            f"s{tag}{number}",
            said_at,
            separate=separate,
            explicit=dice[10] < 0.95,
            **notice,
        )

    granted = dice[4] < 0.8
    if granted and dice[12] < 0.66:
        yield separately("abroad", EXCHANGE, "x")
    if granted and 0.01 < dice[12] < 0.67:
        yield separately("sensitive-category", FACE, "h")
    if granted and country_of(dice) == "CN":
        if dice[13] < 0.95:
            yield separately("abroad", CENTRE, "l")
            yield separately("recipient", EXCHANGE, "r")
        if dice[13] > 0.03:
            yield separately("public-disclosure", ASKED, "d")
        if dice[13] > 0.02:
            yield separately("public-place-imagery", ASKED, "i")
    if dice[2] < 0.03 and dice[14] < 0.6:
        yield _line(customer, "guardian-grant", f"k{number}", said_at, purpose=ASKED, **notice)
    yield from _turning_away(number, dice, said_at + timedelta(days=10))


def _turning_away(number: int, dice: _Dice, at: datetime) -> Iterator[str]:
    customer, place = pseudonym(number), dice[15]
    if place < 0.03:
        yield _line(customer, "withdrawal", f"w{number}", at, purpose="models" if place < 0.01 else ASKED)
    elif place < 0.04:
        yield _line(customer, "refusal", f"f{number}", at, purpose=ASKED)
    elif place < 0.06:
        yield _line(customer, "objection", f"o{number}", at, purpose=ASKED if place < 0.05 else "models")
    elif place < 0.07:
        yield _line(customer, "restriction", f"t{number}", at)
    elif place < 0.09:
        yield _line(customer, "automated-opt-out", f"a{number}", at)
    if dice[16] < 0.0005:
        yield _line(customer, "erasure", f"e{number}", at + timedelta(days=1))
