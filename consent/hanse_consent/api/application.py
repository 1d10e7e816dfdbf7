"""The whole service put together: every room's routes behind one door."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, FastAPI

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.look_ups import LookUpKey, LookUpLog
from hanse_consent.access.nodes import NodeAuthenticator
from hanse_consent.access.nonces import RequestMemory
from hanse_consent.access.passwords import Passwords
from hanse_consent.access.people import People
from hanse_consent.access.rate_limits import AccessLimits
from hanse_consent.access.routes import AccessParts, access_router
from hanse_consent.access.sessions import SessionLifetime, Sessions
from hanse_consent.access.sign_in import SignIns
from hanse_consent.access.suspensions import Suspensions
from hanse_consent.api.act_routes import act_routes
from hanse_consent.api.callers import Callers
from hanse_consent.api.customer_routes import customer_routes
from hanse_consent.api.decision_routes import decision_routes
from hanse_consent.api.evidence_routes import evidence_routes
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.api.officer_routes import officer_routes
from hanse_consent.api.problems import Doorkeeper, answer_with_problems
from hanse_consent.api.reading_routes import reading_routes
from hanse_consent.api.schemas import PROBLEMS, describe_bodies
from hanse_consent.budgets.kept_reports import KeptReports
from hanse_consent.budgets.receiving import Budgets
from hanse_consent.budgets.routes import budget_routes
from hanse_consent.cohort_source import StoreCohorts
from hanse_consent.cohorts.affected_runs import AffectedRuns
from hanse_consent.cohorts.issuing import ManifestIssuer
from hanse_consent.cohorts.membership import Memberships
from hanse_consent.cohorts.reports import CohortReports
from hanse_consent.cohorts.routes import cohort_routes
from hanse_consent.configuration import ConsentConfiguration
from hanse_consent.decision_service import DecisionService
from hanse_consent.finding_service import FindingService
from hanse_consent.law.packs import LawPacks
from hanse_consent.party_keys import PartyKeys
from hanse_consent.record_service import RecordService
from hanse_consent.runs.approvals import Approvals
from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.deciding import Decisions
from hanse_consent.runs.guards import run_guards
from hanse_consent.runs.proposing import Proposals
from hanse_consent.runs.register import RunRegister
from hanse_consent.runs.routes import RunParts, run_routes
from hanse_consent.runs.terms import RunTerms
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.counting import CustomerCounting
from hanse_consent.storage.database import Database
from hanse_consent.storage.member_cache import MemberCache
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.identity import SigningKey

APPROVAL_LASTS = timedelta(days=30)
"""How long an officer's approval holds, unless the proposal ends earlier."""


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """What a service is made of.

    Args:
        configuration: Whom it believes and how long manifests live.
        database: Open, at the newest schema.
        store: Over the database, with its registry registered.
        memory: Which signed requests were accepted.
        packs: The law packs in force.
        key: The service's private key.
        look_up_key: Under which looked-up people are hashed.
        now: The service's clock.
        limits: How often each may come.
    """

    configuration: ConsentConfiguration
    database: Database
    store: ConsentStore
    memory: RequestMemory
    packs: LawPacks
    key: SigningKey
    look_up_key: LookUpKey
    now: Callable[[], datetime]
    limits: AccessLimits


@dataclass(frozen=True, kw_only=True)
class _Doors:
    people: People
    nodes: NodeAuthenticator
    callers: Callers
    access: AccessParts
    look_ups: LookUpLog


def create_service(parts: ServiceParts, metrics: ServiceMetrics) -> FastAPI:
    """Assemble the HTTP service.

    Args:
        parts: What it is made of.
        metrics: Where it counts.
    """
    doors = _doors(parts)
    cache = BitmapCache(parts.store)
    decisions = DecisionService(store=parts.store, packs=parts.packs, cache=cache, now=parts.now)
    service = FastAPI(
        title="Hanse consent service",
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses=PROBLEMS,
    )
    # Addresses are tried in this order: the busiest first.
    service.include_router(
        decision_routes(callers=doors.callers, service=decisions, look_ups=doors.look_ups, metrics=metrics)
    )
    service.include_router(
        reading_routes(parts.configuration.name, store=parts.store, packs=parts.packs, now=parts.now)
    )
    service.include_router(act_routes(callers=doors.callers, store=parts.store, metrics=metrics))
    service.include_router(customer_routes(callers=doors.callers, records=_records(parts), look_ups=doors.look_ups))
    service.include_router(access_router(doors.access))
    service.include_router(
        officer_routes(people=doors.people, findings=_findings(parts), affected=_affected_runs(parts))
    )
    for router in _run_routers(parts, doors, decisions, metrics):
        service.include_router(router)
    describe_bodies(service)
    answer_with_problems(service)
    service.add_middleware(Doorkeeper, metrics=metrics)
    return service


