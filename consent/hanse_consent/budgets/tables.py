"""The last word of each vault on its budget."""

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlmodel import Field, SQLModel


class VaultBudget(SQLModel, table=True):
    """What one vault, known by its key, said last. A controller's new vault, with a new key, has a row of its own."""

    __tablename__ = "vault_budget"

    controller: str = Field(primary_key=True, max_length=40)
    node_key: str = Field(primary_key=True, max_length=64)
    """Fingerprint of the key that signed it."""
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Of the ledger's last entry."""
    head: str = Field(max_length=64)
    said_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    """By the vault's own clock, microseconds since 1970 as all times here."""
    signed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """The signed report."""
    received_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    older_position: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    """Of the last report that was refused because its ledger was an older one; none if there never was one."""
    older_us: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
