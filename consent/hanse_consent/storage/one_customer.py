"""One customer's facts: what every single check reads, hence two statements as text."""

from dataclasses import dataclass

from hanse_consent.decisions.facts import NOBODY_KNOWN, CustomerFacts
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.standing_facts import facts_in
from hanse_consent.storage.stands import Stand
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import FactRow

_COLUMNS = ", ".join(f"fact.{column.name}" for column in table_of(FactRow).columns)
# From a single row, so that there is an answer also where nothing is recorded.
_HEAD = """
SELECT (SELECT max(version) FROM registry_document), stand.controller_no, stand.position, stand.customers, stand.erased,
       customer.customer_no
FROM (SELECT 1 AS one) AS always
LEFT JOIN controller_stand AS stand ON stand.controller = %s
LEFT JOIN customer ON customer.controller_no = stand.controller_no AND customer.pseudonym = %s
"""
_IN_FORCE = "fact.controller_no = %s AND fact.customer_no = %s AND fact.until > %s AND fact.since <= %s"
# By way of all names, so that the primary key is used. SQLite joins in the order written; PostgreSQL believes that
# going through the key for one customer is cheap, unless each look-up is one of its own. At most one row is in force.
_FACTS_SQLITE = (
    f"SELECT {_COLUMNS} FROM numbered_name AS name CROSS JOIN fact "  # noqa: S608 - the table's own columns
    f"WHERE fact.topic_no = name.number AND {_IN_FORCE}"
)
_FACTS_POSTGRESQL = (
    f"SELECT fact.* FROM numbered_name AS name CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM fact "  # noqa: S608 - the same
    f"WHERE fact.topic_no = name.number AND {_IN_FORCE} LIMIT 1) AS fact"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFacts:
    """One customer's facts and what they are of.

    Args:
        facts: What prevails, or prevailed.
        position: The controller's position.
        registry_version: The newest version of the registry when this was read; 0 before the first.
    """

    facts: CustomerFacts
    position: int
    registry_version: int


def known_facts(
    statements: Statements, controller: str, pseudonym: bytes, *, position: int | None, names: NameNumbers
) -> KnownFacts:
    """Read what prevails for one customer, or prevailed at a position; nothing for one who is not known.

    Raises:
        PositionUnknownError: If the controller never reached that position.
    """
    version, controller_no, last, customers, erased, number = statements.rows(_HEAD, (controller, pseudonym))[0]
    stand = Stand(controller_no=controller_no or 0, position=last or 0, customers=customers or 0, erased=erased or 0)
    at = stand.at(position)
    if number is None:
        return KnownFacts(facts=NOBODY_KNOWN, position=at, registry_version=version or 0)
    query = _FACTS_SQLITE if statements.is_sqlite else _FACTS_POSTGRESQL
    facts = facts_in(statements, statements.rows(query, (controller_no, number, at, at)), names, {})
    topics = names.names(statements, (topic for topic, _ in facts), added={})
    return KnownFacts(
        facts=CustomerFacts(by_topic={topics[topic]: fact for (topic, _), fact in facts.items()}),
        position=at,
        registry_version=version or 0,
    )
