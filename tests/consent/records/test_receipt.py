"""The receipt: what a customer can check, and what nobody can change."""

import base64
import json
import random
from datetime import timedelta

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from hanse_consent.domain.acts import ActKind
from hanse_consent.records.commands import verify_receipt_command
from hanse_consent.records.errors import (
    ReceiptAlteredError,
    ReceiptContentError,
    ReceiptKeyError,
    ReceiptKindError,
    ReceiptUnreadableError,
)
from hanse_consent.records.receipt import MAX_RECEIPT_BYTES, Receipt, make_receipt, sign_receipt, verify_receipt
from hanse_consent.records.record import make_record
from hanse_consent.records.wording import receipt_lines
from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.errors import HanseError, InvalidValueError
from hanse_privacy.identity import SigningKey

REFUSED = (ReceiptAlteredError, ReceiptContentError, ReceiptKeyError, ReceiptKindError, ReceiptUnreadableError)
DAY = timedelta(days=1)


@pytest.fixture(scope="session")
def receipt(shop):
    record = make_record(shop.full_history(), shop.source(), purpose=shop.name)
    return make_receipt(record, packs=("gdpr",), service="north-consent", now=shop.noon + 100 * DAY)


@pytest.fixture(scope="session")
def signed(receipt, service_key):
    return sign_receipt(receipt, service_key)


def resigned(document, key, context=Receipt.kind):
    signature = key.sign(context=context, message=canonical_bytes(document))
    outer = {
        "document": document,
        "key": key.public.fingerprint,
        "signature": base64.b64encode(signature).decode(),
    }
    return json.dumps(outer).encode()


def test_a_receipt_is_read_back_whole(receipt, signed, service_key):
    assert verify_receipt(signed, key=service_key.public) == receipt


def test_its_layout_is_free(receipt, signed, service_key):
    pretty = json.dumps(json.loads(signed), indent=2).encode()
    assert pretty != signed
    assert verify_receipt(pretty, key=service_key.public) == receipt


