"""Acts as they are read from the record: by customer, or one after the other by the million."""

from datetime import datetime
from typing import Any

import msgspec

from hanse_consent.domain.acts import Age, SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import from_day_number, from_microseconds
from hanse_consent.storage.statements import Statements

_SELECT = """
SELECT act.position, act.recorded_us, act.registry_version, act.customer_no, customer.pseudonym, act.kind, act.said_us,
       act.key, act.purpose, act.tier, act.notice, act.language, act.explicit, act.ends_us, act.separate_matter,
       act.separate_subject, detail.country, detail.adult, detail.born_on, act.interaction, act.preselected, act.channel
FROM consent_act AS act
JOIN customer ON customer.controller_no = act.controller_no AND customer.customer_no = act.customer_no
LEFT JOIN profile_detail AS detail ON detail.controller_no = act.controller_no AND detail.position = act.position
"""


class StoredAct(msgspec.Struct, frozen=True, gc=False):
    """An act as the record has it; read by the million, hence no dataclass. Moments are microseconds since 1970.

    Args:
        position: The controller's position.
        recorded_us: The service's time.
        registry_version: Version of the registry that it was checked against.
        customer_no: The customer's number at the controller; stays after an erasure.
        pseudonym: 16 bytes; none after an erasure.
        kind: An :class:`~hanse_consent.domain.acts.ActKind`.
        said_us: When it was said, as the partner states.
        key: The act's name at the controller.
        purpose: As in the act.
        tier: As in the act.
        notice: As in the act.
        language: As in the act.
        explicit: As in the act.
        ends_us: The end that the customer set.
        separate_matter: Of a separate consent.
        separate_subject: Of a separate consent.
        country: As in the act; none after an erasure.
        adult: As in the act; none after an erasure.
        born_on: A minor's birthday, days since 1970; none after an erasure.
        interaction: As in the act.
        preselected: As in the act.
        channel: As in the act.
    """

    position: int
    recorded_us: int
    registry_version: int
    customer_no: int
    pseudonym: bytes | None
    kind: str
    said_us: int
    key: str
    purpose: str | None
    tier: str | None
    notice: str | None
    language: str | None
    explicit: bool
    ends_us: int | None
    separate_matter: str | None
    separate_subject: str | None
    country: str | None
    adult: bool | None
    born_on: int | None
    interaction: str | None
    preselected: bool
    channel: str | None

    @property
    def customer(self) -> str | None:
        """The pseudonym, hexadecimal; none after an erasure."""
        return None if self.pseudonym is None else self.pseudonym.hex()

    @property
    def said_at(self) -> datetime:
        """When it was said."""
        return from_microseconds(self.said_us)

    @property
    def recorded_at(self) -> datetime:
        """When it was recorded."""
        return from_microseconds(self.recorded_us)

    @property
    def separate(self) -> SeparateConsent | None:
        """The separate consent that it is about."""
        if self.separate_matter is None or self.separate_subject is None:
            return None
        return SeparateConsent(matter=SeparateMatter(self.separate_matter), subject=self.separate_subject)

    @property
    def age(self) -> Age | None:
        """What a profile said of the customer's age."""
        if self.adult is None:
            return None
        return Age(adult=bool(self.adult), born_on=from_day_number(self.born_on) if self.born_on is not None else None)


def acts_of_customer(statements: Statements, *, controller_no: int, customer_no: int) -> tuple[StoredAct, ...]:
    """All acts of one customer, by position."""
    where = "WHERE act.controller_no = %s AND act.customer_no = %s ORDER BY act.position"
    return _acts(statements, where, (controller_no, customer_no))


def acts_after(statements: Statements, *, controller_no: int, position: int, limit: int) -> tuple[StoredAct, ...]:
    """At most ``limit`` acts of a controller that follow a position, in order."""
    where = "WHERE act.controller_no = %s AND act.position > %s ORDER BY act.position LIMIT %s"
    return _acts(statements, where, (controller_no, position, limit))


def _acts(statements: Statements, where: str, values: tuple[Any, ...]) -> tuple[StoredAct, ...]:
    return tuple(StoredAct(*row) for row in statements.rows(_SELECT + where, values))
