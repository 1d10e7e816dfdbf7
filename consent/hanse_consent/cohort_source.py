"""Cohorts for manifests: enumerated from memory, with pseudonyms and keys held in memory, too."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.cohorts.source import EligibleCohort, Members
from hanse_consent.decision_service import DecisionService
from hanse_consent.decisions.question import Question
from hanse_consent.storage.member_cache import MemberCache
from hanse_consent.storage.store import ConsentStore


class StoreCohorts:
    """The cohort source of a service.

    Args:
        store: The consent store.
        decisions: Enumerates who may be used.
        members: Pseudonyms and keys by number.
        metrics: Counts manifests.
    """

    def __init__(
        self, *, store: ConsentStore, decisions: DecisionService, members: MemberCache, metrics: ServiceMetrics
    ) -> None:
        self._store = store
        self._decisions = decisions
        self._members = members
        self._metrics = metrics

    def cohort(self, question: Question, *, at: datetime) -> EligibleCohort:
        """Who may be used at a moment, as of the newest recorded act."""
        enumerated = self._decisions.enumerate_at(question, at=at)
        members = self._members.members(question.controller, enumerated.numbers)
        self._metrics.issued_manifest()
        return EligibleCohort(
            position=enumerated.position,
            registry_version=enumerated.plan.registry_version,
            pack_versions=enumerated.plan.pack_versions,
            notices=enumerated.notices,
            members=Members(numbers=members.numbers, pseudonyms=members.pseudonyms, keys=members.keys),
            excluded_by_reason=enumerated.excluded_by_reason,
        )

    def members(self, controller: str, numbers: NDArray[np.uint32]) -> Members:
        """Those of some customers (sorted numbers) who still have a key: from the store, never from memory."""
        found = self._store.members(controller, numbers)
        return Members(numbers=found.numbers, pseudonyms=found.pseudonyms, keys=found.keys)

    def find(self, controller: str, pseudonyms: Sequence[bytes]) -> Members:
        """Those of some customers, by pseudonym, who still have a key."""
        numbers = self._store.numbers(controller, pseudonyms)
        return self.members(controller, np.array(sorted(numbers.values()), dtype=np.uint32))
