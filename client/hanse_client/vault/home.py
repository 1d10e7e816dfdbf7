"""A node's folder: where keys, data, policy and state lie, and how they are protected."""

import stat
from dataclasses import dataclass
from pathlib import Path

from hanse_privacy.errors import HanseError


class NodeHomeError(HanseError):
    """The node's folder is missing, or open to other accounts."""

    code = "NODE_HOME"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class NodeHome:
    """Paths under one folder that only the vault's account can enter (mode 0700)."""

    root: Path

    @property
    def policy(self) -> Path:
        """The partner's policy."""
        return self.root / "policy.toml"

    @property
    def signing_key(self) -> Path:
        """The key that signs this vault's answers and requests."""
        return self.root / "keys" / "node.key"

    @property
    def pseudonym_key(self) -> Path:
        """The key that turns the partner's customer numbers into pseudonyms."""
        return self.root / "keys" / "pseudonym.key"

    @property
    def purchases(self) -> Path:
        """The vault's own, normalised copy of the export."""
        return self.root / "state" / "purchases.duckdb"

    @property
    def ledger(self) -> Path:
        """What was spent."""
        return self.root / "state" / "ledger.db"

    @property
    def runs(self) -> Path:
        """Admissions, approvals, rounds answered, letters seen."""
        return self.root / "state" / "runs.db"

    def prepare(self) -> None:
        """Create the folders for this account alone."""
        for folder in (self.root, self.signing_key.parent, self.ledger.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def require_private(self) -> None:
        """Refuse to serve from a folder that others may enter.

        Raises:
            NodeHomeError: If a folder is missing or its mode is wider than 0700.
        """
        for folder in (self.root, self.signing_key.parent, self.ledger.parent):
            if not folder.is_dir():
                raise NodeHomeError(f"The node's folder {folder} does not exist.", "Run 'hanse node keygen' first.")
            if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise NodeHomeError(f"Other accounts can enter {folder}.", f"Run: chmod 700 {folder}")
