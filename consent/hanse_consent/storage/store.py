"""The consent store: who said what, what prevails, and who may be used; now and at any earlier position."""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from hanse_consent.decisions.facts import ERASURE
from hanse_consent.decisions.plan import Plan
from hanse_consent.domain.acts import ActKind, ActReceipt, ConsentAct
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.errors import MomentInFutureError
from hanse_consent.law.packs import LawPacks
from hanse_consent.law.publishing import check_registry as check_by_packs
from hanse_consent.law.writing import ActChecker
from hanse_consent.storage import feeds
from hanse_consent.storage.customers import numbers_of
from hanse_consent.storage.database import Database
from hanse_consent.storage.enumeration import Enumeration, enumerate_plan
from hanse_consent.storage.errors import ControllerUnknownError, PositionUnknownError
from hanse_consent.storage.feeds import Changes, CustomerNumbers, FactRows
from hanse_consent.storage.members import Members, members
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.one_customer import KnownFacts, known_facts
from hanse_consent.storage.ports import BeforeForgetting, CheckRegistry, MakeChecker, nothing_kept
from hanse_consent.storage.recording import Recording
from hanse_consent.storage.registry_log import (
    latest_version,
    lock_registry,
    read_registry,
    version_at,
    write_registry,
)
from hanse_consent.storage.registry_versions import RegistryVersions
from hanse_consent.storage.stands import PastStand, Stand, lock_stand, plain_position, position_at, read_stand
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.stored_acts import StoredAct, acts_after, acts_of_customer
from hanse_consent.storage.tables import RecordedActRow

_READ_TOGETHER = 2
"""Connections, and threads, that one enumeration reads by."""


