"""Recording acts: what is refused, what wins, what survives."""

import json
import sqlite3
from datetime import timedelta

import pytest
from pydantic import ValidationError

from hanse_consent.acts import ActBatch, ActKind, ConsentAct
from hanse_consent.catalogue import load_catalogue
from hanse_consent.errors import (
    ConsentConfigurationError,
    KeyReusedError,
    NoticeChangedError,
    NoticeDoesNotExplainError,
    NoticeUnknownError,
    PreselectedConsentError,
    PurposeUnknownError,
    PurposeWidenedError,
    RequestReplayedError,
    SaidInFutureError,
    StoreUnavailableError,
    TierNotOfferedError,
)
from hanse_consent.store import ConsentStore
from hanse_privacy.protocol.vocabulary import Tier

ALICE, BOB = "a" * 32, "b" * 32


def used(store, tier=Tier.BASIC, purpose="shared-statistics", partner="alster"):
    return list(store.cohort(partner=partner, purpose=purpose, tier=tier).customers)


def test_nobody_may_be_used_before_saying_yes(store):
    assert used(store) == []
    assert store.position() == 0


def test_a_tier_is_a_ceiling(store, act):
    store.record(partner="alster", acts=[act(customer=ALICE, tier=Tier.STANDARD)])
    assert [used(store, tier) for tier in Tier] == [[ALICE], [ALICE], []]


def test_a_grant_is_for_its_purpose_and_its_partner_only(store, act):
    store.record(partner="alster", acts=[act(customer=ALICE, tier=Tier.ADVANCED)])
    assert used(store, Tier.STANDARD, "churn-model") == []
    assert used(store, partner="elbe") == []


def test_late_older_grant_does_not_revive(store, act, clock):
    store.record(partner="alster", acts=[act(ActKind.WITHDRAWAL, ALICE)])
    clock.advance(hours=3)
    store.record(partner="alster", acts=[act(customer=ALICE, said_at=clock() - timedelta(hours=4))])
    assert used(store) == []


def test_late_withdrawal_takes_effect_at_once(store, act, clock):
    store.record(partner="alster", acts=[act(customer=ALICE)])
    clock.advance(days=2)
    store.record(partner="alster", acts=[act(ActKind.WITHDRAWAL, ALICE, said_at=clock() - timedelta(days=1))])
    assert used(store) == []


@pytest.mark.parametrize("withdrawal_first", [True, False])
def test_equal_time_withdrawal_beats_grant(store, act, withdrawal_first):
    both = [act(ActKind.WITHDRAWAL, ALICE), act(customer=ALICE)]
    for one in both if withdrawal_first else reversed(both):
        store.record(partner="alster", acts=[one])
    assert used(store) == []


def test_stepping_down_is_a_grant_at_a_lower_tier(store, act, clock):
    store.record(partner="alster", acts=[act(customer=ALICE, tier=Tier.ADVANCED)])
    clock.advance(minutes=1)
    store.record(partner="alster", acts=[act(customer=ALICE, tier=Tier.BASIC, said_at=clock())])
    assert [used(store, tier) for tier in Tier] == [[ALICE], [], []]


def test_grant_from_a_fast_clock_cannot_outlast_a_withdrawal(store, act, clock):
    store.record(partner="alster", acts=[act(customer=ALICE, said_at=clock() + timedelta(minutes=4))])
    assert used(store) == [ALICE]
    clock.advance(minutes=1)
    store.record(partner="alster", acts=[act(ActKind.WITHDRAWAL, ALICE, said_at=clock())])
    assert used(store) == []


REFUSED = [
    (PreselectedConsentError, {"preselected": True}),
    (PurposeUnknownError, {"purpose": "unheard-of"}),
    (TierNotOfferedError, {"purpose": "churn-model", "notice": "joint-model@2.1", "tier": Tier.ADVANCED}),
    (NoticeUnknownError, {"notice": "joint-statistics@2"}),
    (NoticeDoesNotExplainError, {"notice": "joint-model@2.1"}),
]


@pytest.mark.parametrize(("refusal", "change"), REFUSED)
def test_refused_batch_changes_nothing(store, act, refusal, change):
    with pytest.raises(refusal) as refused:
        store.record(partner="alster", acts=[act(customer=BOB), act(customer=ALICE, **change)])
    assert "acts.1 " in str(refused.value)
    assert ALICE not in str(refused.value)
    assert store.position() == 0
    assert used(store) == []


@pytest.mark.parametrize("kind", list(ActKind))
def test_said_in_the_future(store, act, clock, kind):
    limit = clock() + timedelta(minutes=5)
    with pytest.raises(SaidInFutureError):
        store.record(partner="alster", acts=[act(kind, said_at=limit + timedelta(microseconds=1))])
    assert store.record(partner="alster", acts=[act(kind, said_at=limit)]) == 1


def test_same_key_counts_once_and_never_names_two_acts(store, act):
    first = act(customer=ALICE, key="till-7.1")
    assert store.record(partner="alster", acts=[first, first]) == 1
    assert store.record(partner="alster", acts=[first, act(customer=BOB)]) == 2
    for other in (act(customer=BOB, key="till-7.1"), act(customer=ALICE, tier=Tier.BASIC, key="till-7.1")):
        with pytest.raises(KeyReusedError):
            store.record(partner="alster", acts=[other])
    # Another partner's keys are its own.
    assert store.record(partner="elbe", acts=[act(customer=BOB, key="till-7.1")]) == 3


