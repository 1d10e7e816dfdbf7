"""What a vault remembers of its masked sums: each run's session key, each attempt, the exact bytes sent last."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hanse_client.vault.register_file import RegisterFile
from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.vault_side import VaultSums

_SCHEMA = """
CREATE TABLE IF NOT EXISTS session_key (
    run TEXT PRIMARY KEY,
    private BLOB NOT NULL,
    message BLOB NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sum_keys (
    run TEXT PRIMARY KEY,
    digest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS begun_sum (
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (run, round, attempt)
) STRICT;
CREATE TABLE IF NOT EXISTS answered_sum (
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    masked BLOB,
    PRIMARY KEY (run, round, attempt)
) STRICT;
"""


@dataclass(frozen=True, kw_only=True, repr=False)
class KeptSessionKey:
    """A vault's ephemeral key for one run.

    Args:
        private: 32 secret bytes.
        message: The signed public key, as it was sent.
        expires_at: From then on it is not needed.
    """

    private: bytes
    message: bytes
    expires_at: datetime


class SumRegister:
    """The register, in a file of the vault that only its account can read.

    Args:
        path: The file; it may be the register's of runs.

    Raises:
        RegisterUnusableError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = RegisterFile(path, schema=_SCHEMA)

    def keep_session_key(self, run: str, key: KeptSessionKey) -> KeptSessionKey:
        """Keep a run's key, or return the one that is kept."""
        with self._file.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO session_key VALUES (?, ?, ?, ?)",
                (run, key.private, key.message, key.expires_at.astimezone(UTC).isoformat()),
            )
        return self.session_key(run) or key

    def session_key(self, run: str) -> KeptSessionKey | None:
        """The key kept for a run, until it is forgotten."""
        rows = self._file.read("SELECT private, message, expires_at FROM session_key WHERE run = ?", run)
        if not rows:
            return None
        return KeptSessionKey(private=rows[0][0], message=rows[0][1], expires_at=datetime.fromisoformat(rows[0][2]))

    def forget_expired(self, now: datetime) -> None:
        """Delete the keys of runs that are over: what was sent in them stays closed for ever."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM session_key WHERE expires_at <= ?", (now.astimezone(UTC).isoformat(),))

    def sums(self, run: str, *, begun: Iterable[tuple[int, int]]) -> VaultSums:
        """A run's attempts, by round and attempt: those that were answered, among those that were begun or paid for.

        Args:
            run: The run.
            begun: What the ledger was charged for.
        """
        keys = self._file.read("SELECT digest FROM sum_keys WHERE run = ?", run)
        here = self._file.read("SELECT round, attempt FROM begun_sum WHERE run = ?", run)
        rows = self._file.read("SELECT round, attempt FROM answered_sum WHERE run = ?", run)
        return VaultSums(
            keys=keys[0][0] if keys else None,
            answered=dict.fromkeys(begun, False)
            | dict.fromkeys(map(tuple, here), False)
            | dict.fromkeys(map(tuple, rows), True),
        )

    def begin(self, run: str, attempt: Attempt) -> None:
        """Keep that an attempt is under way, before the consent service is asked whom it may use.

        A crash then makes it void, and so does putting back a copy of the vault's memory that was taken meanwhile; in
        an older copy, the consent service's next manifest answers a question that the vault does not know.

        Raises:
            RegisterUnusableError: If it cannot be written.
        """
        with self._file.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO begun_sum VALUES (?, ?, ?)", (run, attempt.round, attempt.attempt)
            )

    def withdraw(self, run: str, attempt: Attempt) -> None:
        """Take that back, where nothing was computed: the attempt may be asked again."""
        with self._file.writing() as connection:
            connection.execute(
                "DELETE FROM begun_sum WHERE run = ? AND round = ? AND attempt = ?",
                (run, attempt.round, attempt.attempt),
            )

    def answer(self, run: str, attempt: Attempt, *, keys: str, masked: bytes) -> None:
        """Keep the exact bytes of an attempt before they leave, and with whose keys; those of earlier rounds go.

        Raises:
            RegisterUnusableError: If it was answered before, or cannot be written.
        """
        with self._file.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO sum_keys VALUES (?, ?)", (run, keys))
            connection.execute(
                "UPDATE answered_sum SET masked = NULL WHERE run = ? AND round < ?", (run, attempt.round)
            )
            connection.execute(
                "INSERT INTO answered_sum VALUES (?, ?, ?, ?)", (run, attempt.round, attempt.attempt, masked)
            )

    def masked(self, run: str, attempt: Attempt) -> bytes | None:
        """The bytes that were kept for an attempt; none once a later round was answered."""
        rows = self._file.read(
            "SELECT masked FROM answered_sum WHERE run = ? AND round = ? AND attempt = ?",
            run,
            attempt.round,
            attempt.attempt,
        )
        return rows[0][0] if rows else None
