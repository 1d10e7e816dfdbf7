"""What a record says, and that a missing field is named."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_consent.decisions.facts import consent_topic, facts_of, prevailing
from hanse_consent.domain.acts import ActKind, SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.notices import NoticeStatements
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.law.record_rules import MustHold, RecordKind
from hanse_consent.records.errors import RecordIncompleteError, RecordSourceError
from hanse_consent.records.history import CONSENT_EXPIRED, VALID_STATES
from hanse_consent.records.record import make_record, records_of
from hanse_consent.records.requirements import FIELDS, REQUIRED, require_complete

DAY = timedelta(days=1)


def states(record):
    return [event.types[0].removeprefix("dpv:") for event in record.events]


def test_a_whole_history_is_told_in_order(shop):
    record = make_record(shop.full_history(), shop.source(), purpose=shop.name)
    assert states(record) == [
        "ConsentRequested",
        "ConsentRequestDeferred",
        "ConsentGiven",
        "ConsentGiven",
        "ConsentWithdrawn",
        "RenewedConsentGiven",
    ]
    assert record.current_state == "dpv:RenewedConsentGiven"
    assert record.valid_until == shop.noon + 5 * DAY + 365 * DAY
    assert [event.position for event in record.events] == [1, 2, 3, 4, 5, 6]
    north = "https://hanse.example/parties/north"
    assert record.events[0].indicated_by == (north,)
    assert record.events[2].indicated_by == (record.data_subject.id,)
    assert record.events[2].methods == ("app",)
    assert record.events[5].consent_types[0] == "dpv:ExplicitlyExpressedConsent"
    assert record.events[2].consent_types == ("dpv:ExpressedConsent", "eu-gdpr:A6-1-a")
    assert record.processes[0].legal_bases == ("eu-gdpr:A6-1-a", "eu-gdpr:A9-2-a")


def test_parties_have_the_roles_of_their_agreements(shop):
    record = make_record(shop.full_history(), shop.source(), purpose=shop.name)
    roles = {party.names[0]: party.types for party in record.parties}
    assert roles == {
        "Nordmarkt GmbH": ("dpv:DataController",),
        "Südmarkt AG": ("dpv:DataController",),
        "Model House BV": ("dpv:DataProcessor",),
    }
    later = shop.source(at=shop.noon + 1001 * DAY)
    third = make_record(shop.full_history(), later, purpose=shop.name).parties[-1]
    assert third.types == ("dpv:ThirdParty",)


def test_the_schema_names_the_european_profile_only_where_european_law_applies(shop):
    history = shop.recorded(shop.act())
    base = "https://w3id.org/dpv/schema/dpv-27560#record"
    assert make_record(history, shop.source(), purpose=shop.name).schema_versions == (base, f"{base}-eu-gdpr")
    chinese = make_record(history, shop.source(packs=("pipl",)), purpose=shop.name)
    assert chinese.schema_versions == (base,)
    assert chinese.processes[0].jurisdictions == ("loc:CN",)
    assert chinese.processes[0].legal_bases == ("hanse:PIPL-13-1",)
    both = make_record(history, shop.source(packs=("pipl", "gdpr")), purpose=shop.name)
    assert both.processes[0].jurisdictions == ("loc:EU", "loc:CN")


def test_data_is_that_of_the_granted_tier_and_special_kinds_are_marked(shop):
    record = make_record(shop.recorded(shop.act(tier="basic")), shop.source(), purpose=shop.name)
    assert [data.broader[0] for data in record.processes[0].personal_data] == ["hanse:ProductGroupPurchase"]
    record = make_record(shop.recorded(shop.act()), shop.source(), purpose=shop.name)
    assert {data.broader[0]: data.types[0] for data in record.processes[0].personal_data} == {
        "hanse:ProductGroupPurchase": "dpv:PersonalData",
        "pd:PurchasesAndSpendingHabit": "dpv:PersonalData",
        "pd:Health": "dpv:SpecialCategoryPersonalData",
    }


def test_expiry_is_half_open_and_an_event_of_its_own(shop):
    history = shop.recorded(shop.act())
    end = shop.noon + 365 * DAY
    before = make_record(history, shop.source(at=end - timedelta(microseconds=1)), purpose=shop.name)
    assert (before.current_state, len(before.events)) == ("dpv:ConsentGiven", 1)
    at = make_record(history, shop.source(at=end), purpose=shop.name)
    assert at.current_state == CONSENT_EXPIRED
    assert at.events[-1].indicated_at == end
    assert at.events[-1].types == (CONSENT_EXPIRED,)


def test_the_end_that_the_store_worked_out_counts(shop):
    given = replace(shop.recorded(shop.act())[0], ends_us=to_microseconds(shop.noon + DAY))
    assert make_record([given], shop.source(), purpose=shop.name).current_state == CONSENT_EXPIRED


def test_a_withdrawal_above_or_of_everything_reaches_the_purpose_and_one_below_does_not(shop):
    for reach in ("all-learning", None, shop.name):
        history = shop.recorded(shop.act(), shop.act(ActKind.WITHDRAWAL, after=DAY, purpose=reach))
        assert make_record(history, shop.source(), purpose=shop.name).current_state == "dpv:ConsentWithdrawn"
    history = shop.recorded(shop.act(), shop.act(ActKind.WITHDRAWAL, after=DAY, purpose="delivery"))
    assert make_record(history, shop.source(), purpose=shop.name).current_state == "dpv:ConsentGiven"


def test_acts_after_the_position_do_not_count(shop):
    history = shop.recorded(shop.act(), shop.act(ActKind.WITHDRAWAL, after=DAY))
    record = make_record(history, shop.source(position=1), purpose=shop.name)
    assert (record.current_state, len(record.events)) == ("dpv:ConsentGiven", 1)


def test_a_guardian_speaks_for_a_child(shop):
    yes = shop.act(ActKind.GUARDIAN_GRANT, purpose=shop.name, notice="joint-model@1.0", language="en")
    no = shop.act(ActKind.GUARDIAN_WITHDRAWAL, after=2 * DAY, purpose=shop.name)
    record = make_record(shop.recorded(yes), shop.source(packs=("pipl",)), purpose=shop.name)
    assert record.current_state == "dpv:ConsentGiven"
    assert record.events[0].indicated_by == ("dpv:GuardianOfDataSubject",)
    assert record.events[0].consent_types == ("dpv:ExplicitlyExpressedConsent", "hanse:PIPL-31")
    own = shop.act(after=DAY)
    ended = make_record(shop.recorded(yes, own, no), shop.source(), purpose=shop.name)
    assert ended.current_state == "dpv:ConsentWithdrawn"


def test_erasure_ends_every_consent(shop):
    history = shop.recorded(shop.act(after=DAY), shop.act(ActKind.ERASURE))
    assert make_record(history, shop.source(), purpose=shop.name).current_state == "dpv:ConsentWithdrawn"


def test_separate_consents_count_while_given_and_only_where_they_concern_the_purpose(shop):
    def separate(kind, days, matter, subject):
        said = {"notice": "joint-model@1.0", "language": "en"} if kind is ActKind.SEPARATE_GRANT else {}
        return shop.act(kind, after=days * DAY, separate=SeparateConsent(matter=matter, subject=subject), **said)

    yes, no = ActKind.SEPARATE_GRANT, ActKind.SEPARATE_WITHDRAWAL
    abroad, recipient = SeparateMatter.ABROAD, SeparateMatter.RECIPIENT
    source = shop.source(packs=("pipl",))
    history = shop.recorded(
        shop.act(),
        separate(yes, 1, abroad, "model-house"),
        separate(yes, 2, recipient, "model-house"),
        separate(no, 3, abroad, "model-house"),
        separate(yes, 4, recipient, "somebody-else"),
    )
    record = make_record(history, source, purpose=shop.name)
    assert record.processes[0].legal_bases == ("hanse:PIPL-13-1", "hanse:PIPL-23")
    assert [event.separate_subject for event in record.events] == [None, *["model-house"] * 3]


def test_without_a_recorded_language_every_language_of_the_notice_is_named(shop):
    record = make_record(shop.recorded(shop.act(language=None)), shop.source(), purpose=shop.name)
    assert [notice.languages for notice in record.notices] == [("en",), ("de",)]
    assert len(record.events[0].notices) == 2


def test_the_same_question_has_the_same_answer_and_identifier(shop):
    first = make_record(shop.full_history(), shop.source(), purpose=shop.name)
    again = make_record(tuple(reversed(shop.full_history())), shop.source(), purpose=shop.name)
    assert first == again
    assert first.digest == again.digest
    later = make_record(shop.full_history(), shop.source(position=41), purpose=shop.name)
    assert later.id != first.id
    assert later.version_of == first.version_of


@pytest.mark.parametrize(
    ("statements", "field"),
    [
        ({"withdrawal": " "}, "withdrawal_method"),
        ({"withdrawal": ""}, "withdrawal_method"),
    ],
)
def test_a_missing_field_is_named_with_its_clause(shop, statements, field):
    lacking = NoticeStatements.model_validate(shop.statements.model_dump() | statements)
    registry = shop.registry(notices=(shop.notice(statements=lacking),))
    with pytest.raises(RecordIncompleteError, match=rf"{field} .*6\.3\.4\.18"):
        make_record(shop.recorded(shop.act()), shop.source(registry=registry), purpose=shop.name)


def test_a_refusal_without_a_notice_is_no_record(shop):
    refused = shop.recorded(shop.act(ActKind.REFUSAL, purpose=shop.name))
    with pytest.raises(RecordIncompleteError, match=r"privacy_notice .*6\.3\.4\.1"):
        make_record(refused, shop.source(), purpose=shop.name)
    shown = shop.act(ActKind.NOTICE_SERVED, notice="joint-model@1.0", language="en")
    record = make_record(
        shop.recorded(shown, shop.act(ActKind.REFUSAL, purpose=shop.name)), shop.source(), purpose=shop.name
    )
    assert record.current_state == "dpv:ConsentRefused"


_LISTS = {
    "dct:conformsTo": "schema_versions",
    "dct:identifier": "identifiers",
    "dpv:hasNotice": "notices",
    "dpv:hasProcess": "processes",
    "dpv:hasEntity": "parties",
    "dpv:hasConsentStatus": "events",
    "dpv:hasPurpose": "purposes",
    "dpv:hasLegalBasis": "consent_types",
    "dpv:hasPersonalData": "personal_data",
    "dpv:hasDataController": "controllers",
    "dpv:hasStorageCondition": "storage",
    "dpv:hasJurisdiction": "jurisdictions",
    "dpv:hasRecipient": "recipients",
    "dpv:hasConsentControl": "withdrawal",
    "dpv:hasRight": "rights",
    "dpv:hasIdentifier": "identifiers",
    "dpv:hasName": "names",
    "@type": "types",
    "schema:contactPoint": "contacts",
    "schema:address": "addresses",
    "dpv:hasDuration": "durations",
    "dpv:isIndicatedBy": "indicated_by",
    "dct:language": "languages",
    "skos:broader": "broader",
}
_ONE = {"pii_principal_id", "event_time"}
"""Single values: the classes themselves refuse their absence."""


@pytest.mark.parametrize("field", [field for field in FIELDS if field.required and field.name not in _ONE])
def test_every_required_field_is_missed_when_it_is_gone(shop, field):
    record = make_record(shop.full_history(), shop.source(), purpose=shop.name)
    require_complete(record)
    gone = {_LISTS[field.term]: ()}
    process = record.processes[0]
    match field.section.value:
        case "record":
            lacking = record.model_copy(update=gone)
        case "process":
            lacking = record.model_copy(update={"processes": (process.model_copy(update=gone),)})
        case "personal data":
            data = (*process.personal_data[:-1], process.personal_data[-1].model_copy(update=gone))
            lacking = record.model_copy(update={"processes": (process.model_copy(update={"personal_data": data}),)})
        case section:
            name = {"notice": "notices", "party": "parties", "event": "events"}[section]
            nodes = getattr(record, name)
            lacking = record.model_copy(update={name: (*nodes[:-1], nodes[-1].model_copy(update=gone))})
    with pytest.raises(RecordIncompleteError, match=rf"lacks {field.name} "):
        require_complete(lacking)


def test_a_law_can_want_more(shop):
    source = shop.source(registry=shop.registry(assessments=()))
    history = shop.recorded(shop.act())
    make_record(history, source, purpose=shop.name)
    with pytest.raises(RecordIncompleteError, match="impact_assessment"):
        make_record(history, source, purpose=shop.name, must_hold=["impact_assessment"])
    with pytest.raises(RecordSourceError, match="shoe_size"):
        make_record(history, source, purpose=shop.name, must_hold=["shoe_size"])
    assert "lawful_basis" not in REQUIRED


def test_what_does_not_fit_together_is_refused_without_naming_the_customer(shop):
    other = replace(shop.recorded(shop.act())[0], act=shop.act(customer="f" * 32))
    cases = [
        (shop.full_history(), shop.source(), "unknown-purpose", "not in version 7"),
        (shop.full_history(), shop.source(), "delivery", "does not rest on consent"),
        ((*shop.full_history(), other), shop.source(), shop.name, "2 customers"),
        ((), shop.source(), shop.name, "0 customers"),
        (shop.recorded(shop.act()), shop.source(), "all-learning", "No act speaks"),
        (shop.recorded(shop.act(tier="advanced")), shop.source(), shop.name, "not offered"),
        (shop.recorded(shop.act(notice="joint-model@9.0")), shop.source(), shop.name, "not registered"),
        (shop.recorded(shop.act()), shop.source(registry=shop.registry(recipients=())), shop.name, "model-house"),
    ]
    for history, source, purpose, message in cases:
        with pytest.raises(RecordSourceError, match=message) as caught:
            make_record(history, source, purpose=purpose)
        assert shop.customer not in str(caught.value)


def test_a_customers_records_are_those_of_the_purposes_consented_to(shop):
    assert [
        record.processes[0].purposes[0].identifiers for record in records_of(shop.full_history(), shop.source())
    ] == [(shop.name,)]
    assert not list(records_of(shop.recorded(shop.act(ActKind.REFUSAL, purpose=shop.name)), shop.source()))


KINDS = st.sampled_from([ActKind.GRANT, ActKind.RENEWAL, ActKind.REFUSAL, ActKind.WITHDRAWAL])


@settings(max_examples=60, deadline=None)
@given(said=st.lists(st.tuples(KINDS, st.integers(0, 4)), min_size=1, max_size=6))
def test_the_state_is_what_a_decision_would_read(shop, said):
    acts = [shop.act(ActKind.NOTICE_SERVED, notice="joint-model@1.0", language="en")]
    acts += [shop.act(kind, after=days * DAY, purpose=shop.name) for kind, days in said]
    history = shop.recorded(*acts)
    fact = None
    for each in history:
        facts = facts_of(each.act, registry=shop.registry(), recorded_us=to_microseconds(each.recorded_at))
        if consent_topic(shop.name) in facts:
            fact = prevailing(fact, facts[consent_topic(shop.name)])
    record = make_record(history, shop.source(), purpose=shop.name)
    at = to_microseconds(shop.noon + 100 * DAY)
    usable = fact.state.name == "GIVEN" and fact.effective_us <= at < fact.until_us
    assert (record.current_state in VALID_STATES) is usable


def test_every_field_that_a_shipped_law_wants_of_a_consent_record_is_held(shop):
    rules = [rule.condition for pack in load_shipped_packs().packs for rule in pack.records]
    wanted = {
        name
        for condition in rules
        if isinstance(condition, MustHold) and condition.record is RecordKind.CONSENT
        for name in condition.fields
    }
    assert wanted
    make_record(shop.full_history(), shop.source(), purpose=shop.name, must_hold=wanted)
