"""The tables of the consent store.

``consent_event`` is the record: every act in one total order, never changed, never deleted.
``consent_state`` is derived from it in the same transaction, narrow, and the only table that the hot
question reads. Times are whole microseconds since 1970 (UTC).
"""

from sqlalchemy import BigInteger, Connection, Table, UniqueConstraint, event
from sqlmodel import Field, SQLModel


class ConsentEvent(SQLModel, table=True):
    """One act, as said and as recorded."""

    __tablename__ = "consent_event"
    __table_args__ = (UniqueConstraint("partner", "key"),)

    position: int = Field(primary_key=True)
    """Place in the total order over all partners: 1, 2, 3, without gaps."""
    partner: str
    customer: str
    purpose: str
    kind: str
    tier: str | None
    notice: str | None
    said_us: int = Field(sa_type=BigInteger)
    recorded_us: int = Field(sa_type=BigInteger)
    key: str


class ConsentState(SQLModel, table=True):
    """Where one customer stands on one purpose now."""

    __tablename__ = "consent_state"
    __table_args__ = {"sqlite_with_rowid": False}

    partner: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    customer: str = Field(primary_key=True)
    granted: bool
    tier_rank: int | None
    """Rank of the grant's tier; none after a withdrawal."""
    notice: str | None
    effective_us: int = Field(sa_type=BigInteger)
    position: int
    """The act that prevails."""


class RegisteredPurpose(SQLModel, table=True):
    """A purpose that the service offers, or once offered."""

    __tablename__ = "purpose"

    name: str = Field(primary_key=True)
    document: str
    """The purpose as JSON."""
    active: bool


class RegisteredNotice(SQLModel, table=True):
    """A notice as people saw it; kept for ever under its version."""

    __tablename__ = "notice"

    name: str = Field(primary_key=True)
    version: str = Field(primary_key=True)
    language: str = Field(primary_key=True)
    reference: str = Field(index=True)
    sha256: str
    document: str
    """The notice as JSON, with its text."""


class SeenNonce(SQLModel, table=True):
    """A signed request that was accepted once and never will be again."""

    __tablename__ = "seen_nonce"
    __table_args__ = {"sqlite_with_rowid": False}

    party: str = Field(primary_key=True)
    nonce: str = Field(primary_key=True)
    seen_us: int = Field(sa_type=BigInteger, index=True)


@event.listens_for(ConsentEvent.metadata.tables["consent_event"], "after_create")
def _forbid_rewriting(_table: Table, connection: Connection, **_options: object) -> None:
    if connection.dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER consent_event_no_{action.lower()} BEFORE {action} ON consent_event "
                "BEGIN SELECT RAISE(ABORT, 'consent events are never changed'); END"
            )
