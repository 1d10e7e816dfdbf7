import base64
import contextlib
import logging
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlmodel import select

from hanse_consent.access.errors import LookUpNotRecordedError
from hanse_consent.access.look_ups import ActorKind, LookUp, LookUpKey, LookUpKind, LookUpLog, Reason
from hanse_consent.access.tables import LookUpRow
from hanse_consent.errors import StoreUnavailableError
from hanse_privacy.errors import InvalidValueError

REASONS: TypeAdapter[str] = TypeAdapter(Reason)
ANNA, BERT = "a1" * 16, "b2" * 16


def look_up(*customers: str, controller: str = "aurora", actor: str = "ada") -> LookUp:
    return LookUp(
        controller=controller,
        actor_kind=ActorKind.ACCOUNT,
        actor=actor,
        kind=LookUpKind.TIMELINE,
        customers=customers or (ANNA,),
        reason="asked by letter of 3 May",
    )


def test_what_was_looked_at_is_listed_newest_first(room, clock) -> None:
    room.look_ups.record(look_up(actor="ada"))
    clock.advance(seconds=1)
    room.look_ups.record(look_up(BERT, ANNA, actor="bea"))
    room.look_ups.record(look_up(controller="boreal", actor="eve"))
    page = room.look_ups.page("aurora")
    assert [(entry.actor, entry.people) for entry in page.look_ups] == [("bea", 2), ("ada", 1)]
    assert page.look_ups[0].person is None
    assert page.next_before is None
    assert page.look_ups[0].at == clock.at
    assert page.look_ups[0].reason == "asked by letter of 3 May"
    assert [entry.actor for entry in room.look_ups.page("boreal").look_ups] == ["eve"]


def test_nobody_is_exposed_and_one_person_s_look_ups_are_found(room) -> None:
    for customer, actor in ((ANNA, "ada"), (BERT, "bea"), (ANNA, "eve")):
        room.look_ups.record(look_up(customer, actor=actor))
    with room.transactions.reading(controller="aurora") as session:
        for row in session.exec(select(LookUpRow)).all():
            kept = repr(row.model_dump()) + row.persons.hex()
            assert ANNA not in kept
            assert BERT not in kept
            assert base64.b64encode(bytes.fromhex(ANNA)).decode() not in kept
    assert [entry.actor for entry in room.look_ups.page("aurora", customer=ANNA).look_ups] == ["eve", "ada"]
    page = room.look_ups.page("aurora")
    assert page.look_ups[0].person == page.look_ups[2].person != page.look_ups[1].person
    assert ANNA not in page.model_dump_json()


def test_one_person_is_found_among_many(room) -> None:
    crowd = tuple(secrets.token_hex(16) for _ in range(50))
    room.look_ups.record(look_up(*crowd, ANNA, *crowd, actor="ada"))
    room.look_ups.record(look_up(*crowd, actor="bea"))
    room.look_ups.record(look_up(ANNA, actor="eve"))
    room.look_ups.record(look_up(*crowd, ANNA, controller="boreal", actor="kim"))
    room.look_ups.record(look_up(BERT, actor="ada"))
    assert [entry.actor for entry in room.look_ups.page("aurora", customer=ANNA).look_ups] == ["eve", "ada"]
    first = room.look_ups.page("aurora", customer=crowd[-1], limit=1)
    assert [entry.actor for entry in first.look_ups] == ["bea"]
    second = room.look_ups.page("aurora", customer=crowd[-1], limit=1, before=first.next_before)
    assert [(entry.actor, entry.people) for entry in second.look_ups] == [("ada", 101)]
    assert second.next_before is None


def test_the_same_pseudonym_at_two_controllers_is_two_people() -> None:
    key = LookUpKey(raw=secrets.token_bytes(32))
    other = LookUpKey(raw=secrets.token_bytes(32))
    found = {
        key.digest(controller="aurora", customer=ANNA),
        key.digest(controller="boreal", customer=ANNA),
        other.digest(controller="aurora", customer=ANNA),
    }
    assert len(found) == 3
    assert key.raw.hex() not in repr(key)
    with pytest.raises(InvalidValueError):
        LookUpKey(raw=b"short")


