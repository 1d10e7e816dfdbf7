"""Budgets as they are sent to people."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.vocabulary import PartyName


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OlderLedger(_Body):
    """That a signer came with an older ledger than it had reported, or with another; it was refused."""

    position: int = Field(ge=0)
    """Its last entry."""
    at: datetime
    """When it last did."""


class _Signed(_Body):
    key: str
    """Fingerprint of the key that signed it."""
    signature: str
    """Ed25519 over the document's canonical form, base64."""


class SignedReport(_Signed):
    """A report as its vault signed it: anybody who has the vault's key can verify it."""

    document: BudgetReport


class SignedLeagueReport(_Signed):
    """A report as the league's centre signed it: anybody who has the centre's key can verify it."""

    document: LeagueBudgetReport


class _Kept(_Body):
    received_at: datetime
    older_ledger: OlderLedger | None


class VaultBudgetBody(_Kept):
    """What one vault said last."""

    signed: SignedReport


class LeagueBudgetBody(_Kept):
    """What one centre said last of what it asked of the controller's vault, and of what a person has lost in all."""

    signed: SignedLeagueReport


class BudgetPage(_Body):
    """The budgets of a controller's vaults and what its leagues say, the last heard of first."""

    controller: PartyName
    vaults: tuple[VaultBudgetBody, ...]
    leagues: tuple[LeagueBudgetBody, ...]

    @model_validator(mode="after")
    def _all_are_this_controllers(self) -> Self:
        partners = {vault.signed.document.partner for vault in self.vaults}
        partners |= {league.signed.document.partner for league in self.leagues}
        if partners - {self.controller}:
            raise ValueError("each report must be of the controller that the page names")
        return self
