"""Acts of customers who may be used, until they withdraw: what small stores are filled with."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from consent.world import ASKED, EXCHANGE, FACE
from hanse_consent.domain.acts import ActKind, Age, ConsentAct, SeparateConsent, SeparateMatter
from hanse_privacy.protocol.vocabulary import Tier

_LONG_AGO = timedelta(days=20)
_NOTICE = "terms@3"


def profile(customer: str, at: datetime) -> ConsentAct:
    """An adult in Germany."""
    return ConsentAct(
        kind=ActKind.PROFILE,
        customer=customer,
        said_at=at - _LONG_AGO,
        key=secrets.token_hex(12),
        country="DE",
        age=Age(adult=True),
    )


def grant(customer: str, at: datetime, *, tier: Tier = Tier.ADVANCED) -> ConsentAct:
    """Yes to the purpose asked about, expressly."""
    return ConsentAct(
        kind=ActKind.GRANT,
        customer=customer,
        said_at=at - _LONG_AGO,
        key=secrets.token_hex(12),
        purpose=ASKED,
        tier=tier,
        notice=_NOTICE,
        language="en",
        explicit=True,
    )


def abroad(customer: str, at: datetime) -> ConsentAct:
    """Yes to the recipient abroad, expressly."""
    return _separate(customer, at, SeparateConsent(matter=SeparateMatter.ABROAD, subject=EXCHANGE))


def face(customer: str, at: datetime) -> ConsentAct:
    """Yes to the use of faces, expressly."""
    return _separate(customer, at, SeparateConsent(matter=SeparateMatter.SENSITIVE_CATEGORY, subject=FACE))


def _separate(customer: str, at: datetime, about: SeparateConsent) -> ConsentAct:
    return ConsentAct(
        kind=ActKind.SEPARATE_GRANT,
        customer=customer,
        said_at=at - _LONG_AGO,
        key=secrets.token_hex(12),
        separate=about,
        notice=_NOTICE,
        language="en",
        explicit=True,
    )


def withdrawal(customer: str, at: datetime) -> ConsentAct:
    """No more, from this moment on; of the purpose above, which reaches it, too."""
    return ConsentAct(
        kind=ActKind.WITHDRAWAL, customer=customer, said_at=at, key=secrets.token_hex(12), purpose="models"
    )


def batch_body(acts: Sequence[ConsentAct]) -> bytes:
    """The body that records acts."""
    return json.dumps({"acts": [act.model_dump(mode="json", exclude_defaults=True) for act in acts]}).encode()
