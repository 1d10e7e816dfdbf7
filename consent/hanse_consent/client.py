"""Asking the consent service, and believing only what it signed, for this question, in time.

Imports no web framework and no database, so that a vault can use it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

from pydantic import BaseModel, Field, ValidationError

from hanse_consent.acts import MAX_ACTS_PER_BATCH, ActBatch, ActReceipt, ConsentAct
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_consent.exchange import Exchange
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.manifest import CohortManifest, CohortRequest
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE, HttpRequest, sign_request
from hanse_privacy.validation import require

_PLAIN_TEXT = r"^[^\x00-\x1f\x7f]*$"


class _Refusal(BaseModel):
    """The part of a problem document that is shown: bounded, because a stranger may have written it."""

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")
    detail: str = Field(max_length=1000, pattern=_PLAIN_TEXT)
    mend: str = Field(max_length=1000, pattern=_PLAIN_TEXT)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ConsentClient:
    """A partner's line to its consent service. May be used from several threads.

    Args:
        base_url: Where the service listens, such as ``http://127.0.0.1:8420``.
        party: The partner's name at the service.
        key: The partner's own key; it signs every request.
        service_key: The service's public key, pinned.
        timeout_s: Seconds for a whole exchange, however slowly the other side drips.
        max_answer_bytes: Longest answer that is read; 64 MiB hold 1.9 million customers.
        now: The partner's clock.
    """

    def __init__(
        self,
        base_url: str,
        party: str,
        key: SigningKey,
        service_key: PublicKey,
        timeout_s: float = 10.0,
        *,
        max_answer_bytes: int = 64 * 1024 * 1024,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._exchange = Exchange(base_url=base_url, timeout_s=timeout_s, max_answer_bytes=max_answer_bytes)
        self._party = party
        self._key = key
        self._service_key = service_key
        self._now = now

    def cohort_manifest(self, request: CohortRequest) -> CohortManifest:
        """Ask which of the partner's customers a round may use.

        Raises:
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If the answer is not signed by the pinned key, answers another
                question, or has expired.
            ConsentRefusedError: If the service refused.
        """
        body = self._post("/v1/cohort-manifests", request)
        try:
            manifest = CohortManifest.verify(body, key=self._service_key)
        except (SignatureInvalidError, InvalidValueError) as error:
            raise ConsentAnswerInvalidError(f"The answer is no valid manifest: {error.what}", error.mend) from error
        differing = [name for name in CohortRequest.model_fields if getattr(manifest, name) != getattr(request, name)]
        if differing:
            raise ConsentAnswerInvalidError(
                f"The manifest answers another question: it differs in {', '.join(differing)}.",
                "It may be replayed from another round; look after the network.",
            )
        now = self._now()
        if manifest.expires_at <= now:
            raise ConsentAnswerInvalidError(
                f"The manifest expired at {manifest.expires_at.isoformat()}.",
                "Set both clocks right (NTP) and ask again.",
            )
        if manifest.issued_at > now + TIME_TOLERANCE:
            raise ConsentAnswerInvalidError(
                f"The manifest claims to be issued at {manifest.issued_at.isoformat()}, in the future.",
                "Set both clocks right (NTP) and ask again.",
            )
        return manifest

    def record_acts(self, acts: Sequence[ConsentAct]) -> int:
        """Record grants and withdrawals, all or none; return the store's position at which they stand.

        After any error but a refusal it is unknown whether they were recorded: send them again, under
        the same keys.

        Raises:
            InvalidValueError: If there are no acts, or more than 10,000.
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If the answer is no receipt.
            ConsentRefusedError: If the service refused; nothing was recorded.
        """
        require(
            1 <= len(acts) <= MAX_ACTS_PER_BATCH,
            name="the number of acts",
            value=len(acts),
            bound=f"1 to {MAX_ACTS_PER_BATCH}",
        )
        body = self._post("/v1/acts", ActBatch(acts=tuple(acts)))
        try:
            return ActReceipt.model_validate_json(body).position
        except ValidationError as error:
            raise ConsentAnswerInvalidError(
                "The answer is no receipt for the acts.", "Check the service's address and send the acts again."
            ) from error

    def _post(self, path: str, document: BaseModel) -> bytes:
        body = document.model_dump_json(exclude_none=True).encode()
        signed = HttpRequest(method="POST", path=path, body=body)
        headers = sign_request(signed, party=self._party, key=self._key, now=self._now())
        answer = self._exchange.post(path, body=body, headers=headers)
        if answer.status == HTTPStatus.OK:
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
        raise _refusal(answer.status, answer.body)


def _refusal(status: int, body: bytes) -> ConsentRefusedError:
    try:
        refusal = _Refusal.model_validate_json(body)
    except ValidationError as error:
        raise ConsentAnswerInvalidError(
            f"The answer has the HTTP status {status} and is no answer of a consent service.",
            "Check the service's address.",
        ) from error
    return ConsentRefusedError(
        f"The consent service refused ({refusal.code}): {refusal.detail}",
        refusal.mend,
        status=status,
        refusal_code=refusal.code,
        refusal_detail=refusal.detail,
    )
