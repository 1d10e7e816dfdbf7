import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_privacy.errors import InvalidValueError, KeyFileError


@given(secret=st.binary(min_size=32, max_size=32), customers=st.lists(st.text(max_size=20)))
def test_is_hmac_sha256_cut_to_16_bytes(secret, customers):
    made = PseudonymKey(key_id="k", secret=secret).pseudonyms(customers)
    assert made == [hmac.digest(secret, text.encode(), hashlib.sha256)[:16].hex() for text in customers]


def test_keys_share_no_pseudonym():
    customers = [str(number) for number in range(1000)]
    first, second = (set(PseudonymKey.generate("k").pseudonyms(customers)) for _ in range(2))
    assert len(first) == len(second) == 1000
    assert not first & second


def test_key_file_is_private_and_comes_back(tmp_path):
    key = PseudonymKey.generate("2025-01")
    key.save(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert PseudonymKey.load(tmp_path / "key") == key
    assert key.secret.hex() not in repr(key)
    assert str(key.secret) not in repr(key)


def test_key_file_is_never_overwritten(tmp_path):
    PseudonymKey.generate("a").save(tmp_path / "key")
    with pytest.raises(KeyFileError, match="File exists"):
        PseudonymKey.generate("b").save(tmp_path / "key")


def test_key_file_open_to_others_is_refused(tmp_path):
    PseudonymKey.generate("a").save(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyFileError, match="other accounts"):
        PseudonymKey.load(tmp_path / "key")


@pytest.mark.parametrize("content", ["", "hanse-pseudonym-key/1 a", "hanse-pseudonym-key/1 a !!", "x a AAAA", "\xff"])
def test_damaged_key_file(tmp_path, content):
    (tmp_path / "key").write_text(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(KeyFileError):
        PseudonymKey.load(tmp_path / "key")


def test_key_id_and_length_are_checked():
    with pytest.raises(InvalidValueError, match="key_id"):
        PseudonymKey.generate("No spaces")
    with pytest.raises(InvalidValueError, match="31"):
        PseudonymKey(key_id="k", secret=b"x" * 31)
