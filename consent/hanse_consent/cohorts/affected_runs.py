"""Which runs used customers who had said no, before anybody here could know: told to the controller's officers."""

import json
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Protocol

from hanse_consent.cohorts.late_acts import Overtaken, late_acts, overtaken
from hanse_consent.cohorts.reach import UsedFor, speaks_against
from hanse_consent.domain.affected_runs import AffectedAct, AffectedRunPage, UseOfCustomer
from hanse_consent.domain.moments import from_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.storage.database import Database
from hanse_privacy.protocol.manifest import CohortManifest
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.validation import require

MAX_ACTS_PER_PAGE = 200
_EXAMINED = 1000
"""Late acts that one page looks at, whether or not a manifest held their customers."""


class TermsOfRun(Protocol):
    """On what terms a run was proposed."""

    def __call__(self, *, controller: str, run: str) -> RunProposal | None:
        """The proposal of a run that concerns a controller; none if it is not known here."""


class AffectedRuns:
    """Holds acts that came late against the manifests that they came too late for.

    Args:
        database: Where acts and manifests are kept.
        registry_at: The registry at a version.
        terms_of: The runs' proposals.
    """

    def __init__(self, *, database: Database, registry_at: Callable[[int], Registry], terms_of: TermsOfRun) -> None:
        self._database = database
        self._registry_at = registry_at
        self._terms_of = terms_of

    def page(self, controller: str, *, after: int = 0, limit: int = MAX_ACTS_PER_PAGE) -> AffectedRunPage:
        """Acts by which customers said no and that were recorded after runs had used them.

        A use counts if its manifest was issued no earlier than the act was said, had not seen the act, holds the
        customer, and is about what the act speaks against.

        Args:
            controller: Whose.
            after: Only acts after this position.
            limit: At most so many acts, 1 to 200.

        Raises:
            InvalidValueError: If ``limit`` or ``after`` is out of bounds.
            StoreUnavailableError: If the store cannot be read.
        """
        require(1 <= limit <= MAX_ACTS_PER_PAGE, name="limit", value=limit, bound=f"1 to {MAX_ACTS_PER_PAGE}")
        require(after >= 0, name="after", value=after, bound="at least 0")
        with self._database.reading(controller=controller) as session:
            acts = late_acts(session, controller=controller, after=after, limit=_EXAMINED)
            manifests = overtaken(session, acts, controller=controller)
        uses: dict[int, list[UseOfCustomer]] = defaultdict(list)
        terms = cache(lambda run: self._terms_of(controller=controller, run=run))
        for manifest in manifests:
            document = CohortManifest.parse(json.loads(manifest.signed)["document"])
            registry = self._registry_at(document.registry_version)
            used_for = UsedFor.of(document.purpose, registry=registry, proposal=terms(manifest.run))
            use = _use(manifest, purpose=document.purpose)
            for act in manifest.acts:
                if speaks_against(used_for, kind=act.kind, purpose=act.purpose, separate=act.separate):
                    uses[act.position].append(use)
        affected = [
            AffectedAct(
                position=act.position,
                kind=act.kind,
                purpose=act.purpose,
                said_at=from_microseconds(act.said_us),
                recorded_at=from_microseconds(act.recorded_us),
                uses=tuple(uses[act.position]),
            )
            for act in acts
            if act.position in uses
        ]
        return AffectedRunPage(
            affected=tuple(affected[:limit]),
            next_after=_next_after(affected, limit=limit, last=acts[-1].position if len(acts) == _EXAMINED else None),
        )


def _use(manifest: Overtaken, *, purpose: str) -> UseOfCustomer:
    return UseOfCustomer(
        run=manifest.run,
        round=manifest.round,
        manifest=manifest.digest,
        issued_at=from_microseconds(manifest.issued_us),
        purpose=purpose,
    )


def _next_after(affected: list[AffectedAct], *, limit: int, last: int | None) -> int | None:
    """Where to go on: after the last act told, or after the last one examined, if there may be more."""
    return affected[limit - 1].position if len(affected) > limit else last
