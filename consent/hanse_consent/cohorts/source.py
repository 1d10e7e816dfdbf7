"""Where cohorts come from: the consent store, from its tables or from memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hanse_consent.decisions.question import Question
from hanse_consent.storage.members import Members

__all__ = ["CohortSource", "EligibleCohort", "Members"]


@dataclass(frozen=True, kw_only=True)
class EligibleCohort:
    """Who may be used, and what that was decided from.

    Args:
        position: The controller's last recorded act that was seen.
        registry_version: Of the registry it was decided under.
        pack_versions: Of each law pack it was decided under, by pack.
        notices: The notices under which the members' grants count, ``name@version``, sorted.
        members: Who may be used.
        excluded_by_reason: How many customers each reason excludes, by code.
    """

    position: int
    registry_version: int
    pack_versions: Mapping[str, str]
    notices: tuple[str, ...]
    members: Members
    excluded_by_reason: Mapping[str, int]


class CohortSource(Protocol):
    """Enumerates a controller's customers."""

    def cohort(self, question: Question, *, at: datetime) -> EligibleCohort:
        """Who may be used at a moment, as of the newest recorded act.

        Raises:
            HanseError: If the question cannot be decided: then nobody may be used.
        """

    def members(self, controller: str, numbers: NDArray[np.uint32]) -> Members:
        """Those of some customers (sorted numbers) who still have a key."""

    def find(self, controller: str, pseudonyms: Sequence[bytes]) -> Members:
        """Those of some customers, by pseudonym, who still have a key."""
