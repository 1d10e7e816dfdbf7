"""A signed manifest of an approved run's round: from ids in memory to the signature and the stored answer."""

import time
from contextlib import closing
from typing import Any

from consent.approved_run import approve_run, ask_for_cohort
from consent.observations import Observations, load_average, median
from consent.workplace import Workplace, utc_now
from hanse_consent.api.application import APPROVAL_LASTS
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.cohort_source import StoreCohorts
from hanse_consent.cohorts.issuing import ManifestIssuer
from hanse_consent.decision_service import DecisionService
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.runs.approvals import Approvals
from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.register import RunRegister
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.member_cache import MemberCache
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.protocol.cohort import decode_answer
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest

_TIMES = 3


def measure_manifest(workplace: Workplace, *, observations: Observations) -> dict[str, Any]:
    """Issue manifests as the service does, parts put together as :mod:`hanse_consent.api.application` does.

    The first reads all facts and keys into memory; those after it are the figure.
    """
    packs, key = load_shipped_packs(), workplace.world.keys.service
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=packs, now=utc_now)
        proposal = approve_run(database, store, world=workplace.world, now=utc_now)
        decisions = DecisionService(store=store, packs=packs, cache=BitmapCache(store), now=utc_now)
        issuer = ManifestIssuer(
            database=database,
            source=StoreCohorts(store=store, decisions=decisions, members=MemberCache(store), metrics=ServiceMetrics()),
            require_approved=Approvals(
                RunRegister(database, now=utc_now),
                checker=ProposalChecker(registry=store.registry, packs=packs, approval_lasts=APPROVAL_LASTS),
                key=key,
                now=utc_now,
            ).approved_proposal,
            key=key,
            lifetime_s=300,
            now=utc_now,
        )
        load, seconds, known = load_average(), [], NO_PREVIOUS
        for _ in range(1 + _TIMES):
            asked = ask_for_cohort(proposal, known=known)
            began = time.perf_counter()
            answer = issuer.issue(asked)
            seconds.append(time.perf_counter() - began)
            parts = decode_answer(answer)
            manifest = CohortManifest.verify(parts.manifest, key=key.public)
            known = manifest.digest
    observations.note_all("manifest_first_then_warm", engine=workplace.store.engine.value, values=seconds)
    return {
        "manifest_400k_s": round(median(seconds[1:]), 3),
        "manifest_first_s": round(seconds[0], 3),
        "manifest_members": manifest.count,
        "manifest_answer_mb": round(len(parts.members) / 1e6, 1),
        "manifest_load": load,
    }
