"""The packs' rules about records as checks: what a record must hold, may hold, how long it stays, how it goes out."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hanse_consent.law.clocks import add_months
from hanse_consent.law.errors import (
    ExportFormatNotPortableError,
    RecordHoldsTooMuchError,
    RecordIncompleteError,
    RecordMustBeKeptError,
)
from hanse_consent.law.packs import LawPacks
from hanse_consent.law.record_rules import (
    ExportFormat,
    ExportForms,
    KeepAtLeast,
    MayHoldOnly,
    MustHold,
    RecordKind,
    RecordRule,
)

_Of = TypeVar("_Of", MustHold, MayHoldOnly, KeepAtLeast, ExportForms)

_ONE_DAY = timedelta(days=1)


def required_fields(record: RecordKind, *, packs: LawPacks, at: datetime) -> frozenset[str]:
    """Every field that some law in force at a moment wants in records of this kind."""
    found = _of(packs, MustHold, record, at=at)
    return frozenset(field for _, held in found for field in (*held.fields, *held.may_be_none))


def require_record_complete(record: RecordKind, fields: Mapping[str, object], *, packs: LawPacks, at: datetime) -> None:
    """Refuse to issue a record that lacks something.

    Args:
        record: What kind of record it is.
        fields: Its fields by name. One that is none or a blank text counts as missing; an empty list counts as
            missing unless the rule lets it say that there are none.
        packs: The law packs that apply.
        at: When it is issued.

    Raises:
        RecordIncompleteError: Naming the missing fields and the rules that want them.
    """
    there = {name for name, value in fields.items() if not _is_blank(value)}
    filled = {name for name in there if not _is_empty(fields[name])}
    for rule, held in _of(packs, MustHold, record, at=at):
        missing = [field for field in held.fields if field not in filled]
        missing += [field for field in held.may_be_none if field not in there]
        if missing:
            raise RecordIncompleteError(
                f"A record of kind {record.value} lacks {', '.join(missing)} ({rule.id}, {rule.article}).",
                "Fill in these fields; the record was not issued.",
            )


def require_nothing_more(record: RecordKind, fields: Collection[str], *, packs: LawPacks, at: datetime) -> None:
    """Refuse a record that still holds what must be gone, such as what is left after an erasure.

    Raises:
        RecordHoldsTooMuchError: Naming the fields and the rule.
    """
    for rule, held in _of(packs, MayHoldOnly, record, at=at):
        if excess := sorted(set(fields) - set(held.fields)):
            raise RecordHoldsTooMuchError(
                f"A record of kind {record.value} holds {', '.join(excess)} ({rule.id}, {rule.article}).",
                "Destroy these fields.",
            )


def keep_until(record: RecordKind, created_at: datetime, *, packs: LawPacks, at: datetime) -> datetime | None:
    """First moment at which a record may be deleted; none if no law in force wants it kept.

    Counted in days of UTC; the last day counts whole, and one more, so that it is over in every time zone.

    Args:
        record: What kind of record it is.
        created_at: When it was made, or, where its handling went on, when that ended.
        packs: The law packs that apply; the longest period counts.
        at: The moment asked about: a law that changes its period changes it for records that are there.
    """
    months = max((held.months for _, held in _of(packs, KeepAtLeast, record, at=at)), default=None)
    if months is None:
        return None
    over = add_months(created_at.astimezone(UTC).date(), months) + 2 * _ONE_DAY
    return datetime.combine(over, datetime.min.time(), tzinfo=UTC)


def require_may_delete(record: RecordKind, created_at: datetime, now: datetime, *, packs: LawPacks) -> None:
    """Refuse to delete a record before its time.

    Raises:
        RecordMustBeKeptError: Naming the day and the rule.
    """
    until = keep_until(record, created_at, packs=packs, at=now)
    if until is not None and now < until:
        rules = "; ".join(f"{rule.id}, {rule.article}" for rule, _ in _of(packs, KeepAtLeast, record, at=now))
        raise RecordMustBeKeptError(
            f"A record of kind {record.value} must be kept until {until.date().isoformat()} ({rules}).",
            "Delete it then.",
        )


def may_delete(record: RecordKind, created_at: datetime, now: datetime, *, packs: LawPacks) -> bool:
    """Whether a record's time is over. Arguments as for :func:`keep_until`."""
    until = keep_until(record, created_at, packs=packs, at=now)
    return until is None or now >= until


def require_export_form(record: RecordKind, form: ExportFormat, *, packs: LawPacks, at: datetime) -> None:
    """Refuse to hand a record out in a form that some pack does not accept.

    Raises:
        ExportFormatNotPortableError: Naming the forms that are accepted, and the rule.
    """
    for rule, held in _of(packs, ExportForms, record, at=at):
        if form not in held.formats:
            raise ExportFormatNotPortableError(
                f"A record of kind {record.value} cannot be handed out as {form.value} ({rule.id}, {rule.article}).",
                f"Use one of: {', '.join(held.formats)}.",
            )


def _of(packs: LawPacks, condition: type[_Of], record: RecordKind, *, at: datetime) -> Iterator[tuple[RecordRule, _Of]]:
    for pack in packs.in_force(at):
        for rule in pack.records:
            if isinstance(rule.condition, condition) and rule.condition.record is record:
                yield rule, rule.condition


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_empty(value: object) -> bool:
    return isinstance(value, Collection) and not value
