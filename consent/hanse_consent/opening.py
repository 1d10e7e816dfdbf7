"""Opening a service from its configuration: store, registry, memory of requests, and everything behind HTTP."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from hanse_consent.access.look_ups import LookUpKey
from hanse_consent.access.nonces import RequestMemory
from hanse_consent.access.rate_limits import AccessLimits
from hanse_consent.api.application import ServiceParts, create_service
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.cohorts.affected_runs import AffectedRuns
from hanse_consent.cohorts.leaves import keep_leaves
from hanse_consent.configuration import ConsentConfiguration
from hanse_consent.errors import ConsentConfigurationError
from hanse_consent.finding_service import FindingService
from hanse_consent.law.packs import LawPacks, load_shipped_packs
from hanse_consent.registry_files import read_registry
from hanse_consent.runs.register import RunRegister
from hanse_consent.runs.terms import RunTerms
from hanse_consent.storage.counting import CustomerCounting
from hanse_consent.storage.database import Database
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.identity import SigningKey


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def location_of(configuration: ConsentConfiguration) -> DatabaseLocation:
    """Where the configured store is.

    Raises:
        InvalidValueError: If it is neither a file nor a PostgreSQL address.
    """
    return DatabaseLocation.parse(configuration.database)


@contextmanager
def open_store(configuration: ConsentConfiguration, *, now: Callable[[], datetime] = utc_now) -> Iterator[ConsentStore]:
    """The configured store, without registering anything."""
    with closing(Database(location_of(configuration))) as database:
        yield _store(database, packs=load_shipped_packs(), now=now)


@contextmanager
def open_findings(
    configuration: ConsentConfiguration, *, now: Callable[[], datetime] = utc_now
) -> Iterator[FindingService]:
    """What the service would find, without serving or registering anything."""
    packs = load_shipped_packs()
    with closing(Database(location_of(configuration))) as database:
        store = _store(database, packs=packs, now=now)
        yield FindingService(store=store, counting=CustomerCounting(database), packs=packs, now=now)


@contextmanager
def open_affected_runs(
    configuration: ConsentConfiguration, *, now: Callable[[], datetime] = utc_now
) -> Iterator[AffectedRuns]:
    """What the service would report of acts that came too late for runs, without serving."""
    with closing(Database(location_of(configuration))) as database:
        store = _store(database, packs=load_shipped_packs(), now=now)
        yield AffectedRuns(
            database=database,
            registry_at=lambda version: store.registry(version=version),
            terms_of=RunTerms(RunRegister(database, now=now)),
        )


@contextmanager
def open_service(
    configuration: ConsentConfiguration,
    *,
    metrics: ServiceMetrics,
    now: Callable[[], datetime] = utc_now,
    limits: AccessLimits | None = None,
) -> Iterator[FastAPI]:
    """Open the store, make the files' registry the one in force, and assemble the HTTP service.

    Args:
        configuration: The service's settings.
        metrics: Where it counts.
        now: The service's clock.
        limits: How often each may come; the shipped limits if none are given.

    Raises:
        HanseError: If anything of it cannot be read or is not valid; nothing is served.
    """
    key = SigningKey.load(configuration.key)
    registry = read_registry(configuration.registry_files)
    if configuration.centre is not None and registry.controller(configuration.centre.name) is not None:
        raise ConsentConfigurationError(
            f"The centre and a controller are both named {configuration.centre.name}.", "Give each a name of its own."
        )
    packs = load_shipped_packs()
    location = location_of(configuration)
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(location)))
        store = _store(database, packs=packs, now=now)
        store.register(registry)
        requests = location.url
        if location.is_file:
            requests = requests.set(database=f"{location.path}.requests")
        memory = stack.enter_context(closing(RequestMemory(requests, now=now)))
        parts = ServiceParts(
            configuration=configuration,
            database=database,
            store=store,
            memory=memory,
            packs=packs,
            key=key,
            look_up_key=_look_up_key(key),
            now=now,
            limits=AccessLimits() if limits is None else limits,
        )
        yield create_service(parts, metrics)


def _store(database: Database, *, packs: LawPacks, now: Callable[[], datetime]) -> ConsentStore:
    # Whoever is erased stays provable in past manifests: the leaves are kept, and nobody can tell whose they are.
    return ConsentStore(database, packs=packs, now=now, before_forgetting=keep_leaves)


def _look_up_key(key: SigningKey) -> LookUpKey:
    # Outside the database: who steals the database cannot tell whom the look-ups were about. Ed25519 signatures are
    # deterministic, and this one is never shown.
    return LookUpKey(raw=hashlib.sha256(key.sign(context="look-up-key/1", message=b"")).digest())
