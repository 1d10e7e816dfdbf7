"""The tables of this room. Times are whole microseconds since 1970 (UTC).

No column holds a password, a token or a pseudonym: only hashes of them.
"""

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, text
from sqlmodel import Field, SQLModel

# SQLite numbers rows by itself only in a column of type INTEGER.
_RowNumber = BigInteger().with_variant(Integer(), "sqlite")


class AccountRow(SQLModel, table=True):
    """A person's account. Never deleted, because the log of look-ups names it."""

    __tablename__ = "access_account"

    name: str = Field(primary_key=True)
    password_hash: str
    """Argon2id in PHC form."""
    created_us: int = Field(sa_type=BigInteger)
    disabled_us: int | None = Field(default=None, sa_type=BigInteger)
    must_change_password: bool


class AccountRoleRow(SQLModel, table=True):
    """A role that an account holds at one controller."""

    __tablename__ = "access_account_role"

    account: str = Field(primary_key=True, foreign_key="access_account.name")
    controller: str = Field(primary_key=True)
    role: str = Field(primary_key=True)


class SessionRow(SQLModel, table=True):
    """An open session; the row is deleted when it ends."""

    __tablename__ = "access_session"

    token_sha256: bytes = Field(primary_key=True, sa_type=LargeBinary)
    account: str = Field(index=True, foreign_key="access_account.name")
    opened_us: int = Field(sa_type=BigInteger)
    used_us: int = Field(sa_type=BigInteger)
    """Written only now and then: see ``SessionLifetime.note_use_every``."""
    ends_us: int = Field(sa_type=BigInteger, index=True)


class NodeSuspensionRow(SQLModel, table=True):
    """A node that is suspended now; the row is deleted when it is resumed."""

    __tablename__ = "access_node_suspension"

    node: str = Field(primary_key=True)
    since_us: int = Field(sa_type=BigInteger)
    suspended_by: str
    reason: str


class AccessEventRow(SQLModel, table=True):
    """A change of accounts or nodes: who did what to whom, when and why. Never changed."""

    __tablename__ = "access_event"

    number: int | None = Field(default=None, primary_key=True, sa_type=_RowNumber)
    at_us: int = Field(sa_type=BigInteger)
    actor: str
    action: str
    subject: str
    reason: str


class LookUpRow(SQLModel, table=True):
    """A look-up of one person, or of many at once. Never changed.

    Many are one row: a row of its own in an index for each would cost more than their answers.
    """

    __tablename__ = "access_look_up"
    __table_args__ = (
        Index("access_look_up_by_controller", "controller", "number"),
        Index(
            "access_look_up_of_one",
            "controller",
            "persons",
            "number",
            sqlite_where=text("people = 1"),
            postgresql_where=text("people = 1"),
        ),
        Index(
            "access_look_up_of_many",
            "controller",
            "number",
            sqlite_where=text("people > 1"),
            postgresql_where=text("people > 1"),
        ),
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=_RowNumber)
    controller: str
    actor_kind: str
    actor: str
    kind: str
    people: int
    persons: bytes = Field(sa_type=LargeBinary)
    """For each person 16 bytes of a keyed hash of the pseudonym, one after the other."""
    reason: str
    at_us: int = Field(sa_type=BigInteger)


class SeenRequestRow(SQLModel, table=True):
    """A signed request that was accepted, for as long as its signature could be valid."""

    __tablename__ = "access_seen_request"
    __table_args__ = {"sqlite_with_rowid": False}

    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    """SHA-256 of party and nonce."""
    good_until_us: int = Field(sa_type=BigInteger, index=True)
