"""Rules about what may be written: a customer's act, a notice, a purpose.

A condition is the machine's reading of a rule: typed, with its figures as data. Those about acts are in
:mod:`hanse_consent.law.act_conditions`, those about notices and purposes in
:mod:`hanse_consent.law.registry_conditions`.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from hanse_consent.domain.names import ReasonCode
from hanse_consent.law.act_conditions import ActCondition
from hanse_consent.law.registry_conditions import RegistryCondition
from hanse_consent.law.rules import Rule

WriteCondition = Annotated[ActCondition | RegistryCondition, Field(discriminator="name")]


class WriteRule(Rule):
    """A rule about what may be written."""

    condition: WriteCondition
    code: ReasonCode
    """What a refusal under this rule is called; each condition has its own."""

    @model_validator(mode="after")
    def _code_is_that_of_the_condition(self) -> Self:
        if self.code != self.condition.code:
            raise ValueError(f"code must be {self.condition.code} for the condition {self.condition.name}")
        return self
