"""What every rule of a law pack says of itself, whatever kind of rule it is.

A rule is data: an article, an outcome, a source and one typed condition with its thresholds. A pack is read once, at
start; a rule that it lacks is not enforced, which is what the rules' tests show.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.names import RuleId


class Provenance(StrEnum):
    """How well a rule's words and figures are known."""

    READ = "read"
    """Read in the law, or in an official text."""
    SECONDARY = "secondary"
    """Read in a secondary source."""
    OWN_KNOWLEDGE = "own-knowledge"
    """Not held against a text: have counsel confirm it."""
    SOURCE_DOCUMENT = "source-document"
    """Demanded by the project's own source documents, not by a law."""
    DESIGN = "design"
    """Hanse's own choice, stricter than a law or where a law is silent."""


class Rule(BaseModel):
    """What all rules have; each kind adds its condition and outcome."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: RuleId
    article: str = Field(min_length=1, max_length=120)
    """Of which law, as an officer cites it: ``GDPR 7(3)``."""
    title: str = Field(min_length=1, max_length=200)
    """What it demands, in one line."""
    source: str = Field(min_length=1, max_length=300)
    provenance: Provenance
