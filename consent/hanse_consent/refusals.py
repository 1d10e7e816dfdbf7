"""What a consent service's HTTP answer comes to: the body that was hoped for, its refusal, or nothing to believe."""

from http import HTTPStatus

from pydantic import BaseModel, Field, ValidationError

from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_consent.exchange import Answer

_PLAIN_TEXT = r"^[^\x00-\x1f\x7f]*$"


class _Refusal(BaseModel):
    """The part of a problem document that is shown: bounded, because a stranger may have written it."""

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")
    detail: str = Field(max_length=1000, pattern=_PLAIN_TEXT)
    mend: str = Field(max_length=1000, pattern=_PLAIN_TEXT)


def accepted_body(answer: Answer, *, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    """The body of an answer that has the one status of success.

    Raises:
        ConsentUnavailableError: If the service failed.
        ConsentRefusedError: If it refused.
        ConsentAnswerInvalidError: If it is no answer of a consent service.
    """
    if answer.status == status:
        return answer.body
    if 500 <= answer.status <= 599:
        raise ConsentUnavailableError(
            f"The consent service failed (HTTP {answer.status}).",
            "Read the service's log; nobody may be used until it answers.",
        )
    if not 400 <= answer.status <= 499:
        raise ConsentAnswerInvalidError(
            f"The answer has the HTTP status {answer.status}, which the consent service never sends.",
            "Check the service's address.",
        )
    raise _refusal(answer)


def _refusal(answer: Answer) -> ConsentRefusedError:
    try:
        refusal = _Refusal.model_validate_json(answer.body)
    except ValidationError as error:
        raise ConsentAnswerInvalidError(
            f"The answer has the HTTP status {answer.status} and is no answer of a consent service.",
            "Check the service's address.",
        ) from error
    return ConsentRefusedError(
        f"The consent service refused ({refusal.code}): {refusal.detail}",
        refusal.mend,
        status=answer.status,
        refusal_code=refusal.code,
        refusal_detail=refusal.detail,
    )
