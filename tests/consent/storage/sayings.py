"""Short ways to say an act."""

import secrets
from datetime import UTC, datetime

from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_privacy.protocol.vocabulary import Tier

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SERVER = "postgresql://postgres@127.0.0.1:5432"


def pseudonym(number: int) -> str:
    return f"{number:032x}"


def say(kind: ActKind = ActKind.GRANT, customer: int = 1, **fields: object) -> ConsentAct:
    """An act; a grant that names nothing is an ordinary one, said at noon."""
    values: dict[str, object] = {
        "kind": kind,
        "customer": pseudonym(customer),
        "said_at": NOON,
        "key": secrets.token_hex(8),
    }
    if kind in (ActKind.GRANT, ActKind.RENEWAL):
        values |= {"purpose": "statistics", "tier": Tier.STANDARD, "notice": "all@1"}
    return ConsentAct.model_validate(values | fields)