def _records(parts: ServiceParts) -> RecordService:
    return RecordService(
        store=parts.store, packs=parts.packs, key=parts.key, service=parts.configuration.name, now=parts.now
    )


def _findings(parts: ServiceParts) -> FindingService:
    return FindingService(
        store=parts.store, counting=CustomerCounting(parts.database), packs=parts.packs, now=parts.now
    )


def _affected_runs(parts: ServiceParts) -> AffectedRuns:
    return AffectedRuns(
        database=parts.database,
        registry_at=lambda version: parts.store.registry(version=version),
        terms_of=RunTerms(RunRegister(parts.database, now=parts.now)),
    )


def _doors(parts: ServiceParts) -> _Doors:
    monotonic = time.monotonic
    accounts = Accounts(parts.database, now=parts.now)
    sessions = Sessions(parts.database, now=parts.now, lifetime=SessionLifetime())
    people = People(sessions, limits=parts.limits, clock=monotonic)
    suspensions = Suspensions(parts.database, now=parts.now, clock=monotonic)
    keys = PartyKeys(store=parts.store, centre=parts.configuration.centre, clock=monotonic)
    nodes = NodeAuthenticator(
        own_key=parts.key.public,
        key_of=keys.key_of,
        memory=parts.memory,
        suspensions=suspensions,
        limits=parts.limits,
        now=parts.now,
        clock=monotonic,
    )
    look_ups = LookUpLog(parts.database, key=parts.look_up_key, now=parts.now)
    access = AccessParts(
        sign_ins=SignIns(
            accounts=accounts, sessions=sessions, passwords=Passwords(), limits=parts.limits, clock=monotonic
        ),
        sessions=sessions,
        people=people,
        suspensions=suspensions,
        look_ups=look_ups,
        key_of=keys.key_of,
    )
    return _Doors(
        people=people, nodes=nodes, callers=Callers(nodes=nodes, people=people), access=access, look_ups=look_ups
    )


def _run_routers(
    parts: ServiceParts, doors: _Doors, decisions: DecisionService, metrics: ServiceMetrics
) -> Iterator[APIRouter]:
    register = RunRegister(parts.database, now=parts.now)
    checker = ProposalChecker(registry=parts.store.registry, packs=parts.packs, approval_lasts=APPROVAL_LASTS)
    pinned = parts.configuration.centre
    centres = {} if pinned is None else {pinned.name: pinned.key}
    approvals = Approvals(register, checker=checker, key=parts.key, now=parts.now)
    source = StoreCohorts(store=parts.store, decisions=decisions, members=MemberCache(parts.store), metrics=metrics)
    issuer = ManifestIssuer(
        database=parts.database,
        source=source,
        require_approved=approvals.approved_proposal,
        key=parts.key,
        lifetime_s=parts.configuration.manifest_lifetime_s,
        now=parts.now,
    )
    reports = CohortReports(database=parts.database, source=source, flag=register.flag, key=parts.key, now=parts.now)
    yield run_routes(
        RunParts(
            register=register,
            proposals=Proposals(register, checker=checker, centres=centres),
            decisions=Decisions(register, checker=checker),
            approvals=approvals,
        ),
        run_guards(doors.people, party=doors.nodes),
    )
    yield evidence_routes(
        callers=doors.callers,
        people=doors.people,
        memberships=Memberships(database=parts.database, source=source),
        look_ups=doors.look_ups,
    )
    yield cohort_routes(authenticator=doors.nodes, issuer=issuer, reports=reports)
    budgets = Budgets(
        KeptReports(database=parts.database, key=parts.key, now=parts.now),
        # A centre has no vault.
        key_of_vault=lambda party: None if party in centres else doors.access.key_of(party),
        key_of_centre=centres.get,
    )
    yield budget_routes(authenticator=doors.nodes, people=doors.people, budgets=budgets)
