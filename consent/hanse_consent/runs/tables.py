"""The rows of runs: each signed proposal once, and per controller the events, which are only ever added."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel


class LeagueRunRow(SQLModel, table=True):
    """A proposal as its centre signed it. It holds nothing about any customer, and belongs to no controller."""

    __tablename__ = "league_run"

    run: str = Field(primary_key=True, max_length=81)
    proposal: str = Field(max_length=64)
    """Its digest."""
    centre: str = Field(max_length=40)
    signed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    expires_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Microseconds since 1970, as all times here."""
    submitted_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class ControllerRunRow(SQLModel, table=True):
    """That a run concerns a controller; the row that is locked while its events are added to."""

    __tablename__ = "league_run_controller"
    __table_args__ = (Index("league_run_by_submission", "controller", "submitted_us", "run"),)

    controller: str = Field(primary_key=True, max_length=40)
    run: str = Field(primary_key=True, max_length=81)
    submitted_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class RunEventRow(SQLModel, table=True):
    """One event of one run at one controller."""

    __tablename__ = "league_run_event"

    controller: str = Field(primary_key=True, max_length=40)
    run: str = Field(primary_key=True, max_length=81)
    number: int = Field(primary_key=True)
    """1, 2, 3 … without gaps."""
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    kind: str = Field(max_length=32)
    body: str = Field(sa_column=Column(Text, nullable=False))
    """The event as JSON (:data:`hanse_consent.runs.events.RUN_EVENT`)."""
