"""Issuing cohort manifests: the signed answer to who may be used for this step, now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hanse_consent.store import ConsentStore
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import CohortManifest, CohortRequest, cohort_root


class ManifestIssuer:
    """Enumerates, binds the answer to its question, signs.

    Args:
        store: The consent store.
        key: The service's key, which every vault has pinned.
        lifetime_s: Seconds for which a manifest may be used.
        now: The service's clock.
    """

    def __init__(self, *, store: ConsentStore, key: SigningKey, lifetime_s: int, now: Callable[[], datetime]) -> None:
        self._store = store
        self._key = key
        self._lifetime = timedelta(seconds=lifetime_s)
        self._now = now

    def issue(self, request: CohortRequest) -> bytes:
        """Answer a vault's question as a signed :class:`CohortManifest`.

        Raises:
            PurposeUnknownError: If the purpose is not in force.
            TierNotOfferedError: If the purpose does not exist at this tier.
            StoreUnavailableError: If the store cannot be read.
        """
        issued_at = self._now().astimezone(UTC)
        cohort = self._store.cohort(partner=request.partner, purpose=request.purpose, tier=request.tier)
        manifest = CohortManifest(
            partner=request.partner,
            run=request.run,
            round=request.round,
            purpose=request.purpose,
            tier=request.tier,
            nonce=request.nonce,
            position=cohort.position,
            notice_versions=cohort.notices,
            issued_at=issued_at,
            expires_at=issued_at + self._lifetime,
            customers=cohort.customers,
            count=len(cohort.customers),
            root=cohort_root(cohort.customers),
        )
        return manifest.sign(self._key)
