"""A partner's own policy: what its vault will ever do, whatever the centre asks.

``policy.toml`` lies beside the data and is written by the partner alone. It can only tighten what a
proposal asks for; a proposal that asks for more is refused with the rule it breaks.
"""

from datetime import date
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hanse_privacy.caps import LIFETIME, Cap
from hanse_privacy.errors import HanseError, InvalidValueError
from hanse_privacy.identity import PublicKey
from hanse_privacy.papers import Sha256
from hanse_privacy.protocol.budget_report import MOST_CAPS_REPORTED
from hanse_privacy.protocol.ledger_report import SMALLEST_DELTA
from hanse_privacy.protocol.proposal import READS
from hanse_privacy.protocol.vocabulary import PartyName, PurposeName, Tier
from hanse_privacy.roster_size import SeveralPartners
from hanse_privacy.settings_files import read_settings
from hanse_privacy.units import PrivacyBudget, UnitKind


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NodeSection(_Section):
    """Who and where this node is."""

    partner: PartyName
    contract: Path = Path("contract.toml")
    catalogue: Path
    """Folder of the league's public catalogue."""
    socket: Path
    """Where the courier finds the vault: a socket outside the vault's own folders."""
    courier_group: str | None = None
    """Group that owns the socket (mode 0660); without it only this account can connect."""
    courier_accounts: tuple[str, ...] = ()
    """Accounts whose processes may connect; empty means this account alone (boundary not in force)."""


class ConsentSection(_Section):
    """The consent service that this partner relies on."""

    url: str = Field(pattern=r"^https?://")
    public_key: str
    timeout_s: float = Field(default=10.0, gt=0, le=120)


class PinSection(_Section):
    """Keys compared out of band, by fingerprint; nobody else is believed."""

    centre: PartyName
    centre_key: str
    partners: dict[PartyName, str]


class OperationLimit(_Section):
    """For what one operation may use this partner's customers."""

    purposes: tuple[PurposeName, ...] = Field(min_length=1)
    """The purposes whose grants speak of this operation: no other grant is good enough."""
    lowest_tier: Tier
    """The lowest tier of grants that the operation may use."""


class SubCapSection(_Section):
    """A cap below the total: for a purpose, an operation, a kind of data, a period, or these together."""

    name: str = Field(min_length=1, max_length=60)
    epsilon: float = Field(gt=0)
    """The most that it may cost, at the ``delta`` of the limits."""
    purpose: PurposeName | None = None
    operation: str | None = None
    data_category: str | None = None
    """A kind of data, in the terms of ``data_categories``: the cap is over whatever reads it."""
    period_days: int | None = Field(default=None, ge=1)
    """Renewed after so many days, counted from the first day of the league's week 1."""

    @field_validator("name")
    @classmethod
    def _not_the_total(cls, name: str) -> str:
        if name == LIFETIME:
            raise ValueError(f"{LIFETIME!r} is the cap over everything, total_epsilon")
        return name


class AcceptedProof(_Section):
    """A paper, and what it shows by this partner's own reading."""

    sha256: Sha256
    unit: UnitKind
    """The unit that it is for."""
    partners_at_most: SeveralPartners
    """Of so many partners one such unit may be at, by the paper; a proposal that counts on fewer is refused."""