def test_pages_hold_every_look_up_once(room) -> None:
    for n in range(23):
        room.look_ups.record(look_up(actor=f"actor{n}"))
    seen: list[str] = []
    before = None
    while True:
        page = room.look_ups.page("aurora", before=before, limit=5)
        assert len(page.look_ups) <= 5
        seen += [entry.actor for entry in page.look_ups]
        before = page.next_before
        if before is None:
            break
    assert seen == [f"actor{n}" for n in reversed(range(23))]
    assert room.look_ups.page("aurora", limit=23).next_before is None
    assert room.look_ups.page("aurora", actor="actor7").look_ups[0].actor == "actor7"


@pytest.mark.parametrize("limit", [0, 501])
def test_pages_have_bounds(room, limit) -> None:
    with pytest.raises(InvalidValueError):
        room.look_ups.page("aurora", limit=limit)


class Failing:
    """Loses every transaction of one controller."""

    def __init__(self, transactions, *, controller: str) -> None:
        self._transactions = transactions
        self._controller = controller

    @contextlib.contextmanager
    def plain_writing(self, *, controller: str):
        with self._transactions.plain_writing(controller=controller) as connection:
            yield connection
            if controller == self._controller:
                raise StoreUnavailableError("The disk is full.", "Free some.")


def test_what_is_not_recorded_is_not_answered(room, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    log = LookUpLog(Failing(room.transactions, controller="aurora"), key=LookUpKey(raw=b"k" * 32), now=room.clock.now)
    with pytest.raises(LookUpNotRecordedError) as refused:
        log.record(look_up())
    with pytest.raises(LookUpNotRecordedError):
        log.record(look_up(ANNA, BERT))
    log.record(look_up(controller="boreal"))
    assert room.look_ups.page("aurora").look_ups == ()
    assert refused.value.status == 503
    assert ANNA not in str(refused.value) + caplog.text


def test_look_ups_of_many_threads_are_all_recorded_in_fewer_transactions(room) -> None:
    count = 0
    gate = threading.Barrier(16)

    class Counting:
        @contextlib.contextmanager
        def plain_writing(self, *, controller: str):
            nonlocal count
            count += 1
            with room.transactions.plain_writing(controller=controller) as connection:
                yield connection

    log = LookUpLog(Counting(), key=LookUpKey(raw=b"k" * 32), now=room.clock.now)

    def one(number: int) -> None:
        gate.wait()
        for turn in range(4):
            log.record(look_up(actor=f"actor{number}-{turn}"))
            # Recorded means: readable by anybody from now on.
            assert room.look_ups.page("aurora", actor=f"actor{number}-{turn}").look_ups

    with ThreadPoolExecutor(max_workers=16) as threads:
        list(threads.map(one, range(16)))
    actors = [entry.actor for entry in room.look_ups.page("aurora", limit=500).look_ups]
    assert sorted(actors) == sorted(f"actor{n}-{turn}" for n in range(16) for turn in range(4))
    assert count < 64


@given(st.binary(min_size=16, max_size=16), st.sampled_from(["", " ", "-", ":", "\u00a0"]), st.booleans())
def test_a_reason_never_holds_a_pseudonym(raw: bytes, between: str, upper: bool) -> None:
    text = between.join(raw.hex()[n : n + 4] for n in range(0, 32, 4))
    with pytest.raises(ValidationError):
        REASONS.validate_python(f"asked for {text.upper() if upper else text} by letter")


@pytest.mark.parametrize("bad", ["", "why", "    why    ", "x" * 201, "two\nlines of it", "a \x00 zero", "ａ１" * 16])
def test_bad_reasons_are_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        REASONS.validate_python(bad)


@pytest.mark.parametrize("good", ["phone call", "客户来电询问同意", "case 2026-05-04/17, added a café receipt"])
def test_good_reasons_are_kept(good: str) -> None:
    assert REASONS.validate_python(good) == good


def test_an_error_about_a_look_up_does_not_show_whose_it_was() -> None:
    with pytest.raises(ValidationError) as refused:
        look_up(ANNA.upper())
    assert ANNA.upper() not in str(refused.value)
    assert ANNA not in repr(look_up())
