"""What a registry must satisfy to be published: rules as data, enforced by :mod:`hanse_consent.law.publishing`."""

from enum import StrEnum
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.names import CategoryTerm
from hanse_consent.domain.parties import AgreementRole
from hanse_consent.domain.purposes import LegalBasis, PurposeKind


class StatementField(StrEnum):
    """The statements of a notice, by the field of :class:`~hanse_consent.domain.notices.NoticeStatements`."""

    CONTROLLERS = "controllers"
    CONTACT = "contact"
    CATEGORIES = "categories"
    LEGAL_BASIS = "legal_basis"
    MEANS = "means"
    RETENTION = "retention"
    RECIPIENTS = "recipients"
    COUNTRIES = "countries"
    RIGHTS = "rights"
    WITHDRAWAL = "withdrawal"
    COMPLAINT = "complaint"
    NECESSITY = "necessity"
    AUTOMATED_DECISION = "automated_decision"


class CategoryClass(StrEnum):
    """How much care a kind of personal data needs (PIPL 51)."""

    ORDINARY = "ordinary"
    SENSITIVE = "sensitive"


class StatementDemand(BaseModel):
    """One statement that a notice must hold, and where ISO/IEC 29184:2020 asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    statement: StatementField
    iso_29184: str = Field(pattern=r"^5\.[2-5](\.[0-9]{1,2})?$")


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ClassVar[str]
    """The outcome that a rule with this condition must declare."""


class NoticeStates(_Condition):
    """Every new notice holds these statements."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-states"]
    statements: tuple[StatementDemand, ...] = Field(min_length=1)


class NoticeStatesOfAutomation(_Condition):
    """A new notice of a purpose that decides without a person holds these statements."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-states-of-automation"]
    statements: tuple[StatementDemand, ...] = Field(min_length=1)


class NoticeStatesOfCategories(_Condition):
    """A new notice of a purpose that uses one of these kinds of data holds these statements."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-states-of-categories"]
    statements: tuple[StatementDemand, ...] = Field(min_length=1)
    categories: tuple[CategoryTerm, ...] = Field(min_length=1)


class NoticeStatesOfBasis(_Condition):
    """A new notice of a purpose that rests on one of these grounds under the pack holds these statements."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-states-of-basis"]
    statements: tuple[StatementDemand, ...] = Field(min_length=1)
    bases: tuple[LegalBasis, ...] = Field(min_length=1)


class NoticeNamesCategories(_Condition):
    """A new notice names every kind of data that its purposes use, at whatever tier."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-names-categories"]


class NoticeNamesParties(_Condition):
    """A new notice names every party of these roles that has an agreement about its purposes."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-names-parties"]
    roles: tuple[AgreementRole, ...] = Field(min_length=1)


class NoticeNamesCountries(_Condition):
    """A new notice names the country of every recipient outside the pack's territories."""

    code = "NOTICE_INCOMPLETE"
    name: Literal["notice-names-countries"]


class NoticeNamesRegistered(_Condition):
    """Whoever a new notice names is registered: as controller, or as recipient."""

    code = "RECIPIENT_UNKNOWN"
    name: Literal["notice-names-registered"]


class NoticePurposesRegistered(_Condition):
    """A new notice explains registered purposes only."""

    code = "PURPOSE_UNKNOWN"
    name: Literal["notice-purposes-registered"]


class NoticeUnchanged(_Condition):
    """A published notice stays as it was, word by word; a change is a new version."""

    code = "NOTICE_CHANGED"
    name: Literal["notice-unchanged"]


class NoticeKept(_Condition):
    """A published notice stays registered: what people were shown must be at hand."""

    code = "NOTICE_REMOVED"
    name: Literal["notice-kept"]


class MaterialChangeDeclared(_Condition):
    """A new version that changes these statements says that its change is material."""

    code = "MATERIAL_CHANGE_UNDECLARED"
    name: Literal["material-change-declared"]
    statements: tuple[StatementField, ...] = Field(min_length=1)


class PurposeNotWidened(_Condition):
    """A purpose never reaches further under the name that people agreed to."""

    code = "PURPOSE_WIDENED"
    name: Literal["purpose-not-widened"]


class RetentionAtMost(_Condition):
    """Data for purposes of these kinds is kept no longer than so many days."""

    code = "RETENTION_TOO_LONG"
    name: Literal["retention-at-most"]
    days: int = Field(ge=1, le=36_500)
    kinds: tuple[PurposeKind, ...] = Field(min_length=1)


class CategoriesClassified(_Condition):
    """Every kind of data that a purpose uses has a class."""

    code = "CATEGORY_UNCLASSIFIED"
    name: Literal["categories-classified"]
    classes: dict[CategoryClass, tuple[CategoryTerm, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_class_each(self) -> Self:
        terms = [term for members in self.classes.values() for term in members]
        if repeated := sorted({term for term in terms if terms.count(term) > 1}):
            raise ValueError(f"classes name these kinds of data twice: {repeated}")
        return self

    def class_of(self, category: str) -> CategoryClass | None:
        """The class of a kind of data; none if it has none."""
        return next((found for found, terms in self.classes.items() if category in terms), None)


class BasisListed(_Condition):
    """The legal basis that a purpose names for this pack is one that its law knows."""

    code = "LEGAL_BASIS_UNKNOWN"
    name: Literal["basis-listed"]
    bases: tuple[LegalBasis, ...] = Field(min_length=1)


class PacksLoaded(_Condition):
    """Purposes and transfers name law packs that exist, so that no basis is lost to a slip of the pen."""

    code = "PACK_UNKNOWN"
    name: Literal["packs-loaded"]


RegistryCondition = (
    NoticeStates
    | NoticeStatesOfAutomation
    | NoticeStatesOfCategories
    | NoticeStatesOfBasis
    | NoticeNamesCategories
    | NoticeNamesParties
    | NoticeNamesCountries
    | NoticeNamesRegistered
    | NoticePurposesRegistered
    | NoticeUnchanged
    | NoticeKept
    | MaterialChangeDeclared
    | PurposeNotWidened
    | RetentionAtMost
    | CategoriesClassified
    | BasisListed
    | PacksLoaded
)
"""What a registry must satisfy."""
