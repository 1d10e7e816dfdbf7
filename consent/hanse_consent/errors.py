"""What can go wrong in a consent service, each with a stable code and, where it answers HTTP, a status."""

from http import HTTPStatus
from typing import ClassVar

from hanse_privacy.errors import HanseError


class ConsentConfigurationError(HanseError):
    """A configuration, purposes or notices file is missing or not valid."""

    code = "CONSENT_CONFIGURATION"
    exit_code = 2


class NoticeChangedError(HanseError):
    """A notice differs from what was registered under the same version: people agreed to the old text."""

    code = "NOTICE_CHANGED"
    exit_code = 2


class PurposeWidenedError(HanseError):
    """A purpose asks for more data than when it was registered: people agreed to less."""

    code = "PURPOSE_WIDENED"
    exit_code = 2


class ListenAddressError(HanseError):
    """The service cannot listen where it was told to."""

    code = "LISTEN_ADDRESS"
    exit_code = 2


class StoreUnavailableError(HanseError):
    """The consent store cannot be read or written; nothing was changed."""

    code = "STORE_UNAVAILABLE"


class ConsentRefusal(HanseError):  # noqa: N818 - a refusal is an answer of the service, not a fault in it
    """The service refuses a request; nothing was changed and nothing issued."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    """HTTP status of the answer."""


class PurposeUnknownError(ConsentRefusal):
    """The purpose is not registered, or no longer in force."""

    code = "PURPOSE_UNKNOWN"


class TierNotOfferedError(ConsentRefusal):
    """The purpose does not exist at this tier."""

    code = "TIER_NOT_OFFERED"


class NoticeUnknownError(ConsentRefusal):
    """A grant cites a notice that is not registered."""

    code = "NOTICE_UNKNOWN"


class NoticeDoesNotExplainError(ConsentRefusal):
    """A grant cites a notice that says nothing about its purpose."""

    code = "NOTICE_DOES_NOT_EXPLAIN"


class PreselectedConsentError(ConsentRefusal):
    """A box that was ticked beforehand is no consent (GDPR recital 32; CJEU C-673/17)."""

    code = "PRESELECTED_CONSENT"


class SaidInFutureError(ConsentRefusal):
    """An act claims to have been said later than now."""

    code = "SAID_IN_FUTURE"


class KeyReusedError(ConsentRefusal):
    """An idempotency key already names another act."""

    code = "KEY_REUSED"
    status = HTTPStatus.CONFLICT


class RequestReplayedError(ConsentRefusal):
    """A signed request was seen before."""

    code = "REQUEST_REPLAYED"
    status = HTTPStatus.CONFLICT


class PartnerMismatchError(ConsentRefusal):
    """A partner asks for another partner's customers."""

    code = "PARTNER_MISMATCH"
    status = HTTPStatus.FORBIDDEN


class BodyInvalidError(ConsentRefusal):
    """The body is not the document that this address expects."""

    code = "BODY_INVALID"
    status = HTTPStatus.BAD_REQUEST


class BodyTooLargeError(ConsentRefusal):
    """The body is longer than this address accepts."""

    code = "BODY_TOO_LARGE"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooSlowError(ConsentRefusal):
    """The body did not arrive in time."""

    code = "BODY_TOO_SLOW"
    status = HTTPStatus.REQUEST_TIMEOUT


class PositionNotReachedError(ConsentRefusal):
    """The store has not seen the position that the caller has: it may be an older copy."""

    code = "POSITION_NOT_REACHED"
    status = HTTPStatus.CONFLICT


class MomentInFutureError(ConsentRefusal):
    """A past moment was asked about that has not come."""

    code = "MOMENT_IN_FUTURE"


class MomentBeforeStartError(ConsentRefusal):
    """A moment was asked about at which the service had nothing registered: no rule could be applied."""

    code = "MOMENT_BEFORE_START"


class NothingRecordedError(ConsentRefusal):
    """Nothing is recorded of the customer at this controller; the same answer as for one who does not exist."""

    code = "NOTHING_RECORDED"
    status = HTTPStatus.NOT_FOUND


class ConsentUnavailableError(HanseError):
    """The consent service did not answer in time, or not at all: nobody may be used."""

    code = "CONSENT_UNAVAILABLE"


class ConsentAnswerInvalidError(HanseError):
    """What answered is not the consent service's valid answer to this question: nobody may be used."""

    code = "CONSENT_ANSWER_INVALID"


class ConsentRefusedError(HanseError):
    """The consent service refused; its own code and words are kept.

    Args:
        what: One sentence: what was refused.
        mend: What the reader can do.
        status: HTTP status of the refusal.
        refusal_code: The service's stable code, such as ``TIER_NOT_OFFERED``.
        refusal_detail: The service's sentence.
    """

    code = "CONSENT_REFUSED"

    def __init__(self, what: str, mend: str, *, status: int, refusal_code: str, refusal_detail: str) -> None:
        super().__init__(what, mend)
        self.status = status
        self.refusal_code = refusal_code
        self.refusal_detail = refusal_detail