class LimitSection(_Section):
    """The floors and caps of this partner."""

    operations: dict[str, OperationLimit]
    """What may be done at all, by the operation's name."""
    highest_tier: Tier
    week_one: date
    """First day of the league's week 1: a proposal cannot choose another calendar."""
    data_categories: tuple[str, ...]
    recipients: tuple[PartyName, ...]
    countries: tuple[str, ...]
    """Countries that recipients may be in."""
    minimum_cohort: int = Field(ge=1)
    minimum_partners: int = Field(ge=2)
    colluding_partners: int = Field(default=1, ge=0)
    """So many partners may collude with the centre: a proposal must count on no more than the others being honest."""
    vouchers_needed: int | None = Field(default=None, ge=1)
    """A partner that is not pinned may take part if so many pinned ones vouch for its key, or h if that is more."""
    minimum_roster_change: int = Field(default=2, ge=1)
    """A roster that differs from an earlier one over the same purchases differs by at least so many pinned vaults."""
    roster_period_weeks: int = Field(default=4, ge=1)
    """Purchases up to two weeks that are less than this apart are the same, for the rule on rosters; so are those of
    two questions that share a week."""
    units: tuple[UnitKind, ...] = Field(
        default=(UnitKind.CUSTOMER_AT_ONE_PARTNER, UnitKind.CUSTOMER_ACROSS_THE_ROSTER), min_length=1
    )
    """Whom a run may promise ε to. A linked customer must be named: its promise is as good as the linkage."""
    accepted_proofs: tuple[AcceptedProof, ...] = ()
    """Papers that officers read and accepted; a unit that rests on any other, or on more than they show, is refused."""
    run_epsilon: float = Field(gt=0)
    """The most that one run may cost."""
    total_epsilon: float = Field(gt=0)
    """The most that all runs together may cost, at ``delta``."""
    delta: float = Field(ge=SMALLEST_DELTA, lt=1e-3)
    sub_caps: tuple[SubCapSection, ...] = Field(default=(), max_length=MOST_CAPS_REPORTED - 1)
    """Narrower caps; ``total_epsilon`` is over everything and never renewed."""
    ask_a_person: bool = True
    """Whether each run waits for ``hanse node approve``."""

    @model_validator(mode="after")
    def _colluders_alone_cannot_vouch(self) -> Self:
        if self.vouchers_needed is not None and self.vouchers_needed <= self.colluding_partners:
            raise ValueError(
                f"vouchers_needed is {self.vouchers_needed}; it must be above colluding_partners, here"
                f" {self.colluding_partners + 1} or more: colluders alone could else vouch for a key"
            )
        return self

    @model_validator(mode="after")
    def _sub_caps_count_something(self) -> Self:
        for cap in self.sub_caps:
            counted = any(
                cap.operation in (None, operation)
                and (cap.purpose is None or cap.purpose in limit.purposes)
                and (cap.data_category is None or cap.data_category in READS.get(operation, ()))
                for operation, limit in self.operations.items()
            )
            if not counted or cap.data_category not in (None, *self.data_categories):
                raise ValueError(
                    f"sub-cap {cap.name!r} would cap nothing: these limits allow no operation"
                    f" of its purpose, operation and data_category"
                )
        return self


class Policy(_Section):
    """All of ``policy.toml``."""

    node: NodeSection
    consent: ConsentSection
    pins: PinSection
    limits: LimitSection

    @model_validator(mode="after")
    def _keys_parse(self) -> Self:
        try:
            for text in (self.consent.public_key, self.pins.centre_key, *self.pins.partners.values()):
                PublicKey.from_text(text)
        except InvalidValueError as error:
            raise ValueError(str(error)) from error
        if self.node.partner not in self.pins.partners:
            raise ValueError("pins.partners must name this node's own partner, too")
        return self

    @property
    def caps(self) -> tuple[Cap, ...]:
        """The ledger's caps; the one over everything first."""
        limits = self.limits
        total = Cap(name=LIFETIME, budget=PrivacyBudget(epsilon=limits.total_epsilon, delta=limits.delta))
        return (
            total,
            *(
                Cap(
                    name=one.name,
                    budget=PrivacyBudget(epsilon=one.epsilon, delta=limits.delta),
                    purpose=one.purpose,
                    operation=one.operation,
                    data_category=one.data_category,
                    period_days=one.period_days,
                    first_day=limits.week_one,
                )
                for one in limits.sub_caps
            ),
        )

    @property
    def partner_keys(self) -> dict[str, PublicKey]:
        """The pinned keys of all partners, the own included."""
        return {partner: PublicKey.from_text(text) for partner, text in self.pins.partners.items()}

    @property
    def centre_key(self) -> PublicKey:
        """The pinned key of the centre."""
        return PublicKey.from_text(self.pins.centre_key)

    @property
    def consent_key(self) -> PublicKey:
        """The pinned key of the consent service."""
        return PublicKey.from_text(self.consent.public_key)


class PolicyInvalidError(HanseError):
    """``policy.toml`` cannot be read or is not valid."""

    code = "POLICY_INVALID"
    exit_code = 2


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        PolicyInvalidError: Naming the field and its bound.
    """
    return read_settings(
        path, Policy, error=PolicyInvalidError, absent="Write a policy.toml, or name the node's folder with --home."
    )
