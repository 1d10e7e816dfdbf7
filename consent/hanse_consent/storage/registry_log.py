"""The registry as an append-only list of documents: every version there ever was can be read again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, col, func, select

from hanse_consent.domain.notices import Notice
from hanse_consent.domain.purposes import Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.storage.bulk import insert_rows
from hanse_consent.storage.errors import RegistryVersionUnknownError
from hanse_consent.storage.tables import RegistryDocument
from hanse_privacy.protocol.vocabulary import Tier

_KINDS = tuple(field for field in Registry.model_fields if field != "version")
_NOTICES = "notices"
_PURPOSES = "purposes"
_LOCK = 0x7265676973747279  # any number that nothing else in the database locks


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryVersion:
    """The registry at one version.

    Args:
        in_force: What is in force.
        ever: The same, with the purposes that were in force before, as they last read: a withdrawal must reach their
            grants, too, and none of them may come back wider.
    """

    in_force: Registry
    ever: Registry


def latest_version(session: Session) -> int:
    """The registry's version; 0 where nothing was registered."""
    return session.exec(select(func.max(RegistryDocument.version))).one() or 0


def version_at(session: Session, at_us: int) -> int:
    """The registry's version at a moment; 0 before the first."""
    query = select(func.max(RegistryDocument.version)).where(RegistryDocument.recorded_us <= at_us)
    return session.exec(query).one() or 0


def read_registry(session: Session, version: int) -> RegistryVersion:
    """The registry as it was at a version.

    Raises:
        RegistryVersionUnknownError: If there is no such version.
    """
    latest = latest_version(session)
    if not 0 <= version <= latest:
        raise RegistryVersionUnknownError(
            f"The registry has no version {version}.", f"Ask for one from 0 to {latest}, which is the newest."
        )
    query = select(RegistryDocument).where(RegistryDocument.version <= version).order_by(col(RegistryDocument.version))
    in_force: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
    ended: dict[str, str] = {}
    tiers: dict[str, dict[Tier, tuple[str, ...]]] = {}
    for row in session.exec(query):
        if row.document is not None:
            in_force[row.kind][row.name] = row.document
            if row.kind == _PURPOSES:
                tiers.setdefault(row.name, {}).update(Purpose.model_validate_json(row.document).data_categories)
            if row.kind == _PURPOSES:
                ended.pop(row.name, None)
        else:
            before = in_force[row.kind].pop(row.name)
            if row.kind == _PURPOSES:
                ended[row.name] = before
    registry = _registry(version, in_force)
    ever = _with_ended(version, in_force, ended) if ended else registry
    return RegistryVersion(in_force=registry, ever=_with_ended_tiers(ever, tiers))


def _with_ended_tiers(registry: Registry, tiers: Mapping[str, Mapping[Tier, tuple[str, ...]]]) -> Registry:
    """Every purpose with all tiers it ever had: grants at one that was taken away come back with it."""
    purposes = tuple(
        purpose.model_copy(update={"data_categories": {**tiers[purpose.name], **purpose.data_categories}})
        for purpose in registry.purposes
    )
    return registry.model_copy(update={_PURPOSES: purposes})


def _registry(version: int, documents: Mapping[str, Mapping[str, str]]) -> Registry:
    parts = (f'"{kind}":[{",".join(document for _, document in sorted(documents[kind].items()))}]' for kind in _KINDS)
    return Registry.model_validate_json(f'{{"version":{version},{",".join(parts)}}}')


def _with_ended(version: int, documents: Mapping[str, Mapping[str, str]], ended: Mapping[str, str]) -> Registry:
    whole = {**documents, _PURPOSES: {**ended, **documents[_PURPOSES]}}
    try:
        return _registry(version, whole)
    except ValidationError:
        # Purposes in force were moved in the tree so that an ended one no longer fits: it then stands alone.
        registry = _registry(version, documents)
        alone = _registry(version, {**{kind: {} for kind in _KINDS}, _PURPOSES: _without_parents(ended)})
        return registry.model_copy(update={_PURPOSES: (*registry.purposes, *alone.purposes)})


def _without_parents(documents: Mapping[str, str]) -> dict[str, str]:
    return {
        name: Purpose.model_validate_json(document).model_copy(update={"parent": None}).model_dump_json()
        for name, document in documents.items()
    }


def write_registry(session: Session, content: Registry, *, before: Registry, recorded_us: int) -> int:
    """Append what differs from the version before; return the version that is in force now.

    A notice once registered stays: people have agreed under it.
    """
    old, new = _documents(before), _documents(content)
    new[_NOTICES] = {**old[_NOTICES], **new[_NOTICES]}
    version = before.version + 1
    changed = [
        (kind, name, version, new[kind].get(name), recorded_us)
        for kind in _KINDS
        for name in sorted(old[kind].keys() | new[kind].keys())
        if old[kind].get(name) != new[kind].get(name)
    ]
    insert_rows(session, RegistryDocument, changed)
    return version if changed else before.version


def lock_registry(session: Session) -> None:
    """Hold off other writers of the registry until the transaction ends."""
    if session.connection().dialect.name == "postgresql":
        session.connection().exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def _documents(registry: Registry) -> dict[str, dict[str, str]]:
    return {kind: {_name(record): record.model_dump_json() for record in getattr(registry, kind)} for kind in _KINDS}


def _name(record: Any) -> str:
    return f"{record.reference}.{record.language}" if isinstance(record, Notice) else str(record.name)
