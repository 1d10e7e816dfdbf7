"""Controllers, recipients, and what they have agreed: contracts, transfers, assessments. All of it ends."""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import PackName, RecordName, Sha256
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.vocabulary import CountryCode, PartyName, PurposeName


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PresumedCustomer(_Record):
    """What a controller states of its customers where nothing is recorded of one of them.

    Its own responsibility, on record: for example a loyalty programme open to adults resident in one country.
    Without it an unknown residence is under every law pack and an unknown age is a child's.
    """

    country: CountryCode
    adult: bool


class Controller(_Record):
    """A partner for whose customers the service keeps consent."""

    name: PartyName
    legal_name: str = Field(min_length=1, max_length=200)
    contact: str = Field(min_length=1, max_length=500)
    """Address of its data protection officer or of whoever answers for it."""
    address: str = Field(default="", max_length=500)
    """Postal address without the country, as consent records state it (ISO/IEC TS 27560)."""
    country: CountryCode
    """Where it is established: that country's law pack applies to all its customers."""
    public_key: str
    """The line that the partner's ``keygen`` printed; its node's requests are signed with it."""
    presumed: PresumedCustomer | None = None
    critical_infrastructure: bool = False
    """Whether a state has named it an operator of critical information infrastructure (PIPL 40)."""
    protection_officer: str = Field(default="", max_length=500)
    """Name and address of the personal information protection officer (PIPL 52)."""
    audited_on: date | None = None
    """When its last compliance audit was finished (PIPL 54)."""

    @field_validator("public_key")
    @classmethod
    def _is_a_key(cls, text: str) -> str:
        try:
            PublicKey.from_text(text)
        except InvalidValueError as error:
            raise ValueError(f"{error.what} {error.mend}") from error
        return text


class Recipient(_Record):
    """Who receives what a run releases, or data of a controller's own purposes."""

    name: PartyName
    legal_name: str = Field(min_length=1, max_length=200)
    contact: str = Field(min_length=1, max_length=500)
    address: str = Field(default="", max_length=500)
    country: CountryCode


class _InForce(_Record):
    starts_at: Moment
    ends_at: Moment
    """Half-open: in force from ``starts_at`` up to, but not at, ``ends_at``."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class AgreementRole(StrEnum):
    """What the other party is to the controller."""

    PROCESSOR = "processor"
    """Acts on instructions only (GDPR 28, PIPL 21)."""
    JOINT_CONTROLLER = "joint-controller"
    """Decides with the controller (GDPR 26, PIPL 20)."""
    INDEPENDENT_CONTROLLER = "independent-controller"
    """Receives data for purposes of its own (PIPL 23)."""


class Agreement(_InForce):
    """A contract between a controller and another party, for named purposes."""

    name: RecordName
    controller: PartyName
    party: PartyName
    """The other side: a recipient, the centre, or the party that runs the consent service."""
    role: AgreementRole
    purposes: tuple[PurposeName, ...] = Field(min_length=1)
    sub_processors: tuple[PartyName, ...] = ()
    document_sha256: Sha256
    """Digest of the signed paper."""
    returned_at: Moment | None = None
    """When a processor attested that it had returned or deleted the data (GDPR 28(3)(g), PIPL 21)."""


class TransferMechanism(StrEnum):
    """On what ground data may leave a jurisdiction (GDPR 45 to 49, PIPL 38)."""

    STANDARD_CONTRACTUAL_CLAUSES = "standard-contractual-clauses"
    BINDING_CORPORATE_RULES = "binding-corporate-rules"
    EXPLICIT_CONSENT_DEROGATION = "explicit-consent-derogation"
    STANDARD_CONTRACT = "standard-contract"
    CERTIFICATION = "certification"
    SECURITY_ASSESSMENT = "security-assessment"


class Transfer(_InForce):
    """One controller's ground for sending data to one recipient abroad, under one law pack."""

    name: RecordName
    controller: PartyName
    recipient: PartyName
    pack: PackName
    mechanism: TransferMechanism
    document_sha256: Sha256
    persons_this_year: int = Field(ge=0)
    """Distinct persons exported since 1 January, as the controller counts them (PIPL 40)."""
    sensitive_persons_this_year: int = Field(ge=0)


class AssessmentKind(StrEnum):
    """What has to be thought through beforehand."""

    DATA_PROTECTION_IMPACT = "data-protection-impact"
    PERSONAL_INFORMATION_PROTECTION_IMPACT = "personal-information-protection-impact"
    TRANSFER_IMPACT = "transfer-impact"
    ALGORITHM_IMPACT = "algorithm-impact"
    FAIRNESS = "fairness"


class Assessment(_InForce):
    """An approved assessment of purposes, valid for a time."""

    name: RecordName
    controller: PartyName
    kind: AssessmentKind
    purposes: tuple[PurposeName, ...] = Field(min_length=1)
    recipient: PartyName | None = None
    """Of a transfer assessment: whom it is about."""
    approved_by: str = Field(min_length=1, max_length=120)
    document_sha256: Sha256
