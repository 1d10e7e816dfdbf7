"""Recording acts: what is refused changes nothing, what is recorded stays, what is erased is gone."""

import threading
from datetime import date, timedelta

import pytest
from sayings import NOON, pseudonym, say
from sqlalchemy import text

from hanse_consent.decisions.facts import ERASURE, FactState
from hanse_consent.domain.acts import ActEffect, ActKind, Age
from hanse_consent.errors import KeyReusedError, PreselectedConsentError, SaidInFutureError
from hanse_consent.law.errors import BundledConsentError
from hanse_consent.storage.database import Database
from hanse_consent.storage.errors import ControllerUnknownError, CustomerErasedError, PositionUnknownError


def states(store, customer=1, controller="alster", **at):
    known = store.facts(controller, pseudonym(customer), **at).facts.by_topic
    return {topic: fact.state for topic, fact in known.items()}


@pytest.mark.parametrize(
    ("refusal", "act"),
    [
        (PreselectedConsentError, lambda: say(customer=2, preselected=True)),
        (SaidInFutureError, lambda: say(customer=2, said_at=NOON + timedelta(days=1))),
    ],
)
def test_a_refused_batch_changes_nothing(store, refusal, act):
    with pytest.raises(refusal) as refused:
        store.record("alster", [say(), act()])
    assert "acts.1 " in str(refused.value)
    assert pseudonym(2) not in str(refused.value)
    assert (store.position("alster"), store.customer_count("alster"), states(store)) == (0, 0, {})
    # The names that the refused batch brought are not remembered either.
    assert store.record("alster", [say()]).position == 1
    assert states(store) == {"consent/statistics": FactState.GIVEN}


def test_who_is_not_registered_records_nothing(store):
    with pytest.raises(ControllerUnknownError):
        store.record("weser", [say()])


def test_keys_belong_to_a_controller(store):
    first = say(key="till-7.1")
    assert store.record("alster", [first]).effects == (ActEffect.EFFECTIVE,)
    again = store.record("alster", [say(customer=3), first])
    assert (again.position, again.effects) == (2, (ActEffect.EFFECTIVE, ActEffect.REPEATED))
    assert store.record("alster", [first]).position == 1
    for other in (
        say(customer=2, key="till-7.1"),
        say(key="till-7.1", notice="all@2"),
        say(key="till-7.1", channel="app"),
    ):
        with pytest.raises(KeyReusedError):
            store.record("alster", [other])
    assert store.record("elbe", [say(customer=2, key="till-7.1")]).position == 1


def test_one_gesture_grants_one_thing(store):
    store.record("alster", [say(interaction="tap-1")])
    with pytest.raises(BundledConsentError):
        store.record("alster", [say(purpose="churn", interaction="tap-1")])
    with pytest.raises(BundledConsentError):
        store.record(
            "alster", [say(customer=2, interaction="tap-2"), say(customer=2, purpose="churn", interaction="tap-2")]
        )
    store.record("alster", [say(purpose="churn", interaction="tap-3"), say(customer=2, interaction="tap-1")])


def test_erasure_cuts_the_link_and_keeps_the_evidence(store, database, clock):
    profile = say(ActKind.PROFILE, country="DE", age=Age(adult=False, born_on=date(2015, 1, 2)))
    grant = say()
    store.record("alster", [grant, profile, say(customer=2)])
    clock.advance(hours=1)
    erasure = say(ActKind.ERASURE, said_at=clock())
    assert store.record("alster", [erasure]).position == 4
    # Sent again, nothing happens again.
    assert store.record("alster", [erasure, grant, profile]).effects == (ActEffect.REPEATED,) * 3
    assert states(store) == {}
    assert store.history("alster", pseudonym(1)) == ()
    assert [one.customer for one in store.acts_after("alster", 0, limit=9)] == [None, None, pseudonym(2), None]
    assert store.customer_count("alster") == 1
    assert store.fact_rows("alster", ERASURE).customers.tolist() == [1]
    with database.reading_across_controllers() as session:
        connection = session.connection()
        rows = [
            row
            for table in ("consent_act", "profile_detail", "customer", "fact", "tombstone")
            for row in connection.execute(text(f"SELECT * FROM {table}")).all()
        ]
        assert not any(value in (pseudonym(1), bytes.fromhex(pseudonym(1)), "DE") for row in rows for value in row)
    with pytest.raises(CustomerErasedError) as refused:
        store.record("alster", [say(said_at=clock() - timedelta(minutes=1))])
    assert pseudonym(1) not in str(refused.value)
    clock.advance(minutes=1)
    store.record("alster", [say(said_at=clock())])
    assert states(store) == {"consent/statistics": FactState.GIVEN}
    assert store.customer_numbers("alster").last == 3
    # Whoever has begun anew is not caught up with by what was said before the erasure.
    with pytest.raises(CustomerErasedError):
        store.record("alster", [say(said_at=clock() - timedelta(minutes=2), purpose="churn")])
    assert states(store) == {"consent/statistics": FactState.GIVEN}


def test_a_purpose_no_longer_in_force_can_be_withdrawn(store, registry):
    store.record("alster", [say(purpose="churn-detail")])
    fewer = registry.model_copy(update={"purposes": registry.purposes[:2]})
    assert store.register(fewer).purpose("churn-detail") is None
    for act in (say(ActKind.WITHDRAWAL, purpose="churn"), say(ActKind.WITHDRAWAL)):
        store.record("alster", [act])
    assert states(store)["consent/churn-detail"] is FactState.WITHDRAWN


def test_the_registry_keeps_every_version(store, registry):
    one = store.registry()
    assert (one.version, store.register(registry).version) == (1, 1)
    fewer = registry.model_copy(update={"purposes": registry.purposes[:1], "notices": ()})
    two = store.register(fewer)
    assert (two.version, [purpose.name for purpose in two.purposes]) == (2, ["statistics"])
    assert two.notices == one.notices
    assert store.registry(version=1) == one
    assert store.registry(version=0).purposes == ()


def test_positions_have_moments(store, clock):
    store.record("alster", [say()])
    clock.advance(hours=2)
    store.record("alster", [say(ActKind.WITHDRAWAL, said_at=clock())])
    assert [store.moment_of("alster", position) for position in (1, 2)] == [NOON, NOON + timedelta(hours=2)]
    assert states(store, position=1) == {"consent/statistics": FactState.GIVEN}
    for unknown in (0, 3):
        with pytest.raises(PositionUnknownError):
            store.moment_of("alster", unknown)
    with pytest.raises(PositionUnknownError):
        store.facts("alster", pseudonym(1), position=3)


def test_writers_side_by_side(store, open_store, location):
    """Two stores on one database, four threads: positions without gaps, every act once."""
    other = Database(location)
    stores = (store, open_store(other))
    failures = []

    def write(writer, controller):
        try:
            for number in range(10):
                stores[writer].record(controller, [say(customer=number), say(customer=100 * writer + number + 50)])
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(w, c)) for w in (0, 1) for c in ("alster", "elbe")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert failures == []
    for controller in ("alster", "elbe"):
        assert [one.position for one in store.acts_after(controller, 0, limit=99)] == list(range(1, 41))
        assert store.customer_numbers(controller).last == 30
