"""A node vouches for another partner's key: what it signs, what it says of it, and what it refuses to sign."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse_client.commands import app
from hanse_client.vault.home import NodeHome
from hanse_client.vault.policy import load_policy
from hanse_client.vouching import vouch
from hanse_demo.workshop import lay_out
from hanse_privacy.errors import HanseError, InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vouchers import VoucherInvalidError, VoucherRules, open_voucher

SOURCE = Path(__file__).parents[2] / "examples" / "own_data"
ECHO = SigningKey.generate().public
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeHome]:
    """North's."""
    with lay_out(SOURCE, tmp_path_factory.mktemp("vouching") / "league") as workshop:
        yield workshop.node("north")


def test_a_voucher_says_exactly_what_was_compared(home: NodeHome, tmp_path: Path) -> None:
    out = tmp_path / "north-for-echo.voucher"
    before = datetime.now(tz=UTC)
    done = CliRunner().invoke(
        app, ["vouch", "echo", ECHO.text, "--home", str(home.root), "--out", str(out), "--days", "30"]
    )
    assert done.exit_code == 0, done.output
    (line,) = out.read_text().splitlines()
    key, policy = SigningKey.load(home.signing_key).public, load_policy(home.policy)
    said = open_voucher(line, key=key)
    assert (said.signer, said.partner, said.public_key) == ("north", "echo", ECHO.raw)
    assert said.centre == policy.centre_key.raw
    assert said.expires_at - said.issued_at == timedelta(days=30)
    assert before <= said.issued_at <= datetime.now(tz=UTC)
    for words in (
        "north vouches for echo until",
        "in the league of centre only",
        f"fingerprint  {ECHO.fingerprint}",
        "If it did not, delete the file",
        "It cannot be taken back",
    ):
        assert words in done.output
    rules = VoucherRules(
        pins={"north": key}, centre=policy.centre_key, now=said.issued_at, until=said.issued_at + timedelta(days=1)
    )
    assert rules.count([line], partner="echo", key=ECHO).by == ("north",)


def test_a_file_is_not_written_over(home: NodeHome, tmp_path: Path) -> None:
    out = tmp_path / "taken"
    out.write_text("something else")
    done = CliRunner().invoke(app, ["vouch", "echo", ECHO.text, "--home", str(home.root), "--out", str(out)])
    assert done.exit_code != 0
    assert isinstance(done.exception, VoucherInvalidError)
    assert str(out) in done.exception.what
    assert out.read_text() == "something else"


@pytest.mark.parametrize("name", ["Echo", "", "echo\n", "e" * 41])
def test_a_name_that_no_roster_holds_is_refused(home: NodeHome, name: str) -> None:
    with pytest.raises(InvalidValueError, match="PARTNER"):
        vouch(home, name, ECHO.text, days=30, now=NOW)


@pytest.mark.parametrize("days", [0, -1, 181])
def test_days_have_a_bound(home: NodeHome, days: int) -> None:
    with pytest.raises(InvalidValueError, match="--days"):
        vouch(home, "echo", ECHO.text, days=days, now=NOW)


def test_a_fingerprint_is_no_key(home: NodeHome) -> None:
    with pytest.raises(InvalidValueError, match="public key"):
        vouch(home, "echo", ECHO.fingerprint, days=30, now=NOW)


def test_a_node_does_not_contradict_its_own_pins(home: NodeHome) -> None:
    keys = load_policy(home.policy).partner_keys
    for partner, key, words in (
        ("north", ECHO, "cannot vouch for itself"),
        ("echo", keys["north"], "cannot vouch for itself"),
        ("south", ECHO, "pins another key for south"),
        ("echo", keys["south"], "as that of south"),
    ):
        with pytest.raises(VoucherInvalidError, match=words):
            vouch(home, partner, key.text, days=30, now=NOW)
    # Whom it has pinned it vouches for, with the key that it has pinned.
    assert vouch(home, "south", keys["south"].text, days=30, now=NOW).voucher.partner == "south"


def test_a_key_that_nobody_has_pinned_signs_no_voucher(home: NodeHome, tmp_path: Path) -> None:
    strange = NodeHome(root=tmp_path)
    strange.prepare()
    strange.policy.write_text(home.policy.read_text())
    SigningKey.generate().save(strange.signing_key)
    with pytest.raises(HanseError, match=r"keys/node\.key"):
        vouch(strange, "echo", ECHO.text, days=30, now=NOW)
