"""The tables of the store.

``consent_act`` is the evidence: every act of a controller in one order, never changed, never deleted. What an erasure
must be able to delete stands apart: the pseudonym in ``customer``, where somebody lives in ``profile_detail``.
``fact`` is derived from the acts in the same transaction and is what every decision reads.

Times are whole microseconds since 1970 (UTC). Controllers, customers, topics and notices are numbered, because these
rows exist by the million.
"""

from sqlalchemy import CHAR, BigInteger, Index, SmallInteger, UniqueConstraint
from sqlmodel import Field, SQLModel


class ControllerStand(SQLModel, table=True):
    """How far a controller's record goes; its row is locked while acts are recorded."""

    __tablename__ = "controller_stand"
    __table_args__ = (UniqueConstraint("controller", name="controller_stand_controller"),)

    controller_no: int | None = Field(default=None, primary_key=True)
    controller: str
    position: int = Field(sa_type=BigInteger)
    """Of the last act; they are 1, 2, 3, without gaps."""
    customers: int
    """Customer numbers given out: 1 up to this one."""
    erased: int
    """How many of them are erased."""


class RecordedActRow(SQLModel, table=True):
    """One act, as said and as recorded."""

    __tablename__ = "consent_act"
    __table_args__ = (
        Index("consent_act_key", "controller_no", "key", unique=True),
        Index("consent_act_customer", "controller_no", "customer_no"),
        {"sqlite_with_rowid": False},
    )

    controller_no: int = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    customer_no: int
    kind: str
    key: str
    said_us: int = Field(sa_type=BigInteger)
    recorded_us: int = Field(sa_type=BigInteger)
    registry_version: int
    """Version of the registry that it was checked against."""
    purpose: str | None
    tier: str | None
    notice: str | None
    language: str | None
    explicit: bool
    ends_us: int | None = Field(sa_type=BigInteger)
    separate_matter: str | None
    separate_subject: str | None
    interaction: str | None
    preselected: bool
    channel: str | None


class ProfileDetail(SQLModel, table=True):
    """What a profile act said of the person; an erasure deletes it, the act itself stays."""

    __tablename__ = "profile_detail"
    __table_args__ = (
        Index("profile_detail_customer", "controller_no", "customer_no"),
        {"sqlite_with_rowid": False},
    )

    controller_no: int = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    customer_no: int
    country: str | None = Field(sa_type=CHAR(2))
    adult: bool | None
    born_on: int | None
    """A minor's birthday, days since 1970."""


class Customer(SQLModel, table=True):
    """The link between a number and a person; an erasure cuts it."""

    __tablename__ = "customer"
    __table_args__ = (
        Index("customer_pseudonym", "controller_no", "pseudonym", unique=True),
        {"sqlite_with_rowid": False},
    )

    controller_no: int = Field(primary_key=True)
    customer_no: int = Field(primary_key=True)
    pseudonym: bytes | None
    """16 bytes; none after an erasure."""
    key: bytes | None
    """32 random bytes, drawn for this customer alone; none after an erasure."""
    since: int = Field(sa_type=BigInteger)
    """Position of the customer's first act."""
    erased: int | None = Field(sa_type=BigInteger)
    """Position of the erasure."""


class Tombstone(SQLModel, table=True):
    """That somebody was erased, so that what was said before cannot revive them; tells nobody who it was."""

    __tablename__ = "tombstone"
    __table_args__ = ({"sqlite_with_rowid": False},)

    controller_no: int = Field(primary_key=True)
    digest: bytes = Field(primary_key=True)
    """HMAC-SHA256 of controller and pseudonym under the store's secret."""
    erased_us: int = Field(sa_type=BigInteger)
    """When the erasure was asked for: what was said up to then is refused."""


class FactRow(SQLModel, table=True):
    """What prevails, or once prevailed, on one topic for one customer: from position ``since`` up to ``until``.

    ``until`` is ``NO_END`` for the fact that prevails now, so the primary key allows one of these. At any position at
    most one row of a topic and customer is in force.
    """

    __tablename__ = "fact"
    __table_args__ = ({"sqlite_with_rowid": False},)

    controller_no: int = Field(primary_key=True)
    topic_no: int = Field(primary_key=True)
    customer_no: int = Field(primary_key=True)
    until: int = Field(primary_key=True, sa_type=BigInteger)
    since: int = Field(sa_type=BigInteger)
    state: int = Field(sa_type=SmallInteger)
    explicit: bool
    tier_rank: int | None = Field(sa_type=SmallInteger)
    notice_no: int | None
    effective_us: int = Field(sa_type=BigInteger)
    until_us: int = Field(sa_type=BigInteger)
    country: str | None = Field(sa_type=CHAR(2))
    born_on: int | None


class NumberedName(SQLModel, table=True):
    """The number that stands for a topic or a notice; both share the numbers, their names never collide."""

    __tablename__ = "numbered_name"
    __table_args__ = (UniqueConstraint("name", name="numbered_name_name"),)

    number: int | None = Field(default=None, primary_key=True)
    name: str


class RegistryDocument(SQLModel, table=True):
    """One registered thing as it reads from a version of the registry on; never changed, never deleted."""

    __tablename__ = "registry_document"

    kind: str = Field(primary_key=True)
    """The registry's field, such as ``purposes``."""
    name: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: str | None
    """As JSON; none where it is no longer in force."""
    recorded_us: int = Field(sa_type=BigInteger)


class StoreSecret(SQLModel, table=True):
    """A random secret of this store, made once."""

    __tablename__ = "store_secret"

    name: str = Field(primary_key=True)
    value: bytes
