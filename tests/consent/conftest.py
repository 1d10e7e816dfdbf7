"""Acts and questions as partners write them, for tests of the room's edge."""

import os
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortRequest
from hanse_privacy.protocol.vocabulary import Tier

SERVER = ("127.0.0.1", 5432)


@pytest.fixture(scope="session")
def postgresql() -> None:
    """Tests that need a PostgreSQL server: a user's machine may skip them, continuous integration may not."""
    try:
        with socket.create_connection(SERVER, timeout=2):
            return
    except OSError:
        if os.environ.get("HANSE_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("no PostgreSQL server answers at 127.0.0.1:5432")
        pytest.skip("no PostgreSQL server at 127.0.0.1:5432")


NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def act() -> Callable[..., ConsentAct]:
    """Build an act; whatever is not named is an ordinary grant said at noon."""

    def build(
        kind: ActKind = ActKind.GRANT,
        customer: str = "0" * 32,
        *,
        purpose: str = "shared-statistics",
        tier: Tier = Tier.STANDARD,
        notice: str = "joint-statistics@1",
        said_at: datetime = NOON,
        preselected: bool = False,
        key: str | None = None,
    ) -> ConsentAct:
        grant = kind is ActKind.GRANT
        return ConsentAct(
            kind=kind,
            customer=customer,
            purpose=purpose,
            tier=tier if grant else None,
            notice=notice if grant else None,
            said_at=said_at,
            preselected=preselected,
            key=key or secrets.token_hex(8),
        )

    return build


@pytest.fixture
def question() -> Callable[..., CohortRequest]:
    def build(
        partner: str = "alster", *, purpose: str = "shared-statistics", tier: Tier = Tier.STANDARD, round_: int = 1
    ) -> CohortRequest:
        return CohortRequest(
            partner=partner,
            run="spring-1",
            round=round_,
            proposal="ab" * 32,
            purpose=purpose,
            tier=tier,
            known=NO_PREVIOUS,
            nonce=secrets.token_hex(16),
        )

    return build
