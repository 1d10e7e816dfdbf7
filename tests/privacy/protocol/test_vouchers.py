"""Vouchers: only whole, unexpired words of pinned partners, about just this name, key and league, each partner once."""

import base64
import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.vouchers import (
    LONGEST_LIFE,
    Voucher,
    VoucherCount,
    VoucherInvalidError,
    VoucherRules,
    open_voucher,
    read_claim,
    sign_voucher,
)
from hanse_privacy.signed_records import sign_record

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
UNTIL = NOON + timedelta(days=2)
NAMES = ("alder", "birch", "cedar", "oak", "elm", "echo", "fir")
KEYS = {name: SigningKey.generate() for name in NAMES}
CENTRE, OTHER_CENTRE = SigningKey.generate().public, SigningKey.generate().public
PINNED = ("alder", "birch", "cedar")
ECHO = KEYS["echo"].public


def rules(*pinned: str, **changes: Any) -> VoucherRules:
    pins = {name: KEYS[name].public for name in pinned or PINNED}
    return dataclasses.replace(VoucherRules(pins=pins, centre=CENTRE, now=NOON, until=UNTIL), **changes)


def voucher(signer: str, **changes: Any) -> Voucher:
    fields: dict[str, Any] = {
        "signer": signer,
        "partner": "echo",
        "public_key": ECHO.raw,
        "centre": CENTRE.raw,
        "issued_at": NOON - timedelta(days=1),
        "expires_at": NOON + timedelta(days=30),
    }
    return Voucher(**fields | changes)


def text_of(signer: str, *, key: SigningKey | None = None, **changes: Any) -> str:
    return sign_voucher(voucher(signer, **changes), key=key or KEYS[signer])


def unchecked(record: msgspec.Struct, *, signer: str, context: str = "partner-voucher/1", partner: str = "echo") -> str:
    """A voucher as no honest program would sign it."""
    signed = sign_record(record, context=context, key=KEYS[signer])
    return f"hanse-voucher:{signer}:{partner}:{base64.b64encode(signed).decode()}"


def count(*texts: str, with_rules: VoucherRules | None = None, partner: str = "echo") -> VoucherCount:
    return (with_rules or rules()).count(texts, partner=partner, key=KEYS[partner].public)


def require_not_counted(text: str, words: str, **changes: Any) -> None:
    found = count(text, with_rules=rules(**changes))
    assert found.by == ()
    assert len(found.others) == 1
    assert words in found.others[0]


def test_each_pinned_partners_word_counts_once() -> None:
    found = count(text_of("birch"), text_of("alder"), text_of("birch"), text_of("birch", public_key=bytes(32)))
    assert found.by == ("birch", "alder")
    assert found.others == (
        "another voucher of birch counts already",
        "the voucher of birch is for another key",
    )
    assert found.in_words(needed=3) == (
        "2 of 3 vouchers needed count (by birch, alder); another voucher of birch counts already;"
        " the voucher of birch is for another key"
    )
    assert count().in_words(needed=2) == "0 of 2 vouchers needed count"


def test_two_names_of_one_key_have_one_voice() -> None:
    pins = {"alder": KEYS["alder"].public, "oak": KEYS["alder"].public}
    found = count(text_of("alder"), text_of("oak", key=KEYS["alder"]), with_rules=rules(pins=pins))
    assert found.by == ("alder",)


def test_a_word_about_something_else_does_not_count() -> None:
    require_not_counted(text_of("alder", partner="fir"), "is for another partner")
    require_not_counted(text_of("alder", public_key=KEYS["fir"].public.raw), "is for another key")
    require_not_counted(text_of("alder", centre=OTHER_CENTRE.raw), "is for another league")


def test_a_word_that_does_not_last_for_the_run_does_not_count() -> None:
    require_not_counted(text_of("alder", expires_at=NOON), "has expired")
    require_not_counted(text_of("alder", expires_at=NOON - timedelta(hours=1)), "has expired")
    require_not_counted(text_of("alder", expires_at=UNTIL - timedelta(seconds=1)), "ends before the run's proposal")
    require_not_counted(text_of("alder", issued_at=NOON + timedelta(seconds=1)), "is from the future")
    # By the clock alone, too, whatever a proposal says of its end.
    require_not_counted(text_of("alder", expires_at=NOON), "has expired", until=NOON - timedelta(days=1))
    assert count(text_of("alder", issued_at=NOON, expires_at=UNTIL)).by == ("alder",)


