"""What a vault remembers of runs: proposals, officers' approvals, the owner's word, manifests, letters answered.

It survives a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from hanse_client.vault.register_file import RegisterFile
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.manifest_chain import ManifestChain

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
    run TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    signed_proposal BLOB NOT NULL,
    state TEXT NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS approval (
    run TEXT PRIMARY KEY,
    signed BLOB NOT NULL,
    kept_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS manifest_chain (
    run TEXT PRIMARY KEY,
    newest TEXT NOT NULL,
    open_questions TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS letter (
    nonce BLOB PRIMARY KEY,
    run TEXT NOT NULL,
    seen_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS answered_attempt (
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    manifest_position INTEGER NOT NULL,
    manifest_root TEXT NOT NULL,
    loaded_root TEXT NOT NULL,
    customers INTEGER NOT NULL,
    clipped TEXT NOT NULL,
    answered_at TEXT NOT NULL,
    PRIMARY KEY (run, round, attempt)
) STRICT;
"""
_COPY_EARLIER_ROUNDS = """
INSERT INTO answered_attempt
SELECT run, round, 1, manifest_position, manifest_root, loaded_root, customers, clipped, answered_at FROM round
"""
"""Of a time when a round had one attempt."""


class Admission(StrEnum):
    """Where a run stands at this vault."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    REFUSED = "refused"
    ENDED = "ended"
    """A round found its cohort below the floor; the run gets no further answer."""


class RunUnknownError(HanseError):
    """No such run was proposed to this vault."""

    code = "RUN_UNKNOWN"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class RegisteredRun:
    """One run as this vault knows it."""

    run: str
    digest: str
    signed_proposal: bytes
    state: Admission


@dataclass(frozen=True, kw_only=True)
class RunStanding:
    """Where one run stands at this vault."""

    run: str
    digest: str
    state: Admission


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """One answered attempt at a round, for the partner's own eyes: exact counts never leave the vault."""

    run: str
    round: int
    attempt: int
    manifest_position: int
    manifest_root: str
    loaded_root: str
    """Root of the cohort that was really loaded."""
    customers: int
    clipped: str
    """Customers clipped, by block, as text."""


class RunRegister:
    """The register in its SQLite file; safe for the vault and the owner's commands at once."""

    def __init__(self, path: Path) -> None:
        self._file = RegisterFile(path, schema=_SCHEMA)
        with self._file.writing() as connection:
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'round'").fetchone():
                connection.execute(_COPY_EARLIER_ROUNDS)
                connection.execute("DROP TABLE round")

    def runs(self) -> tuple[RegisteredRun, ...]:
        """All runs, in the order in which they came."""
        rows = self._file.read("SELECT run, digest, signed_proposal, state FROM run ORDER BY rowid")
        return tuple(_registered(row) for row in rows)

    def standings(self) -> tuple[RunStanding, ...]:
        """Where all runs stand, in the order in which they came."""
        rows = self._file.read("SELECT run, digest, state FROM run ORDER BY rowid")
        return tuple(RunStanding(run=row[0], digest=row[1], state=Admission(row[2])) for row in rows)

    def answered(self) -> tuple[RegisteredRun, ...]:
        """The runs of which a round was answered, in the order in which they came."""
        rows = self._file.read(
            "SELECT run, digest, signed_proposal, state FROM run"
            " WHERE run IN (SELECT run FROM answered_attempt) ORDER BY rowid"
        )
        return tuple(_registered(row) for row in rows)

    def find(self, run: str) -> RegisteredRun | None:
        """One run, or none."""
        rows = self._file.read("SELECT run, digest, signed_proposal, state FROM run WHERE run = ?", run)
        return _registered(rows[0]) if rows else None

    def enter(self, entry: RegisteredRun) -> None:
        """Enter a new run; a run that is known keeps its first proposal."""
        with self._file.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO run (run, digest, signed_proposal, state, changed_at) VALUES (?, ?, ?, ?, ?)",
                (entry.run, entry.digest, entry.signed_proposal, entry.state.value, _now()),
            )

    def keep_approval(self, run: str, signed: bytes) -> None:
        """Keep the officers' approval of a run, as the consent service signed it, in place of an earlier one."""
        with self._file.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO approval VALUES (?, ?, ?)", (run, signed, _now()))

    def approval(self, run: str) -> bytes | None:
        """The signed approval of a run, or none."""
        rows = self._file.read("SELECT signed FROM approval WHERE run = ?", run)
        return rows[0][0] if rows else None

    def decide(self, run: str, state: Admission) -> None:
        """Record a person's decision, or that the run has ended; an ended run stays so.

        Raises:
            RunUnknownError: If the run was never proposed here, or has ended.
        """
        with self._file.writing() as connection:
            changed = connection.execute(
                "UPDATE run SET state = ?, changed_at = ? WHERE run = ? AND state != ?",
                (state.value, _now(), run, Admission.ENDED.value),
            ).rowcount
        if changed == 0:
            raise RunUnknownError(
                f"No run {run} was proposed to this vault, or it has ended.", "See 'hanse node runs'."
            )

    def manifest_chain(self, run: str) -> ManifestChain:
        """What is remembered of a run's manifests; of a new run, that there are none."""
        rows = self._file.read("SELECT newest, open_questions FROM manifest_chain WHERE run = ?", run)
        if not rows:
            return ManifestChain()
        ((newest, open_questions),) = rows
        return ManifestChain(newest=newest, open_questions=frozenset(open_questions.split()))

    def keep_manifest_chain(self, run: str, chain: ManifestChain) -> None:
        """Remember a run's manifests in place of what was remembered before."""
        with self._file.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manifest_chain VALUES (?, ?, ?)",
                (run, chain.newest, " ".join(sorted(chain.open_questions))),
            )

    def remember_letter(self, nonce: bytes, *, run: str) -> bool:
        """Return whether the letter is new; it is old from then on, also after a restart."""
        with self._file.writing() as connection:
            return (
                connection.execute(
                    "INSERT OR IGNORE INTO letter (nonce, run, seen_at) VALUES (?, ?, ?)", (nonce, run, _now())
                ).rowcount
                == 1
            )

    def letters(self, run: str) -> int:
        """How many of the centre's letters about a run were received, each once."""
        ((count,),) = self._file.read("SELECT count(*) FROM letter WHERE run = ?", run)
        return int(count)

    def record_round(self, record: RoundRecord) -> None:
        """Keep what one round used."""
        with self._file.writing() as connection:
            connection.execute(
                "INSERT INTO answered_attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.run,
                    record.round,
                    record.attempt,
                    record.manifest_position,
                    record.manifest_root,
                    record.loaded_root,
                    record.customers,
                    record.clipped,
                    _now(),
                ),
            )

    def rounds(self, run: str) -> tuple[RoundRecord, ...]:
        """What each answered round of a run used, in order."""
        rows = self._file.read(
            "SELECT run, round, attempt, manifest_position, manifest_root, loaded_root, customers, clipped"
            " FROM answered_attempt WHERE run = ? ORDER BY round, attempt",
            run,
        )
        return tuple(
            RoundRecord(
                run=row[0],
                round=row[1],
                attempt=row[2],
                manifest_position=row[3],
                manifest_root=row[4],
                loaded_root=row[5],
                customers=row[6],
                clipped=row[7],
            )
            for row in rows
        )


def _registered(row: Sequence[Any]) -> RegisteredRun:
    return RegisteredRun(run=row[0], digest=row[1], signed_proposal=row[2], state=Admission(row[3]))


def _now() -> str:
    return datetime.now(tz=UTC).isoformat()
