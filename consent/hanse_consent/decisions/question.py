"""The question that every reading answers: who of a controller's customers may be used for this?"""

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.names import CategoryTerm
from hanse_privacy.protocol.vocabulary import PartyName, PurposeName, Tier


class Question(BaseModel):
    """One use of one controller's customers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName
    purpose: PurposeName
    tier: Tier
    categories: tuple[CategoryTerm, ...] = Field(min_length=1)
    """Kinds of data that will be read."""
    recipients: tuple[PartyName, ...] = ()
    """Who will receive the outcome, beside the controller itself."""
    joint_controllers: tuple[PartyName, ...] = ()
    """Other controllers who decide with this one: the roster of a league run."""
    league_run: bool = True
    """Whether this is a run of a league: then only consent is a ground."""
