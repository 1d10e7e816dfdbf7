"""How many of a controller's customers something is true of; the numbers leave, the customers do not."""

from collections.abc import Collection
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import BigInteger, cast, func, select

from hanse_consent.decisions.facts import AGE, FactState, consent_topic
from hanse_consent.decisions.people import youngest_grown
from hanse_consent.decisions.sets import CustomerSet
from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.moments import NO_END, to_microseconds
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.database import Database
from hanse_consent.storage.enumeration import count_members
from hanse_consent.storage.fetching import fetch
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.stands import read_stand
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import FactRow, RecordedActRow

_ACT = table_of(RecordedActRow)
_FACT = table_of(FactRow)
_NUMBER = np.dtype([("number", "<u4")])
_SECOND_US = 1_000_000
_DAY_US = 86_400 * _SECOND_US


class CustomerCounting:
    """Counts in the database.

    Args:
        database: Where acts and facts are kept.

    Raises:
        StoreUnavailableError: From any method, if the database cannot be read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names = NameNumbers()

    def members(self, controller: str, of: CustomerSet, *, at_us: int) -> int:
        """How many customers belong to a set, without those erased.

        Args:
            controller: Whose customers.
            of: The set.
            at_us: The moment asked about, microseconds since 1970.
        """
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            return count_members(session, of, at_us=at_us, stand=stand, names=self._names)

    def said_together(self, controller: str, *, kinds: Collection[ActKind], purposes_from: int) -> int:
        """How many customers ever said yes to so many purposes within one second of the clock, erased ones among them.

        One pass over the acts, which the database groups: nothing of it comes here but the number.

        Args:
            controller: Whose customers.
            kinds: Acts that say yes to a purpose.
            purposes_from: How many different purposes are too many.
        """
        with self._database.reading(controller=controller) as session:
            too_many = (
                select(_ACT.c.customer_no)
                .where(
                    _ACT.c.controller_no == read_stand(session, controller).controller_no,
                    _ACT.c.kind.in_([kind.value for kind in kinds]),
                )
                .group_by(_ACT.c.customer_no, _ACT.c.said_us // _SECOND_US)
                .having(func.count(_ACT.c.purpose.distinct()) >= purposes_from)
                .subquery()
            )
            query = select(func.count(too_many.c.customer_no.distinct()))
            return int(session.connection().execute(query).scalar_one())

    def outgrown(self, controller: str, of: CustomerSet, *, purposes: Collection[str], years: int, at: datetime) -> int:
        """How many have reached an age while a consent counts that they said before that day, or on it.

        Args:
            controller: Whose customers.
            of: Only these.
            purposes: Consents to these.
            years: The age. A birthday is known of those who were recorded as minors.
            at: The moment asked about.
        """
        at_us = to_microseconds(at)
        grown = youngest_grown(years, today=at.astimezone(UTC).date())
        # From birthday to birthday, with a leap day each fourth year or one less.
        longest_days = 365 * years + (years + 3) // 4
        consent, age = _FACT.alias("consent"), _FACT.alias("age")
        with self._database.reading(controller=controller) as session:
            stand = read_stand(session, controller)
            ages = self._names.known(Statements.of(session), [AGE])
            consents = self._names.known(Statements.of(session), map(consent_topic, purposes))
            query = (
                select(consent.c.customer_no)
                .where(
                    age.c.controller_no == stand.controller_no,
                    age.c.topic_no.in_(ages.values()),
                    age.c.until == NO_END,
                    age.c.born_on <= grown,
                    consent.c.controller_no == stand.controller_no,
                    consent.c.topic_no.in_(consents.values()),
                    consent.c.customer_no == age.c.customer_no,
                    consent.c.until == NO_END,
                    consent.c.state == int(FactState.GIVEN),
                    consent.c.until_us > at_us,
                    consent.c.effective_us < (cast(age.c.born_on, BigInteger) + longest_days) * _DAY_US,
                )
                .distinct()
            )
            numbers = fetch(session, query, _NUMBER, order=())["number"]
            return count_members(session, of, at_us=at_us, stand=stand, names=self._names, among=numbers)
