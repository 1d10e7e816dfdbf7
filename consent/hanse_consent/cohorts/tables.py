"""What is kept of manifests: the signed document, its members as a bitmap of numbers, and reports. No pseudonyms."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel


class IssuedManifest(SQLModel, table=True):
    """One manifest. A run's manifests at a controller form a chain: each names the digest of the one before."""

    __tablename__ = "cohort_manifest"
    __table_args__ = (UniqueConstraint("controller", "digest"),)

    controller: str = Field(primary_key=True)
    run: str = Field(primary_key=True)
    serial: int = Field(primary_key=True)
    """1, 2, 3 … along the chain; two that were issued at once cannot both have the next."""
    round: int
    digest: str
    root: str
    member_count: int
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    issued_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    expires_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    signed: str
    """The signed document, JSON."""
    members: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """The members' numbers as a serialised Roaring bitmap."""


class ReceivedReport(SQLModel, table=True):
    """What a vault reported for a manifest; the first report counts."""

    __tablename__ = "cohort_report"
    __table_args__ = (
        ForeignKeyConstraint(["controller", "manifest"], ["cohort_manifest.controller", "cohort_manifest.digest"]),
    )

    controller: str = Field(primary_key=True)
    manifest: str = Field(primary_key=True)
    loaded_count: int
    loaded_root: str
    outcome: str
    """A :class:`hanse_privacy.protocol.manifest.ReportOutcome`, or ``mismatch``."""
    why: str
    """What differed; empty if nothing did."""
    received_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class KeptLeaf(SQLModel, table=True):
    """The leaf of a customer who was erased, so that the manifest's root can still be computed; it finds nobody."""

    __tablename__ = "cohort_kept_leaf"
    __table_args__ = (
        ForeignKeyConstraint(["controller", "manifest"], ["cohort_manifest.controller", "cohort_manifest.digest"]),
    )

    controller: str = Field(primary_key=True)
    manifest: str = Field(primary_key=True)
    leaf: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
