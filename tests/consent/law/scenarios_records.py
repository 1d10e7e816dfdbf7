"""For each rule about records, a story that fails if the rule is not kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.consent.law.small_registry import NOON, only

from hanse_consent.law.errors import ExportFormatNotPortableError, RecordHoldsTooMuchError, RecordIncompleteError
from hanse_consent.law.packs import LawPacks
from hanse_consent.law.record_checks import (
    may_delete,
    require_export_form,
    require_nothing_more,
    require_record_complete,
    required_fields,
)
from hanse_consent.law.record_rules import ExportFormat, RecordKind

SECTION = "records"
"""The packs' section that these scenarios need."""


def _alone(packs: LawPacks, law: str) -> LawPacks:
    """One law without the house's records, which ask for more of a consent record."""
    found = only(packs, law)
    house = found.packs[-1].model_copy(update={"records": ()})
    return LawPacks(packs=(*found.packs[:-1], house))


def _holds(
    rule: str, law: str, record: RecordKind, fields: tuple[str, ...], *, may_be_none: tuple[str, ...] = ()
) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        one = _alone(packs, law) if law != "house" else LawPacks(packs=(packs.packs[-1],))
        complete: dict[str, object] = dict.fromkeys(fields, "stated") | dict.fromkeys(may_be_none, ())
        assert required_fields(record, packs=one, at=NOON) == set(complete)
        require_record_complete(record, complete, packs=one, at=NOON)
        for field in complete:
            incomplete = {name: value for name, value in complete.items() if name != field}
            _expect_incomplete(record, incomplete, one, field=field, rule=rule)
            _expect_incomplete(record, complete | {field: " "}, one, field=field, rule=rule)
        for field in fields:
            _expect_incomplete(record, complete | {field: ()}, one, field=field, rule=rule)

    return scenario


def _expect_incomplete(
    record: RecordKind, fields: dict[str, object], packs: LawPacks, *, field: str, rule: str
) -> None:
    try:
        require_record_complete(record, fields, packs=packs, at=NOON)
    except RecordIncompleteError as error:
        assert field in error.what
        assert f"({rule}, " in error.what
    else:
        raise AssertionError(f"a {record} without {field} was issued")


def _kept_for_three_years(rule: str, record: RecordKind) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        made = datetime(2023, 6, 15, 12, 0, tzinfo=UTC)
        assert not may_delete(record, made, datetime(2026, 6, 14, 12, 0, tzinfo=UTC), packs=packs)
        # The last day counts whole, wherever on earth it is.
        assert not may_delete(record, made, datetime(2026, 6, 16, 11, 59, tzinfo=UTC), packs=packs)
        assert may_delete(record, made, datetime(2026, 6, 17, 0, 0, tzinfo=UTC), packs=packs)
        leap = datetime(2024, 2, 29, 0, 0, tzinfo=UTC)
        assert not may_delete(record, leap, leap + timedelta(days=3 * 365), packs=packs)

    return scenario


def scenario_g_17r(packs: LawPacks) -> None:
    left = ("record_id", "position", "erased_at", "commitment", "article")
    require_nothing_more(RecordKind.ERASURE_PROOF, left, packs=packs, at=NOON)
    for field in ("pii_principal_id", "purpose", "salt"):
        try:
            require_nothing_more(RecordKind.ERASURE_PROOF, (*left, field), packs=packs, at=NOON)
        except RecordHoldsTooMuchError as error:
            assert field in error.what
        else:
            raise AssertionError(f"{field} survives an erasure")


def _portable(rule: str, law: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        one = only(packs, law)
        for form in (ExportFormat.JSON, ExportFormat.JSON_LD, ExportFormat.CSV):
            require_export_form(RecordKind.ACCESS_PACKAGE, form, packs=one, at=NOON)
        try:
            require_export_form(RecordKind.ACCESS_PACKAGE, ExportFormat.PDF, packs=one, at=NOON)
        except ExportFormatNotPortableError as error:
            assert f"({rule}, " in error.what
        else:
            raise AssertionError("a PDF is no form that machines read")

    return scenario


SCENARIOS: dict[str, Callable[[LawPacks], None]] = {
    "G-5d": _holds(
        "G-5d",
        "gdpr",
        RecordKind.DECISION,
        ("question", "position", "registry_version", "pack_versions", "decided_at"),
        may_be_none=("reasons",),
    ),
    "G-7.1": _holds(
        "G-7.1",
        "gdpr",
        RecordKind.CONSENT,
        ("pii_principal_id", "purpose", "privacy_notice", "language", "event_type", "event_state", "event_time"),
    ),
    "G-12.4": _holds("G-12.4", "gdpr", RecordKind.REFUSED_REQUEST, ("reason", "complaint", "decided_at")),
    "G-15": _holds(
        "G-15",
        "gdpr",
        RecordKind.ACCESS_PACKAGE,
        ("purpose", "pii_type", "retention_period", "privacy_rights", "complaint", "data_source"),
        may_be_none=("recipient_third_parties", "events", "runs", "automated_decision"),
    ),
    "G-17r": scenario_g_17r,
    "G-20": _portable("G-20", "gdpr"),
    "G-30": _holds(
        "G-30",
        "gdpr",
        RecordKind.PROCESSING_ACTIVITY,
        (
            "party_name",
            "contact",
            "purpose",
            "data_subject_categories",
            "pii_type",
            "retention_period",
            "security_measures",
        ),
        may_be_none=("recipient_third_parties", "transfers"),
    ),
    "G-33r": _holds(
        "G-33r",
        "gdpr",
        RecordKind.BREACH,
        (
            "aware_at",
            "facts",
            "effects",
            "remedial_measures",
            "risk_to_persons",
            "notification_decision",
            "communication_decision",
        ),
        may_be_none=("reasons_for_delay",),
    ),
    "P-23r": _holds(
        "P-23r", "pipl", RecordKind.PROVISION, ("party_name", "contact", "purpose", "processing_method", "pii_type")
    ),
    "P-45": _holds(
        "P-45",
        "pipl",
        RecordKind.ACCESS_PACKAGE,
        (
            "pii_controllers",
            "contact",
            "purpose",
            "processing_method",
            "pii_type",
            "retention_period",
            "privacy_rights",
        ),
    ),
    "P-45.1": _portable("P-45.1", "pipl"),
    "P-50": _holds("P-50", "pipl", RecordKind.REFUSED_REQUEST, ("reason",)),
    "P-56": _kept_for_three_years("P-56", RecordKind.IMPACT_ASSESSMENT),
    "P-56.1": _holds(
        "P-56.1", "pipl", RecordKind.IMPACT_ASSESSMENT, ("lawfulness", "impact_and_risk", "protective_measures")
    ),
    "P-57r": _holds(
        "P-57r",
        "pipl",
        RecordKind.INCIDENT_NOTICE,
        ("pii_type", "cause", "possible_harm", "remedial_measures", "contact"),
    ),
    "P-rec": _kept_for_three_years("P-rec", RecordKind.PROVISION),
    "H-R1": _holds(
        "H-R1",
        "house",
        RecordKind.CONSENT,
        (
            "schema_version",
            "record_id",
            "pii_controllers",
            "pii_type",
            "retention_period",
            "withdrawal_method",
            "jurisdiction",
            "privacy_rights",
            "party_name",
            "party_role",
            "contact",
            "validity_duration",
            "entity_id",
        ),
        may_be_none=("recipient_third_parties",),
    ),
}