def test_no_flipped_bit_passes(signed, service_key):
    chance = random.Random(27560)
    places = [*range(400), *range(len(signed) * 8 - 1600, len(signed) * 8)]
    places += [chance.randrange(len(signed) * 8) for _ in range(600)]
    for place in places:
        altered = bytearray(signed)
        altered[place // 8] ^= 1 << place % 8
        with pytest.raises(REFUSED):
            verify_receipt(bytes(altered), key=service_key.public)


def test_no_part_of_it_passes(signed, service_key):
    for length in [*range(0, len(signed), 97), len(signed) - 1]:
        with pytest.raises(ReceiptUnreadableError):
            verify_receipt(signed[:length], key=service_key.public)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_noise_is_unreadable(service_key, data):
    with pytest.raises(ReceiptUnreadableError):
        verify_receipt(data, key=service_key.public)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(value=JSON, name=st.sampled_from(["document", "key", "signature", "other"]))
def test_no_other_value_in_any_place_passes(signed, service_key, value, name):
    outer = json.loads(signed)
    if outer.get(name) == value:
        return
    with pytest.raises(REFUSED):
        verify_receipt(json.dumps({**outer, name: value}).encode(), key=service_key.public)


@settings(max_examples=100, deadline=None)
@given(value=JSON, at=st.integers(0, 12))
def test_a_signed_document_of_another_shape_is_refused(receipt, service_key, value, at):
    document = receipt.payload()
    names = [name for name in document if name != "@type"]
    name = names[at % len(names)]
    if document[name] == value or name == "dct:creator":
        return  # the service may call itself as it likes
    try:
        data = resigned({**document, name: value}, service_key)
    except ValueError:
        return  # no canonical form: nobody can sign it
    with pytest.raises(ReceiptContentError):
        verify_receipt(data, key=service_key.public)


def test_a_name_that_stands_twice_is_refused(signed, service_key):
    twice = signed.replace(b'{"document":', b'{"key":"SHA256:x","document":', 1)
    assert json.loads(twice) == json.loads(signed)
    with pytest.raises(ReceiptUnreadableError):
        verify_receipt(twice, key=service_key.public)
    inner = signed.replace(b'"hanse:position":40', b'"hanse:position":41,"hanse:position":40')
    assert json.loads(inner) == json.loads(signed)
    with pytest.raises(ReceiptUnreadableError):
        verify_receipt(inner, key=service_key.public)


def test_a_second_spelling_of_the_signature_is_refused(signed, service_key):
    outer = json.loads(signed)
    body, last = outer["signature"][:-3], outer["signature"][-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    outer["signature"] = body + alphabet[alphabet.index(last) ^ 1] + "=="
    with pytest.raises(ReceiptUnreadableError):
        verify_receipt(json.dumps(outer).encode(), key=service_key.public)


def test_another_key_is_named_as_such(signed):
    with pytest.raises(ReceiptKeyError):
        verify_receipt(signed, key=SigningKey.generate().public)


def test_a_key_that_only_claims_to_be_the_right_one_is_seen(signed, service_key):
    stranger = SigningKey.generate()
    outer = json.loads(resigned(json.loads(signed)["document"], stranger)) | {"key": service_key.public.fingerprint}
    with pytest.raises(ReceiptAlteredError):
        verify_receipt(json.dumps(outer).encode(), key=service_key.public)


def test_another_kind_of_document_is_named_as_such(receipt, service_key):
    with pytest.raises(ReceiptKindError):
        verify_receipt(resigned({"run": "x"}, service_key), key=service_key.public)
    with pytest.raises(ReceiptKindError):
        verify_receipt(resigned(receipt.record.to_json(), service_key), key=service_key.public)
    with pytest.raises(ReceiptAlteredError):
        verify_receipt(resigned(receipt.payload(), service_key, "cohort-manifest/1"), key=service_key.public)


@pytest.mark.parametrize(
    "change",
    [
        {"hanse:position": 39},
        {"hanse:registryVersion": 6},
        {"hanse:recordSha256": "0" * 64},
        {"extra": 1},
        {"@context": {}},
        {"dct:conformsTo": ["https://w3id.org/dpv/schema/dpv-27560#record"]},
        {"dct:created": "2026-08-12T14:00:00+02:00"},
        {"dpv:hasRecordOfActivity": []},
        {"dct:creator": []},
        {"dct:identifier": []},
        {"@id": "urn:uuid:another"},
    ],
)
def test_a_signed_receipt_that_contradicts_itself_is_refused(receipt, service_key, change):
    with pytest.raises(ReceiptContentError):
        verify_receipt(resigned({**receipt.payload(), **change}, service_key), key=service_key.public)


def test_a_signed_receipt_whose_record_lacks_a_field_is_refused(receipt, service_key):
    record = receipt.record.model_copy(update={"parties": ()})
    bare = receipt.model_copy(update={"records": (record,), "record_sha256": record.digest})
    with pytest.raises(ReceiptContentError, match="incomplete"):
        verify_receipt(bare.sign(service_key), key=service_key.public)


def test_a_huge_file_is_not_read(service_key):
    with pytest.raises(ReceiptUnreadableError, match=str(MAX_RECEIPT_BYTES)):
        verify_receipt(b"[" * (MAX_RECEIPT_BYTES + 1), key=service_key.public)
    with pytest.raises(ReceiptUnreadableError):
        verify_receipt(b"[" * MAX_RECEIPT_BYTES, key=service_key.public)


def test_no_error_repeats_the_customer(shop, signed, service_key):
    for data in (signed[:-5], signed.replace(shop.customer.encode(), b"f" * 32)):
        with pytest.raises(HanseError) as caught:
            verify_receipt(data, key=service_key.public)
        assert shop.customer not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def app():
    application = typer.Typer()
    application.command("verify-receipt")(verify_receipt_command)
    return application


def test_the_command_says_it_in_plain_words(tmp_path, shop, signed, service_key):
    file = tmp_path / "receipt.json"
    file.write_bytes(signed)
    result = CliRunner().invoke(app(), [str(file), "--key", service_key.public.text])
    assert result.exit_code == 0
    for words in (
        "genuine",
        "Nordmarkt GmbH, Südmarkt AG",
        "Recommendations learnt together",
        "Model House BV",
        "agreed again as of 2026-08-12 12:00:00 UTC; until 2027-05-09 12:00:00 UTC",
        "2026-05-08 12:00:00 UTC: withdrawn, by till",
        "Say no in the app under Privacy, or at any till.",
        service_key.public.fingerprint,
    ):
        assert words in result.output


@pytest.mark.parametrize(
    ("content", "key", "code", "status"),
    [
        (b"nothing", None, ReceiptUnreadableError, 2),
        (None, None, ReceiptUnreadableError, 2),
        ("signed", "other", ReceiptKeyError, 1),
        ("signed", "bad", InvalidValueError, 2),
        ("altered", None, ReceiptAlteredError, 1),
    ],
)
def test_the_command_ends_with_a_status(tmp_path, signed, service_key, content, key, code, status):
    file = tmp_path / "receipt.json"
    if content is not None:
        altered = signed.replace(b'"hanse:registryVersion":7', b'"hanse:registryVersion":8')
        file.write_bytes({"signed": signed, "altered": altered}.get(content, content))
    text = {"other": SigningKey.generate().public.text, "bad": "x"}.get(key, service_key.public.text)
    result = CliRunner().invoke(app(), [str(file), "--key", text])
    assert isinstance(result.exception, code)
    assert result.exception.exit_code == status
    assert "genuine" not in result.output


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ([], "agreed as of"),
        ([ActKind.WITHDRAWAL], "withdrawn as of 2026-08-12 12:00:00 UTC; it does not count"),
        ([ActKind.REFUSAL], "refused as of"),
    ],
)
def test_a_consent_that_does_not_count_says_so(shop, kinds, words):
    acts = [shop.act(), *(shop.act(kind, after=DAY, purpose=shop.name) for kind in kinds)]
    record = make_record(shop.recorded(*acts), shop.source(), purpose=shop.name)
    lines = receipt_lines(make_receipt(record, packs=("gdpr",), service="s", now=shop.noon))
    assert any(words in line for line in lines)


def test_nothing_in_a_receipt_steers_the_terminal(shop):
    bad = shop.purpose(title="Fine\x1b[2Jprint", description="a\r\nGenuine\u202e")
    registry = shop.registry(purposes=(bad,))
    record = make_record(shop.recorded(shop.act()), shop.source(registry=registry), purpose=shop.name)
    lines = receipt_lines(make_receipt(record, packs=("gdpr",), service="s", now=shop.noon))
    assert all(line.isprintable() for line in lines)