def test_whoever_is_not_pinned_has_no_voice() -> None:
    require_not_counted(text_of("oak"), "not pinned here")
    require_not_counted(text_of("echo"), "for echo itself")
    # Under a pinned name it is not signed with the pinned key.
    require_not_counted(text_of("alder", key=KEYS["oak"]), "not signed with its key")
    require_not_counted(text_of("alder", key=KEYS["echo"]), "not signed with its key")


def test_vouchers_do_not_chain() -> None:
    """Fir is vouched for by all who are pinned; for echo its word is worth nothing."""
    for_fir = [text_of(name, partner="fir", public_key=KEYS["fir"].public.raw) for name in PINNED]
    assert count(*for_fir, partner="fir").by == PINNED
    found = count(*for_fir, text_of("fir"), text_of("alder"))
    assert found.by == ("alder",)


def test_a_pin_is_never_overridden() -> None:
    other = KEYS["elm"].public
    texts = [text_of(name, partner="cedar", public_key=other.raw) for name in ("alder", "birch")]
    assert rules().count(texts, partner="cedar", key=other).by == ()
    # Nor does a pinned key come in under a second name, say that of a vault that stands for two.
    texts = [text_of(name, public_key=KEYS["cedar"].public.raw) for name in PINNED]
    found = rules().count(texts, partner="echo", key=KEYS["cedar"].public)
    assert found.by == ()
    assert all("is pinned here as another partner's" in fault for fault in found.others)


def test_other_names_in_front_than_inside_do_not_count() -> None:
    signed = text_of("alder").rpartition(":")[2]
    require_not_counted(f"hanse-voucher:birch:echo:{signed}", "not signed with its key")
    require_not_counted(f"hanse-voucher:alder:fir:{signed}", "other names")
    require_not_counted(unchecked(voucher("birch"), signer="alder"), "other names")


def test_a_voucher_is_signed_as_one() -> None:
    require_not_counted(unchecked(voucher("alder"), signer="alder", context="session-key/1"), "not signed with its key")
    require_not_counted(unchecked(voucher("alder"), signer="alder", context="partner-voucher/2"), "not signed")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires_at": NOON + LONGEST_LIFE}, "counts for 181 days"),
        ({"expires_at": NOON - timedelta(days=1)}, "counts for 0 days"),
        ({"expires_at": NOON - timedelta(days=3)}, "counts for -2 days"),
        ({"issued_at": datetime(2026, 5, 4)}, "without a time zone"),  # noqa: DTZ001
        ({"expires_at": datetime(2026, 6, 4)}, "without a time zone"),  # noqa: DTZ001
        ({"public_key": bytes(31)}, "no keys of 32 bytes"),
        ({"centre": b""}, "no keys of 32 bytes"),
    ],
)
def test_what_no_verifier_takes_is_neither_signed_nor_counted(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(VoucherInvalidError, match=words):
        text_of("alder", **changes)
    require_not_counted(unchecked(voucher("alder", **changes), signer="alder"), words)


def test_a_life_is_bounded() -> None:
    longest = voucher("alder", issued_at=NOON, expires_at=NOON + LONGEST_LIFE)
    assert open_voucher(sign_voucher(longest, key=KEYS["alder"]), key=KEYS["alder"].public) == longest
    with pytest.raises(VoucherInvalidError, match="180 days"):
        text_of("alder", issued_at=NOON, expires_at=NOON + LONGEST_LIFE + timedelta(seconds=1))


@pytest.mark.parametrize("name", ["Alder", "", "al der", "a:b", "alder\n", "ä"])
def test_names_that_no_roster_holds_are_not_vouched_for(name: str) -> None:
    with pytest.raises(VoucherInvalidError):
        text_of("alder", partner=name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hanse-voucher",
        "hanse-voucher:alder:echo:",
        "hanse-voucher:alder:AAAA",
        "hanse-voucher:alder:echo:A",
        "hanse-voucher:alder:echo:AAAA\n",
        "hanse-voucher:alder:echo:ÄAAA",
        "hanse-ed25519:alder:echo:AAAA",
        "hanse-voucher:alder:echo:echo:AAAA",
    ],
)
def test_garbage_is_no_voucher(text: str) -> None:
    with pytest.raises(VoucherInvalidError):
        read_claim(text)
    assert count(text).by == ()


def test_every_changed_character_is_noticed() -> None:
    text = text_of("alder")
    for place in range(len(text)):
        other = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert count(other).by == ()