def test_batch_bounds(act):
    with pytest.raises(ValidationError):
        ActBatch(acts=())
    with pytest.raises(ValidationError):
        ActBatch(acts=(act(),) * 10_001)


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": ["shared-statistics", "churn-model"]},
        {"purposes": ["shared-statistics", "churn-model"]},
        {"notice": None},
        {"tier": None},
        {"tier": "everything"},
        {"said_at": "2026-05-04T12:00:00"},
        {"said_at": 1777896000},
        {"said_at": "1777896000"},
        {"customer": "a" * 31},
        {"customer": "a" * 32 + "\n"},
        {"key": ""},
        {"preselected": None},
    ],
)
def test_an_act_that_is_none(act, change):
    good = json.loads(act().model_dump_json())
    ConsentAct.model_validate_json(json.dumps(good))
    with pytest.raises(ValidationError):
        ConsentAct.model_validate_json(json.dumps({**good, **change}))


def test_events_are_never_changed(store, folder, act):
    store.record(partner="alster", acts=[act()])
    with sqlite3.connect(folder.path / "consent.sqlite") as raw:
        for statement in ("DELETE FROM consent_event", "UPDATE consent_event SET kind = 'grant'"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                raw.execute(statement)
    raw.close()


def test_store_is_durable_and_private(folder, store, act):
    store.record(partner="alster", acts=[act(customer=ALICE)])
    with store._database.writing() as session:
        connection = session.connection()
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]
    assert (folder.path / "consent.sqlite").stat().st_mode & 0o077 == 0


def test_file_that_is_no_store(tmp_path, clock):
    (tmp_path / "x.sqlite").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreUnavailableError, match=r"x\.sqlite"):
        ConsentStore(database=tmp_path / "x.sqlite", now=clock)
    with pytest.raises(StoreUnavailableError):
        ConsentStore(database=tmp_path / "no-folder" / "x.sqlite", now=clock)


def test_full_disk_refuses_and_changes_nothing(store, act):
    store.record(partner="alster", acts=[act(customer=ALICE)])
    with store._database.writing() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    many = [act(customer=f"{number:032x}") for number in range(3000)]
    with pytest.raises(StoreUnavailableError, match="full"):
        store.record(partner="alster", acts=many)
    assert used(store) == [ALICE]
    assert store.position() == 1


def test_nonce_is_good_once_for_as_long_as_it_could_be_valid(store, clock):
    store.remember_nonce(party="alster", nonce="n" * 32)
    store.remember_nonce(party="elbe", nonce="n" * 32)
    clock.advance(seconds=240)
    with pytest.raises(RequestReplayedError):
        store.remember_nonce(party="alster", nonce="n" * 32)
    clock.advance(seconds=1)
    store.remember_nonce(party="alster", nonce="n" * 32)


def reload(folder):
    return load_catalogue(purposes=folder.path / "purposes.toml", notices=folder.path / "notices")


def test_notice_changed_under_its_version_is_refused(folder, store):
    text = folder.path / "notices" / "joint-statistics@1.de.md"
    text.write_text(text.read_text() + " ")
    with pytest.raises(NoticeChangedError, match=r"joint-statistics@1 \(de\)"):
        store.register(reload(folder))
    with pytest.raises(NoticeChangedError):
        store.compare(reload(folder))


def test_notice_may_not_explain_more_under_its_version(folder, store):
    index = folder.path / "notices" / "notices.toml"
    index.write_text(index.read_text().replace('["churn-model"]', '["churn-model", "shared-statistics"]'))
    with pytest.raises(NoticeChangedError):
        store.register(reload(folder))


def test_purpose_may_not_ask_for_more(folder, store):
    file = folder.path / "purposes.toml"
    file.write_text(file.read_text().replace('standard = ["visit-times"]', 'standard = ["visit-times", "income"]'))
    with pytest.raises(PurposeWidenedError, match="income"):
        store.register(reload(folder))


def test_purpose_out_of_force_can_be_withdrawn_and_nothing_else(folder, store, act):
    grant = act(customer=ALICE, purpose="churn-model", notice="joint-model@2.1")
    store.record(partner="alster", acts=[grant])
    for name in ("purposes.toml", "notices/notices.toml"):
        file = folder.path / name
        text = file.read_text()
        file.write_text(text[: text.rindex("[[")])
    store.register(reload(folder))
    with pytest.raises(PurposeUnknownError):
        used(store, Tier.STANDARD, "churn-model")
    with pytest.raises(PurposeUnknownError):
        store.record(partner="alster", acts=[act(customer=BOB, purpose="churn-model", notice="joint-model@2.1")])
    assert store.record(partner="alster", acts=[grant]) == 1
    assert store.record(partner="alster", acts=[act(ActKind.WITHDRAWAL, ALICE, purpose="churn-model")]) == 2
    assert [notice.reference for notice in store.notices()].count("joint-model@2.1") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("purposes.toml", 'basic = ["product-groups"]', 'basic = ["faces"]', "standard lacks"),
        ("purposes.toml", "basic =", "huge =", "data_categories.huge"),
        ("purposes.toml", '"churn-model"', '"shared-statistics"', "named twice"),
        ("purposes.toml", "[[purposes]]", "[[purposes", "is not TOML"),
        ("notices/notices.toml", '["churn-model"]', '["dancing"]', "dancing"),
        ("notices/notices.toml", "joint-model@2.1.en.md", "../consent.toml", "notices.2.file"),
        ("notices/notices.toml", "joint-model@2.1.en.md", "missing.md", "missing.md"),
        ("notices/notices.toml", 'language = "de"', 'language = "en"', "named twice"),
    ],
)
def test_catalogue_faults_are_named(folder, file, old, new, named):
    path = folder.path / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConsentConfigurationError, match=named):
        reload(folder)
