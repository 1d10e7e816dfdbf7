"""Numbers for topics and notices: rows by the million carry a number, a small table knows the names."""

from collections.abc import Iterable, Mapping, Sequence

from sqlmodel import Session

from hanse_consent.storage.bulk import batched
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import NumberedName

_SELECT = "SELECT name, number FROM numbered_name"
_LOCK = 0x68616E7365  # any number that nothing else in the database locks


class NameNumbers:
    """What this process knows of the numbers; they never change, so nothing of it grows stale."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def keep(self, numbers: Mapping[str, int]) -> None:
        """Remember numbers whose transaction is committed."""
        self._numbers.update(numbers)
        self._names.update({number: name for name, number in numbers.items()})

    def known(self, statements: Statements, names: Iterable[str]) -> dict[str, int]:
        """The numbers of those names that have one; for transactions that only read."""
        wanted = frozenset(names)
        missing = wanted - self._numbers.keys()
        if missing:
            self.keep(_read(statements, missing))
        return {name: self._numbers[name] for name in wanted if name in self._numbers}

    def names(self, statements: Statements, numbers: Iterable[int], *, added: Mapping[str, int]) -> dict[int, str]:
        """The names behind numbers.

        Args:
            statements: Of the transaction.
            numbers: All of which have a name.
            added: Numbers given in this transaction.
        """
        own = {number: name for name, number in added.items()}
        wanted = frozenset(numbers)
        for some in batched(wanted - own.keys() - self._names.keys()):
            self.keep(dict(statements.rows(f"{_SELECT} WHERE number IN ({_places(some)})", some)))
        return {number: own[number] if number in own else self._names[number] for number in wanted}

    def ensure(self, session: Session, names: Iterable[str], *, added: dict[str, int]) -> dict[str, int]:
        """The numbers of all names, new ones where there was none.

        Args:
            session: One that writes.
            names: Topics and notices.
            added: Numbers given in this transaction; :meth:`keep` them once it is committed.
        """
        wanted = frozenset(names)
        missing = wanted - self._numbers.keys() - added.keys()
        if missing:
            if session.connection().dialect.name == "postgresql":
                # One giver of numbers at a time: two that give the same names in another order would block for ever.
                session.connection().exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            added.update(_read(Statements.of(session), missing))
            session.add_all(NumberedName(name=name) for name in sorted(missing - added.keys()))
            session.flush()
            added.update(_read(Statements.of(session), missing))
        return {name: self._numbers[name] if name in self._numbers else added[name] for name in wanted}


def _read(statements: Statements, names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in batched(names):
        found.update(statements.rows(f"{_SELECT} WHERE name IN ({_places(some)})", some))
    return found


def _places(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))
