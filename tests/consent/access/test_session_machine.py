"""Sessions over time against a model: whatever happens in whatever order, a token opens what it should and no more."""

import contextlib
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import StaticPool
from sqlmodel import Session, SQLModel, create_engine

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.errors import CredentialsInvalidError, SessionInvalidError
from hanse_consent.access.roles import Role, RoleGrant
from hanse_consent.access.sessions import SessionLifetime, Sessions

IDLE_S, ABSOLUTE_S, GRAIN_S, AT_MOST = 300, 1000, 60, 3
WAITS_S = (0, 1, GRAIN_S - 1, GRAIN_S, IDLE_S - GRAIN_S, IDLE_S - 1, IDLE_S, ABSOLUTE_S)


class InMemory:
    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        own = [table for name, table in SQLModel.metadata.tables.items() if name.startswith("access_")]
        SQLModel.metadata.create_all(self._engine, tables=own)

    @contextlib.contextmanager
    def writing(self, *, controller: str = ""):
        with Session(self._engine) as session:
            yield session
            session.commit()

    reading = writing_across_controllers = reading_across_controllers = writing


class SessionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.at_s = 0
        transactions = InMemory()

        def now() -> datetime:
            return datetime(2026, 5, 4, tzinfo=UTC) + timedelta(seconds=self.at_s)

        self.accounts = Accounts(transactions, now=now)
        self.sessions = Sessions(
            transactions,
            now=now,
            lifetime=SessionLifetime(
                idle=timedelta(seconds=IDLE_S),
                absolute=timedelta(seconds=ABSOLUTE_S),
                note_use_every=timedelta(seconds=GRAIN_S),
                per_account=AT_MOST,
            ),
        )
        self.hashes = {}
        for name in ("ada", "bea"):
            grants = frozenset({RoleGrant(controller="aurora", role=Role.OFFICER)})
            self.hashes[name] = f"{name}-0"
            self.accounts.add(name=name, password_hash=self.hashes[name], grants=grants, actor="test")
        self.disabled: set[str] = set()
        self.open: dict[str, tuple[str, int, int]] = {}  # token: account, opened, last use that was noted
        self.ended: set[str] = set()

    def _alive(self, token: str) -> bool:
        _, opened, used = self.open[token]
        return self.at_s < opened + ABSOLUTE_S and self.at_s < used + IDLE_S

    def _end(self, token: str) -> None:
        del self.open[token]
        self.ended.add(token)

    @initialize(name=st.sampled_from(["ada", "bea"]))
    def first(self, name: str) -> None:
        self.sign_in(name, current=True)

    @rule(name=st.sampled_from(["ada", "bea"]), current=st.sampled_from([True, True, True, False]))
    def sign_in(self, name: str, current: bool) -> None:
        try:
            token = self.sessions.open(
                account=name, password_hash=self.hashes[name] if current else "an older hash"
            ).token
        except CredentialsInvalidError:
            assert name in self.disabled or not current
            return
        assert name not in self.disabled
        assert current
        for old in [t for t in self.open if not self._alive(t)]:
            self._end(old)
        self.open[token] = (name, self.at_s, self.at_s)
        mine = sorted((t for t in self.open if self.open[t][0] == name), key=lambda t: self.open[t][1])
        # Sessions opened in the same second have no order: the model follows the store there.
        for old in mine[: max(0, len(mine) - AT_MOST)]:
            tied = [t for t in mine if self.open[t][1] == self.open[old][1] and t != token]
            gone = [t for t in tied if t in self.open and not self._opens(t)]
            assert gone
            self._end(gone[0])

    def _opens(self, token: str) -> bool:
        try:
            self.sessions.find(token)
        except SessionInvalidError:
            return False
        name, opened, used = self.open[token]
        self.open[token] = (name, opened, self.at_s if self.at_s - used >= GRAIN_S else used)
        return True

    # Waiting and using are one step, so that most runs meet sessions at the edges of their time.
    @precondition(lambda self: self.open)
    @rule(data=st.data(), seconds=st.sampled_from(WAITS_S))
    def use_later(self, data: st.DataObject, seconds: int) -> None:
        self.at_s += seconds
        token = data.draw(st.sampled_from(sorted(self.open)))
        alive = self._alive(token)
        assert self._opens(token) == alive
        if not alive:
            self._end(token)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.open)))
        self.sessions.close(token)
        self._end(token)

    @rule(seconds=st.sampled_from(WAITS_S))
    def wait(self, seconds: int) -> None:
        self.at_s += seconds

    @rule(name=st.sampled_from(["ada", "bea"]))
    def change_password(self, name: str) -> None:
        self.hashes[name] = f"{name}-{self.at_s}-{len(self.ended)}"
        self.accounts.set_password(name=name, password_hash=self.hashes[name], must_change=False, actor="test")
        for token in [t for t in self.open if self.open[t][0] == name]:
            self._end(token)

    @rule()
    def disable(self) -> None:
        self.accounts.disable(name="bea", actor="test")
        self.disabled.add("bea")
        for token in [t for t in self.open if self.open[t][0] == "bea"]:
            self._end(token)

    @invariant()
    def what_has_ended_stays_ended(self) -> None:
        for token in self.ended:
            with contextlib.suppress(SessionInvalidError):
                self.sessions.find(token)
                raise AssertionError("an ended session opened again")


SessionMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestSessions = SessionMachine.TestCase
