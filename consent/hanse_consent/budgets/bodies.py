"""Budgets as they are sent to people."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.vocabulary import PartyName


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OlderLedger(_Body):
    """That a vault came with an older ledger than it had reported, or with another; it was refused."""

    position: int = Field(ge=0)
    """Its last entry."""
    at: datetime
    """When it last did."""


class SignedReport(_Body):
    """A report as its vault signed it: anybody who has the vault's key can verify it."""

    document: BudgetReport
    key: str
    """Fingerprint of the vault's key."""
    signature: str
    """Ed25519 over the document's canonical form, base64."""


class VaultBudgetBody(_Body):
    """What one vault said last."""

    received_at: datetime
    older_ledger: OlderLedger | None
    signed: SignedReport


class BudgetPage(_Body):
    """The budgets of a controller's vaults, the last heard of first."""

    controller: PartyName
    vaults: tuple[VaultBudgetBody, ...]

    @model_validator(mode="after")
    def _all_are_this_controllers(self) -> Self:
        if any(vault.signed.document.partner != self.controller for vault in self.vaults):
            raise ValueError("each report must be of the controller that the page names")
        return self
