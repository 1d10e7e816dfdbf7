"""An erasure: what can be kept is kept before the key is gone, and what is gone is gone from the file, too."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Clock, accept_registry
from sayings import SERVER

from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks
from hanse_consent.storage.database import Database
from hanse_consent.storage.errors import RoleTooPowerfulError
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.protocol.vocabulary import Tier

WHO = "5a" * 16


def _grant_and_erasure(clock: Clock) -> tuple[ConsentAct, ConsentAct]:
    grant = ConsentAct(
        kind=ActKind.GRANT,
        customer=WHO,
        said_at=clock() - timedelta(hours=2),
        key="one",
        purpose="statistics",
        tier=Tier.BASIC,
        notice="all@1",
    )
    erasure = ConsentAct(kind=ActKind.ERASURE, customer=WHO, said_at=clock() - timedelta(hours=1), key="two")
    return grant, erasure


def test_what_is_to_be_kept_is_asked_for_while_the_key_is_there(
    database: Database, registry: Registry, packs: LawPacks, clock: Clock
) -> None:
    kept = []

    def keep(_session: object, /, *, controller: str, number: int, pseudonym: bytes, key: bytes) -> None:
        kept.append((controller, number, pseudonym.hex(), len(key)))

    store = ConsentStore(database, packs=packs, now=clock, check_registry=accept_registry, before_forgetting=keep)
    store.register(registry)
    for act in _grant_and_erasure(clock):
        store.record("alster", [act])
    assert kept == [("alster", 1, WHO, 32)]


def test_nothing_of_the_customer_is_left_in_the_files(
    tmp_path: Path, registry: Registry, open_store: Callable[[Database], ConsentStore], clock: Clock
) -> None:
    database = Database(tmp_path / "consent.sqlite")
    store = open_store(database)
    store.register(registry)
    grant, erasure = _grant_and_erasure(clock)
    store.record("alster", [grant])
    assert _found(tmp_path, bytes.fromhex(WHO))
    store.record("alster", [erasure])
    assert not _found(tmp_path, bytes.fromhex(WHO))
    database.close()


def _found(folder: Path, text: bytes) -> bool:
    return any(text in path.read_bytes() for path in folder.iterdir() if path.is_file())


def test_a_role_above_row_level_security_is_refused(server_database: DatabaseLocation) -> None:
    with pytest.raises(RoleTooPowerfulError):
        Database(DatabaseLocation.parse(f"{SERVER}/{server_database.url.database}"))
