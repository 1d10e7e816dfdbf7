"""The cohort manifest: which customers of one partner one round may use, signed by the consent service.

A vault asks with a fresh nonce before every round, holds the answer against the run's earlier manifests
(:mod:`hanse_privacy.protocol.manifest_chain`), loads the named customers and no others, and reports what it loaded
before anything leaves. The manifest names nobody: it binds its signer to the members by the root of a tree over
salted leaves. The members themselves travel beside it, to the vault alone (:mod:`hanse_privacy.protocol.cohort`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.vocabulary import PartyName, PurposeName, RunId, Tier

MAXIMUM_COHORT = 2**24
"""Most customers of one manifest."""
LONGEST_LIFETIME = timedelta(hours=1)
"""No manifest may be used for longer, whatever its signer says."""
NO_PREVIOUS = "0" * 64
"""Stands for the digest of the manifest before a run's first one."""
MOST_MISSED = 64
"""Most manifests that an answer brings because the vault had missed them: no round has nearly as many."""

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Nonce = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Reason = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,47}$")]
_Pack = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,15}$")]
_Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{1,40}$")]
_Round = Annotated[int, Field(ge=1, le=100_000)]
_Count = Annotated[int, Field(ge=0, le=MAXIMUM_COHORT)]
_BITMAP_LETTERS = (MAXIMUM_COHORT // 8 + 2) // 3 * 4


class LeafAlgorithm(StrEnum):
    """How a customer becomes a leaf of the tree."""

    BLAKE2B_SHA256 = "blake2b-128+sha-256"
    """Salt by keyed BLAKE2b, leaf by SHA-256: see :mod:`hanse_privacy.protocol.cohort`."""


class CohortRequest(Document):
    """A vault's question: who of my customers may be used for this step of this proposal, now?"""

    kind: ClassVar[str] = "cohort-request/3"

    partner: PartyName
    run: RunId
    round: _Round
    proposal: _Digest
    """Digest of the proposal that the vault admitted."""
    purpose: PurposeName
    tier: Tier
    known: _Digest
    """Digest of the newest manifest of this run that the vault has accepted, or ``NO_PREVIOUS``."""
    nonce: _Nonce


class CohortManifest(Document):
    """The consent service's answer, bound to the question by all its fields and the nonce."""

    kind: ClassVar[str] = "cohort-manifest/3"

    partner: PartyName
    run: RunId
    round: _Round
    proposal: _Digest
    purpose: PurposeName
    tier: Tier
    known: _Digest
    """As the vault named it: what it had missed lies between that one and this one."""
    nonce: _Nonce
    position: int = Field(ge=0)
    """The partner's last recorded act that this manifest has seen."""
    registry_version: int = Field(ge=0)
    pack_versions: Mapping[_Pack, _Version]
    """Version of each law pack that decided, by pack."""
    notice_versions: tuple[str, ...]
    """The notices under which the grants were given, ``name@version``."""
    issued_at: datetime
    expires_at: datetime
    """First moment at which it may no longer be used."""
    leaf_algorithm: LeafAlgorithm
    count: _Count
    root: _Digest
    """Root of the tree over the members' leaves, sorted by leaf hash."""
    excluded_by_reason: Mapping[_Reason, Annotated[int, Field(ge=0, le=2**40)]]
    """Customers that each reason excludes; one customer may be excluded for several."""
    previous: _Digest
    """Digest of the manifest issued before this one for the same run and partner, or ``NO_PREVIOUS``."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.issued_at.tzinfo is None or self.expires_at.tzinfo is None:
            raise ValueError("issued_at and expires_at must name their time zone")
        if not self.issued_at < self.expires_at <= self.issued_at + LONGEST_LIFETIME:
            raise ValueError(f"expires_at must be after issued_at, by {LONGEST_LIFETIME} at most")
        return self

    @property
    def question(self) -> CohortRequest:
        """The question that it answers."""
        return CohortRequest.model_validate({name: getattr(self, name) for name in CohortRequest.model_fields})


class CohortReport(Document):
    """What a vault really loaded of a manifest's cohort: the whole cohort, never a step's sample of it."""

    kind: ClassVar[str] = "cohort-report/1"

    partner: PartyName
    run: RunId
    round: _Round
    manifest: _Digest
    loaded_count: _Count
    loaded_root: _Digest
    """Root of the tree over the leaves of the customers that were loaded."""
    absent: str = Field(pattern=r"^[0-9A-Za-z+/]*={0,2}$", max_length=_BITMAP_LETTERS)
    """The manifest's customers without rows at the vault: base64 of one bit per leaf, in the order of the leaves, the
    first leaf in the highest bit of the first byte; spare bits are 0."""


class ReportOutcome(StrEnum):
    """What the consent service found when it computed the root itself."""

    MATCH = "match"
    """Exactly those of the manifest's customers that the report says."""


class CohortReceipt(Document):
    """The consent service's signed word that it accepted a report. A mismatch gets none."""

    kind: ClassVar[str] = "cohort-receipt/1"

    manifest: _Digest
    loaded_root: _Digest
    outcome: ReportOutcome
    received_at: datetime