class ConsentStore:
    """The record of all controllers that a service keeps consent for.

    Args:
        database: Where it is kept.
        packs: Law packs that acts and registries are checked against.
        now: The service's clock.
        make_checker: Makes what checks a batch of acts.
        check_registry: Checks what is to be registered.
        draw: Draws so many random bytes.
        before_forgetting: Called in the transaction of an erasure with what it is about to destroy.

    Raises:
        StoreUnavailableError: From any method, if the database cannot be used; nothing was changed.
    """

    def __init__(
        self,
        database: Database,
        *,
        packs: LawPacks,
        now: Callable[[], datetime],
        make_checker: MakeChecker = ActChecker,
        check_registry: CheckRegistry = check_by_packs,
        draw: Callable[[int], bytes] = secrets.token_bytes,
        before_forgetting: BeforeForgetting = nothing_kept,
    ) -> None:
        self._database = database
        self._packs = packs
        self._now = now
        self._make_checker = make_checker
        self._check_registry = check_registry
        self._draw = draw
        self._before_forgetting = before_forgetting
        self._names = NameNumbers()
        self._versions = RegistryVersions(database)

    def register(self, content: Registry) -> Registry:
        """Make a registry the one in force; what it no longer names is no longer in force, but for notices.

        Args:
            content: What the operator's files say; its version is ignored.

        Raises:
            ConsentRefusal: Or another error of the law packs, naming rule and article; nothing was changed.
        """
        at = self._now()
        with self._database.writing() as session:
            lock_registry(session)
            latest = read_registry(session, latest_version(session))
            self._check_registry(content, before=latest.ever, packs=self._packs, at=at)
            version = write_registry(session, content, before=latest.in_force, recorded_us=to_microseconds(at))
            return read_registry(session, version).in_force

    def registry_version(self) -> int:
        """The version of the registry in force; 0 where nothing was registered."""
        return self._versions.latest()

    def registry(self, *, version: int | None = None) -> Registry:
        """The registry in force, or as it was at a version.

        Raises:
            RegistryVersionUnknownError: If it never had that version.
        """
        return self._versions.at(self._versions.latest() if version is None else version).in_force

    def record(self, controller: str, acts: Sequence[ConsentAct]) -> ActReceipt:
        """Record a controller's acts, all or none, durably.

        An act sent again under its key counts once and has its first position.

        Raises:
            ConsentRefusal: Of the class that says why; nothing was recorded.
        """
        with self._database.writing(controller=controller) as session:
            stand = lock_stand(session, controller)
            version = latest_version(session)
            registry = self._versions.within(session, version)
            if registry.in_force.controller(controller) is None:
                raise ControllerUnknownError(
                    f"The controller {controller} is not registered.", "Register it before its acts are sent."
                )
            recorded_at = self._now()
            recording = Recording(
                session=session,
                controller=controller,
                stand=stand,
                checker=self._make_checker(registry=registry.in_force, packs=self._packs, recorded_at=recorded_at),
                reach=registry.ever,
                registry_version=version,
                recorded_us=to_microseconds(recorded_at),
                names=self._names,
                draw=self._draw,
                before_forgetting=self._before_forgetting,
            )
            receipt = recording.record(acts)
        self._names.keep(recording.added_names)
        if any(act.kind is ActKind.ERASURE for act in acts):
            self._database.forget_history()
        return receipt

    def facts(self, controller: str, customer: str, *, position: int | None = None) -> KnownFacts:
        """What prevails for one customer, or prevailed at a position; nothing for one who is not known.

        Raises:
            PositionUnknownError: If the controller never reached that position.
        """
        with self._database.plain_reading(controller=controller) as statements:
            return known_facts(statements, controller, bytes.fromhex(customer), position=position, names=self._names)

    def position(self, controller: str) -> int:
        """The position of a controller's last act; 0 before the first."""
        with self._database.plain_reading(controller=controller) as statements:
            return plain_position(statements, controller)

    def moment_before(self, controller: str, at: datetime) -> PastStand:
        """How far a controller's record and the registry went at a moment.

        Raises:
            MomentInFutureError: If the moment has not come: more may be recorded before it.
        """
        if at > self._now():
            raise MomentInFutureError("The moment asked about has not come.", "Ask about a past one, or about now.")
        with self._database.reading(controller=controller) as session:
            at_us = to_microseconds(at)
            stand = read_stand(session, controller)
            return PastStand(
                position=position_at(session, stand, at_us=at_us), registry_version=version_at(session, at_us)
            )

    def numbers(self, controller: str, pseudonyms: Sequence[bytes]) -> dict[bytes, int]:
        """The numbers of those customers that are known; the others are left out."""
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            return numbers_of(session, controller_no=stand.controller_no, pseudonyms=pseudonyms)

    def moment_of(self, controller: str, position: int) -> datetime:
        """When the act at a position was recorded.

        Raises:
            PositionUnknownError: If no act stands there.
        """
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            row = session.get(RecordedActRow, (stand.controller_no, position))
            if row is None:
                raise PositionUnknownError(
                    f"No act stands at position {position}.", f"Ask for one from 1 to {stand.position}."
                )
            return from_microseconds(row.recorded_us)

    def eligible(self, plan: Plan, *, at_us: int, position: int | None = None) -> Enumeration:
        """Whom a plan excludes nobody of, now or by the facts of an earlier position.

        Args:
            plan: The question made ready.
            at_us: The moment asked about, microseconds since 1970.
            position: Of the plan's controller; none for the latest.

        Raises:
            PositionUnknownError: If the controller never reached that position.
        """
        controller = plan.question.controller
        with self._database.reading_side_by_side(controller=controller, count=_READ_TOGETHER) as sessions:
            stands = [read_stand(session, controller) for session in sessions]
            stand = stands[0]
            together = [session for session, seen in zip(sessions, stands, strict=True) if seen == stand]
            return enumerate_plan(
                together, plan, at_us=at_us, stand=stand, position=stand.at(position), names=self._names
            )

    def members(self, controller: str, numbers: NDArray[np.uint32]) -> Members:
        """Pseudonyms and keys of customers; those erased meanwhile are left out."""
        with self._database.reading(controller=controller) as session:
            return members(session, controller_no=read_stand(session, controller).controller_no, numbers=numbers)

    def history(self, controller: str, customer: str) -> tuple[StoredAct, ...]:
        """All acts of one customer, by position; none of one who is not known or was erased."""
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            number = self._number(session, stand, customer)
            if number is None:
                return ()
            return acts_of_customer(Statements.of(session), controller_no=stand.controller_no, customer_no=number)

    def acts_after(self, controller: str, position: int, *, limit: int) -> tuple[StoredAct, ...]:
        """At most ``limit`` acts of a controller that follow a position, in order."""
        with self._database.reading(controller=controller) as session:
            number = read_stand(session, controller).controller_no
            return acts_after(Statements.of(session), controller_no=number, position=position, limit=limit)

    def customer_count(self, controller: str) -> int:
        """How many customers a controller has, without those erased."""
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            return stand.customers - stand.erased

    def customer_numbers(self, controller: str) -> CustomerNumbers:
        """Which numbers a controller's customers have."""
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            return CustomerNumbers(
                position=stand.position,
                last=stand.customers,
                erased=feeds.all_erased(
                    session,
                    controller_no=stand.controller_no,
                    topic_no=self._names.known(Statements.of(session), [ERASURE]).get(ERASURE, 0),
                ),
            )

    def fact_rows(self, controller: str, topic: str, *, position: int | None = None) -> FactRows:
        """All facts of one topic that prevail, or prevailed at a position.

        Raises:
            PositionUnknownError: If the controller never reached that position.
        """
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            return feeds.topic_rows(
                session,
                controller_no=stand.controller_no,
                topic=topic,
                topic_no=self._names.known(Statements.of(session), [topic]).get(topic, 0),
                position=stand.at(position),
            )

    def changes_since(self, controller: str, position: int, topics: Collection[str]) -> Changes:
        """What has changed in a controller's customers, and in their facts on some topics, after a position."""
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            statements = Statements.of(session)
            touched = feeds.touched_after(statements, controller_no=stand.controller_no, after=stand.at(position))
            numbers = self._names.known(statements, topics)
            return Changes(
                position=stand.position,
                last=stand.customers,
                erased=np.array(touched.erased, dtype=np.uint32),
                facts=tuple(
                    feeds.changed_rows(
                        session,
                        controller_no=stand.controller_no,
                        topic=topic,
                        topic_no=number,
                        customers=touched.numbers,
                        position=stand.position,
                    )
                    for topic, number in sorted(numbers.items())
                ),
            )

    def notice_numbers(self, references: Iterable[str]) -> frozenset[int]:
        """The numbers under which facts name these notices; a notice that no fact names has none."""
        with self._database.reading() as session:
            return frozenset(self._names.known(Statements.of(session), references).values())

    def notice_names(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The notices behind numbers, sorted."""
        with self._database.reading() as session:
            return tuple(sorted(self._names.names(Statements.of(session), numbers, added={}).values()))

    def _number(self, session: Session, stand: Stand, customer: str) -> int | None:
        pseudonym = bytes.fromhex(customer)
        return numbers_of(session, controller_no=stand.controller_no, pseudonyms=[pseudonym]).get(pseudonym)
