"""The vault's purchases as its operations read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hanse_client.data.queries import VaultData
from hanse_privacy.protocol.question_steps import Grouping

_ANY_WEEK_ONE = date(1970, 1, 1)
"""Who is a customer does not depend on how weeks are numbered."""


@dataclass(frozen=True, kw_only=True)
class PurchaseStore:
    """One partner's ``purchases.duckdb``."""

    path: Path

    def known(self, cohort: Sequence[str]) -> tuple[str, ...]:
        """Those of ``cohort`` that have rows here, sorted."""
        return tuple(sorted(set(cohort).intersection(self._data(_ANY_WEEK_ONE).customers())))

    def catalogue_digest(self) -> str:
        """Digest of the catalogue that the export was read with."""
        return self._data(_ANY_WEEK_ONE).origin().catalogue_digest

    def groups(self, by: Grouping) -> frozenset[str]:
        """The categories or store groups that rows here can be in."""
        return self._data(_ANY_WEEK_ONE).groups(by)

    def in_weeks_from(self, week_one: date) -> VaultData:
        """The rows with weeks numbered from the league's first day."""
        return self._data(week_one)

    def _data(self, week_one: date) -> VaultData:
        return VaultData(path=self.path, anchor=week_one)