def test_a_voucher_has_one_spelling() -> None:
    """Base64 has spare bits where the bytes are no multiple of three: of these names, one at least has some."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twins = 0
    for partner in ("elm", "echo", "cedar"):
        text = text_of("alder", partner=partner)
        bare = text.rstrip("=")
        twin = bare[:-1] + alphabet[alphabet.index(bare[-1]) ^ 1] + "=" * (len(text) - len(bare))
        encoded = [one.rpartition(":")[2] for one in (text, twin)]
        if base64.b64decode(encoded[0]) == base64.b64decode(encoded[1]):
            twins += 1
            with pytest.raises(VoucherInvalidError, match="cut off or altered"):
                read_claim(twin)
    assert twins


@dataclass(frozen=True, kw_only=True)
class Word:
    """A voucher, and whether a reader of the rules would count it."""

    signer: str
    signed_by: str
    partner: str
    key: str
    centre: PublicKey
    begins: timedelta
    ends: timedelta
    context: str

    @property
    def text(self) -> str:
        record = voucher(
            self.signer,
            partner=self.partner,
            public_key=KEYS[self.key].public.raw,
            centre=self.centre.raw,
            issued_at=NOON + self.begins,
            expires_at=NOON + self.ends,
        )
        signed = sign_record(record, context=self.context, key=KEYS[self.signed_by])
        return f"hanse-voucher:{self.signer}:{self.partner}:{base64.b64encode(signed).decode()}"

    def counts(self, pinned: frozenset[str], partner: str, key: str) -> bool:
        return (
            self.signer in pinned
            and self.signed_by == self.signer
            and not {partner, key} & pinned
            and (self.partner, self.key) == (partner, key)
            and self.centre == CENTRE
            and self.begins <= timedelta(0)
            and self.ends >= UNTIL - NOON
            and self.ends - self.begins <= LONGEST_LIFE
            and self.context == "partner-voucher/1"
        )


def mostly(value: Any, *others: Any) -> st.SearchStrategy[Any]:
    """So that many vouchers are good, and most others have one fault."""
    return st.sampled_from([value] * 8 + list(others))


def words() -> st.SearchStrategy[Word]:
    def of(signer: str) -> st.SearchStrategy[Word]:
        return st.builds(
            Word,
            signer=st.just(signer),
            signed_by=mostly(signer, "oak", "echo", "alder"),
            partner=mostly("echo", "fir", "cedar"),
            key=mostly("echo", "fir", "cedar"),
            centre=mostly(CENTRE, OTHER_CENTRE),
            begins=mostly(timedelta(days=-1), timedelta(0), timedelta(seconds=1), timedelta(days=-170)),
            ends=mostly(timedelta(days=2), timedelta(days=30), timedelta(0), timedelta(days=1), timedelta(days=-1)),
            context=mostly("partner-voucher/1", "session-key/1"),
        )

    return st.sampled_from(NAMES).flatmap(of)


@given(
    given_words=st.lists(words(), max_size=8),
    pinned=st.frozensets(st.sampled_from(("alder", "birch", "cedar", "elm"))),
    partner=mostly("echo", "fir", "cedar"),
    key=mostly("echo", "fir", "cedar"),
    garbage=st.lists(st.text(max_size=30), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_who_counts_is_who_the_rules_say(given_words, pinned, partner, key, garbage, order) -> None:
    expected = {word.signer for word in given_words if word.counts(pinned, partner, key)}
    held = VoucherRules(pins={name: KEYS[name].public for name in pinned}, centre=CENTRE, now=NOON, until=UNTIL)
    texts = [*garbage, *(word.text for word in given_words)]
    order.shuffle(texts)
    found = held.count(texts, partner=partner, key=KEYS[key].public)
    assert set(found.by) == expected
    assert len(found.by) == len(expected)
    assert len(found.by) + len(found.others) == len(texts)
    # Whatever else is brought, a word more never costs a partner its voice, and doubling all gives nobody a second one.
    again = held.count([*texts, *texts], partner=partner, key=KEYS[key].public)
    assert set(again.by) == expected
    assert len(again.by) == len(expected)


@given(
    text=st.text(max_size=200) | st.from_regex(r"hanse-voucher:alder:echo:[0-9A-Za-z+/]{0,80}={0,2}", fullmatch=True)
)
def test_nothing_that_is_written_makes_the_count_fail(text: str) -> None:
    assert count(text).by == ()
    with pytest.raises(HanseError):
        open_voucher(text, key=KEYS["alder"].public)
