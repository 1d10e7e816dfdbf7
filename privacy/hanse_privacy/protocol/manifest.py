"""The cohort manifest: which customers of one partner one round may use, signed by the consent service.

A vault asks with a fresh nonce before every round and loads the named customers and no others.
"""

import hashlib
from datetime import datetime
from typing import ClassVar, Self

from pydantic import Field, model_validator

from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.vocabulary import PartyName, Pseudonym, PurposeName, RunId, Tier


def cohort_root(customers: tuple[str, ...]) -> str:
    """SHA-256 over the sorted pseudonyms, hexadecimal: two cohorts are equal exactly if their roots are."""
    hasher = hashlib.sha256(b"hanse/v1/cohort\x00")
    for customer in sorted(customers):
        hasher.update(bytes.fromhex(customer))
    return hasher.hexdigest()


class CohortRequest(Document):
    """A vault's question: who of my customers may be used for this step, now?"""

    kind: ClassVar[str] = "cohort-request/1"

    partner: PartyName
    run: RunId
    round: int = Field(ge=1, le=100_000)
    purpose: PurposeName
    tier: Tier
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")


class CohortManifest(Document):
    """The consent service's answer, bound to the question by all its fields and the nonce."""

    kind: ClassVar[str] = "cohort-manifest/1"

    partner: PartyName
    run: RunId
    round: int = Field(ge=1, le=100_000)
    purpose: PurposeName
    tier: Tier
    nonce: str = Field(pattern=r"^[0-9a-f]{32}$")
    position: int = Field(ge=0)
    """The consent store's last write that this manifest has seen."""
    notice_versions: tuple[str, ...]
    """The notices under which the grants were given, ``name@version``."""
    issued_at: datetime
    expires_at: datetime
    customers: tuple[Pseudonym, ...]
    """Sorted, each once."""
    count: int = Field(ge=0)
    root: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.customers) != sorted(set(self.customers)):
            raise ValueError("customers must be sorted, each once")
        if self.count != len(self.customers):
            raise ValueError("count must be the number of customers")
        if self.root != cohort_root(self.customers):
            raise ValueError("root must be that of the customers")
        if self.issued_at.tzinfo is None or self.expires_at.tzinfo is None:
            raise ValueError("issued_at and expires_at must name their time zone")
        return self
