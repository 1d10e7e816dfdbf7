"""Signed HTTP requests: every part is bound, the clock counts, and broken headers are one clear refusal."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.errors import SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol import signed_request
from hanse_privacy.protocol.signed_request import (
    TIME_TOLERANCE,
    HttpRequest,
    read_claim,
    sign_request,
    verify_request,
)

KEY = SigningKey.generate()
SERVICE = SigningKey.generate().public
NOW = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
REQUEST = HttpRequest(method="POST", path="/v1/cohort-manifests?a=1", body=b'{"round":1}')
HEADERS = sign_request(REQUEST, party="north", key=KEY, receiver=SERVICE, now=NOW)


def check(
    request: HttpRequest,
    headers: dict[str, str],
    *,
    now: datetime = NOW,
    key: SigningKey = KEY,
    receiver: PublicKey = SERVICE,
) -> None:
    verify_request(request, read_claim(headers), key=key.public, receiver=receiver, now=now)


def test_a_request_is_accepted_as_it_was_signed() -> None:
    check(REQUEST, HEADERS)
    check(replace(REQUEST, method="post"), HEADERS)  # methods are compared in upper case
    assert read_claim(HEADERS).party == "north"
    again = sign_request(REQUEST, party="north", key=KEY, receiver=SERVICE, now=NOW)
    assert again["hanse-nonce"] != HEADERS["hanse-nonce"]


def test_a_sender_in_another_time_zone_is_accepted() -> None:
    local = NOW.astimezone(timezone(timedelta(hours=9)))
    check(REQUEST, sign_request(REQUEST, party="north", key=KEY, receiver=SERVICE, now=local))


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, method="PUT"),
        replace(REQUEST, path="/v1/cohort-manifests?a=2"),
        replace(REQUEST, path="/v1/cohort-manifests"),
        replace(REQUEST, path="/v1/acts"),
        replace(REQUEST, body=b'{"round":2}'),
        replace(REQUEST, body=b""),
        replace(REQUEST, body=REQUEST.body + b" "),
    ],
)
def test_every_part_of_the_request_is_bound(request_: HttpRequest) -> None:
    with pytest.raises(SignatureInvalidError):
        check(request_, HEADERS)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("hanse-party", "south"),
        ("hanse-nonce", "0" * 32),
        ("hanse-time", (NOW + timedelta(microseconds=1)).isoformat()),
        ("hanse-time", NOW.astimezone(timezone(timedelta(hours=1))).isoformat()),
        ("hanse-signature", base64.b64encode(bytes(64)).decode()),
    ],
)
def test_every_header_is_bound(header: str, value: str) -> None:
    with pytest.raises(SignatureInvalidError):
        check(REQUEST, {**HEADERS, header: value})


def test_another_key_is_refused() -> None:
    with pytest.raises(SignatureInvalidError):
        check(REQUEST, HEADERS, key=SigningKey.generate())


def test_what_was_signed_for_one_service_is_refused_by_any_other() -> None:
    for other in (SigningKey.generate().public, KEY.public):
        with pytest.raises(SignatureInvalidError):
            check(REQUEST, HEADERS, receiver=other)
    # No header says for whom it was signed: there is nothing to change on the way.
    assert sorted(HEADERS) == ["hanse-nonce", "hanse-party", "hanse-signature", "hanse-time"]


@given(seconds=st.integers(-3 * 86_400, 3 * 86_400))
def test_the_time_window_is_exactly_the_tolerance(seconds: int) -> None:
    now = NOW + timedelta(seconds=seconds)
    if abs(timedelta(seconds=seconds)) <= TIME_TOLERANCE:
        check(REQUEST, HEADERS, now=now)
    else:
        with pytest.raises(SignatureInvalidError, match="seconds off"):
            check(REQUEST, HEADERS, now=now)


@pytest.mark.parametrize("header", sorted(HEADERS))
def test_a_missing_header_is_refused(header: str) -> None:
    with pytest.raises(SignatureInvalidError, match="signature headers"):
        read_claim({name: value for name, value in HEADERS.items() if name != header})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("hanse-time", ""),
        ("hanse-time", "yesterday"),
        ("hanse-time", "2026-05-04T12:00:00"),  # no zone
        ("hanse-time", "9" * 5000),
        ("hanse-nonce", ""),
        ("hanse-nonce", "0" * 15),
        ("hanse-nonce", "0" * 65),
        ("hanse-signature", "***"),
        ("hanse-signature", "ä"),
    ],
)
def test_a_malformed_header_is_refused(header: str, value: str) -> None:
    with pytest.raises(SignatureInvalidError):
        read_claim({**HEADERS, header: value})


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_times_at_the_calendars_ends_are_refused_and_not_an_accident(time: str) -> None:
    with pytest.raises(SignatureInvalidError):
        check(REQUEST, {**HEADERS, "hanse-time": time})


@given(headers=st.dictionaries(st.sampled_from(sorted(HEADERS)), st.text(max_size=80), min_size=1))
def test_random_headers_raise_nothing_but_the_documented_error(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalidError):
        check(REQUEST, {**HEADERS, **headers})


def test_a_request_signature_is_none_of_a_document() -> None:
    # The signed text is canonical JSON, as a document's is: only the context keeps them apart.
    signature = read_claim(HEADERS).signature
    for context in ("cohort-request/1", "run-proposal/2", "instruction/1"):
        with pytest.raises(SignatureInvalidError):
            KEY.public.verify(context=context, message=b"{}", signature=signature)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), st.binary(max_size=40))
def test_what_is_signed_is_canonical_json(path: str, nonce: str, body: bytes) -> None:
    request = HttpRequest(method="post", path=path, body=body)
    receiver = SigningKey.generate().public
    signed = signed_request._message(request, party="shop", receiver=receiver, sent_at="2026-05-04", nonce=nonce)
    assert signed == canonical_bytes(json.loads(signed))
    assert json.loads(signed)["path"] == path
