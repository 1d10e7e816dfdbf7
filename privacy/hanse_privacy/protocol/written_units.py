"""Privacy units as drafts and proposals write them, each in one way.

The unit without parameters is written by its name, ``"customer-at-one-partner"``; the others are tables that name their
kind: ``{ kind = "customer-across-the-roster", partners_at_most = 4 }``.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer

from hanse_privacy.units import (
    CustomerAcrossTheRoster,
    CustomerAtOnePartner,
    LinkedCustomer,
    PrivacyUnit,
    UnitKind,
)

_BY_NAME = UnitKind.CUSTOMER_AT_ONE_PARTNER.value
_BY_TABLE = (UnitKind.CUSTOMER_ACROSS_THE_ROSTER.value, UnitKind.LINKED_CUSTOMER.value)


def write_unit(unit: PrivacyUnit) -> JsonValue:
    """As it stands in a document."""
    return _BY_NAME if isinstance(unit, CustomerAtOnePartner) else unit.model_dump(mode="json")


def _read(written: object) -> object:
    if written == _BY_NAME:
        return CustomerAtOnePartner()
    if isinstance(written, PrivacyUnit) or (isinstance(written, dict) and written.get("kind") in _BY_TABLE):
        return written
    raise ValueError(f'must be "{_BY_NAME}", or a table whose kind is {" or ".join(_BY_TABLE)}')


Unit = Annotated[
    CustomerAtOnePartner | CustomerAcrossTheRoster | LinkedCustomer,
    Field(discriminator="kind"),
    BeforeValidator(_read),
    PlainSerializer(write_unit),
]
"""A field that holds a unit."""
