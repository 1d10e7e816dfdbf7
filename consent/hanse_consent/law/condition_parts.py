"""What conditions of decision rules are made of: figures with their bounds."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.names import CategoryTerm
from hanse_consent.domain.parties import TransferMechanism
from hanse_consent.domain.purposes import LegalBasis

Bases = Annotated[frozenset[LegalBasis], Field(min_length=1)]
Categories = Annotated[frozenset[CategoryTerm], Field(min_length=1)]
Mechanisms = Annotated[frozenset[TransferMechanism], Field(min_length=1)]
Years = Annotated[int, Field(ge=1, le=30)]


class Condition(BaseModel):
    """The machine's reading of a rule: typed, with its figures as data."""

    model_config = ConfigDict(frozen=True, extra="forbid")
