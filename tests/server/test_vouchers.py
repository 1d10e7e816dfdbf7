"""The league's vouchers: files that partners sent, beside the right entry of a proposal's roster, or a word why not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse_demo.workshop import Workshop, lay_out
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vouchers import Voucher, sign_voucher
from hanse_server.league import LeagueInvalidError
from hanse_server.submission import propose

SOURCE = Path(__file__).parents[2] / "examples" / "own_data"


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with lay_out(SOURCE, tmp_path / "league") as found:
        found.league.vouchers.mkdir()
        yield found


def voucher(workshop: Workshop, signer: str, partner: str, *, key: SigningKey | None = None, **changes: Any) -> str:
    now = datetime.now(tz=UTC)
    keys = {entry.partner: entry.key for entry in workshop.league.load().roster}
    fields: dict[str, Any] = {
        "signer": signer,
        "partner": partner,
        "public_key": keys.get(partner, keys["south"]).raw,
        "centre": workshop.league.key().public.raw,
        "issued_at": now - timedelta(hours=1),
        "expires_at": now + timedelta(days=30),
    }
    signing = key or SigningKey.load(workshop.node(signer).signing_key)
    return sign_voucher(Voucher(**fields | changes), key=signing)


def put(workshop: Workshop, name: str, text: str) -> None:
    (workshop.league.vouchers / name).write_text(f"{text}\n")


def vouchers_of(workshop: Workshop) -> dict[str, tuple[str, ...]]:
    proposal = propose(workshop.league, workshop.root / "proposals" / "churn.toml")
    return {entry.partner: entry.vouchers for entry in proposal.roster}


def require_refused(workshop: Workshop, words: str) -> None:
    with pytest.raises(LeagueInvalidError) as caught:
        vouchers_of(workshop)
    assert words in caught.value.what
    assert str(workshop.league.vouchers) in caught.value.what
    assert not (workshop.league.root / "runs").exists()


def test_without_vouchers_a_roster_has_none(workshop: Workshop) -> None:
    assert vouchers_of(workshop) == {"north": (), "south": ()}
    workshop.league.vouchers.rmdir()
    assert vouchers_of(workshop) == {"north": (), "south": ()}


def test_each_voucher_stands_beside_the_partner_whom_it_is_for(workshop: Workshop) -> None:
    texts = [voucher(workshop, "north", "south"), voucher(workshop, "oak", "south", key=SigningKey.generate())]
    for number, text in enumerate(texts):
        put(workshop, f"{number}.voucher", text)
    put(workshop, "spare.voucher", voucher(workshop, "north", "echo"))
    put(workshop, ".hidden", "nothing of it")
    assert vouchers_of(workshop) == {"north": (), "south": tuple(texts)}


def test_one_that_no_vault_would_count_is_named_before_anybody_is_asked(workshop: Workshop) -> None:
    now = datetime.now(tz=UTC)
    stranger = SigningKey.generate()
    for changes, words in (
        ({"key": stranger}, "the voucher of north is not signed with its key"),
        ({"public_key": stranger.public.raw}, "is for another key"),
        ({"centre": stranger.public.raw}, "is for another league"),
        ({"expires_at": now}, "has expired"),
        ({"expires_at": now + timedelta(hours=23)}, "ends before the run's proposal does"),
    ):
        put(workshop, "one.voucher", voucher(workshop, "north", "south", **changes))
        require_refused(workshop, words)
    put(workshop, "one.voucher", voucher(workshop, "south", "south"))
    require_refused(workshop, "is for south itself")


@pytest.mark.parametrize("text", ["", "hanse-voucher:north:south:A", "hanse-ed25519:AAAA", "ä"])
def test_a_file_that_holds_no_voucher_is_named(workshop: Workshop, text: str) -> None:
    put(workshop, "one.voucher", text)
    require_refused(workshop, "one.voucher")


def test_more_than_a_roster_carries_are_too_many(workshop: Workshop) -> None:
    text = voucher(workshop, "north", "south")
    for number in range(129):
        put(workshop, f"{number}.voucher", text)
    require_refused(workshop, "vouchers")
