"""A consent service's folder as an operator would write it: settings, keys, purposes, notices, parties."""

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from consent.stores import MeasuredStore
from consent.world import CENTRE, SERVICE, World
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.storage.database import Database
from hanse_consent.storage.store import ConsentStore


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A service that can be started.

    Args:
        folder: Holds ``consent.toml``.
        store: The database that it names.
        world: What is registered.
    """

    folder: Path
    store: MeasuredStore
    world: World

    @property
    def configuration(self) -> Path:
        """The settings' file."""
        return self.folder / "consent.toml"

    @property
    def retailer_key(self) -> Path:
        """File of the retailer's private key."""
        return self.folder / "retailer.key"

    def open_database(self) -> Database:
        """The store as the service opens it."""
        return Database(self.store.location)


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def lay_out(folder: Path, *, store: MeasuredStore, world: World) -> Workplace:
    """Write the folder and register everything, the older notices first."""
    folder.mkdir(parents=True, exist_ok=True)
    world.keys.service.save(folder / "consent.key")
    world.keys.retailer.save(folder / "retailer.key")
    registry = world.registry()
    settings = {
        "name": SERVICE,
        "port": 0,
        "database": store.address,
        "key": "consent.key",
        "purposes": "purposes.toml",
        "notices": "notices",
        "parties": "parties.toml",
    }
    _write(folder / "consent.toml", settings, centre=[{"name": CENTRE, "public_key": world.keys.centre.public.text}])
    _write(folder / "purposes.toml", {}, purposes=_plain(registry.purposes))
    (folder / "notices").mkdir(exist_ok=True)
    lines = []
    for notice, line in zip(registry.notices, _plain(registry.notices), strict=True):
        file = f"{notice.reference}.md"
        (folder / "notices" / file).write_text(notice.text, encoding="utf-8")
        lines.append({key: value for key, value in line.items() if key != "text"} | {"file": file})
    _write(folder / "notices" / "notices.toml", {}, notices=lines)
    names = ("controllers", "recipients", "agreements", "transfers", "assessments")
    _write(folder / "parties.toml", {}, **{name: _plain(getattr(registry, name)) for name in names})
    workplace = Workplace(folder=folder, store=store, world=world)
    _register(workplace)
    return workplace


def _register(workplace: Workplace) -> None:
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=load_shipped_packs(), now=utc_now)
        store.register(workplace.world.first_registry())
        store.register(workplace.world.registry())


def _plain(records: Iterable[BaseModel]) -> list[dict[str, Any]]:
    return [record.model_dump(mode="json", exclude_defaults=True) for record in records]


def _write(path: Path, settings: dict[str, Any], **tables: list[dict[str, Any]]) -> None:
    text = [f"{key} = {_toml(value)}" for key, value in settings.items()]
    for name, records in tables.items():
        heading = f"[{name}]" if name == "centre" else f"[[{name}]]"
        for record in records:
            text += ["", heading, *(f"{key} = {_toml(value)}" for key, value in record.items())]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
