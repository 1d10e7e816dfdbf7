"""One customer's facts: what every single check reads, hence one statement as text."""

from dataclasses import dataclass

from hanse_consent.decisions.facts import CustomerFacts
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.standing_facts import facts_in
from hanse_consent.storage.stands import Stand
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import FactRow

_COLUMNS = [column.name for column in table_of(FactRow).columns]
_FACT = ", ".join(f"fact.{name}" for name in _COLUMNS)
# From a single row, so that there is an answer also where nothing is recorded. It stands in the facts' columns.
_HEAD = f"""
SELECT 0 AS is_fact, stand.controller_no, (SELECT max(version) FROM registry_document), customer.customer_no,
       stand.position, {", ".join(["NULL"] * (len(_COLUMNS) - 4))}
FROM (SELECT 1 AS one) AS always
LEFT JOIN controller_stand AS stand ON stand.controller = %s
LEFT JOIN customer ON customer.controller_no = stand.controller_no AND customer.pseudonym = %s
"""  # noqa: S608 - no values
_OF_THE_CUSTOMER = "stand.controller = %s AND customer.controller_no = stand.controller_no AND customer.pseudonym = %s"
_IN_FORCE = """
fact.controller_no = stand.controller_no AND fact.topic_no = name.number AND fact.customer_no = customer.customer_no
AND fact.until > coalesce(%s, stand.position) AND fact.since <= coalesce(%s, stand.position)
"""
# By way of all names, so that the primary key is used. SQLite joins in the order written; PostgreSQL believes that
# going through the key for one customer is cheap, unless each look-up is one of its own. At most one row is in force.
_SQLITE = f"""{_HEAD} UNION ALL
SELECT 1, {_FACT} FROM controller_stand AS stand CROSS JOIN customer CROSS JOIN numbered_name AS name CROSS JOIN fact
WHERE {_OF_THE_CUSTOMER} AND {_IN_FORCE}
"""  # noqa: S608 - no values
_POSTGRESQL = f"""{_HEAD} UNION ALL
SELECT 1, {_FACT} FROM controller_stand AS stand CROSS JOIN customer CROSS JOIN numbered_name AS name
CROSS JOIN LATERAL (SELECT * FROM fact WHERE {_IN_FORCE} LIMIT 1) AS fact
WHERE {_OF_THE_CUSTOMER}
""".replace("coalesce(%s,", "coalesce(%s::bigint,")  # noqa: S608 - no values


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
    who = (controller, pseudonym)
    if statements.is_sqlite:
        head, *found = statements.rows(_SQLITE, (*who, *who, position, position))
    else:
        head, *found = statements.rows(_POSTGRESQL, (*who, position, position, *who))
    _, controller_no, version, _, last, *_ = head
    stand = Stand(controller_no=controller_no or 0, position=last or 0, customers=0, erased=0)
    at = stand.at(position)
    facts = facts_in(statements, [row[1:] for row in found], names, {})
    topics = names.names(statements, (topic for topic, _ in facts), added={})
    return KnownFacts(
        facts=CustomerFacts(by_topic={topics[topic]: fact for (topic, _), fact in facts.items()}),
        position=at,
        registry_version=version or 0,
    )
