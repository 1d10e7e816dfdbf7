"""The last word of each vault, and of each centre on each partner, about a budget."""

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlmodel import Field, SQLModel


class KeptReport(SQLModel, table=True):
    """What one signer, known by its key, said last of a controller. A new key has a row of its own."""

    __tablename__ = "budget_report"

    controller: str = Field(primary_key=True, max_length=40)
    kind: str = Field(primary_key=True, max_length=40)
    """The document's."""
    signer_key: str = Field(primary_key=True, max_length=64)
    """Fingerprint of the key that signed it."""
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Of the ledger's last entry."""
    head: str = Field(max_length=64)
    said_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    """By the signer's own clock, microseconds since 1970 as all times here."""
    signed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """The signed report."""
    received_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    older_position: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    """Of the last report that was refused because its ledger was an older one; none if there never was one."""
    older_us: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
