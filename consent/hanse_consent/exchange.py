"""One HTTP exchange with an end: a total deadline and a largest answer, whatever the other side does.

The time-outs of HTTP libraries start anew with every byte, so that a server that drips could hold a
vault for ever. Here the whole exchange runs in an event loop of its own and is cancelled in time.
"""

import asyncio
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

import httpx

from hanse_consent.errors import ConsentAnswerInvalidError, ConsentUnavailableError
from hanse_privacy.validation import require, require_positive

_GRACE_S = 0.5
"""Beyond the deadline, for what cannot be cancelled, such as a name look-up."""
_BROKEN_OFF = ("disconnected", "peer closed")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status and body of an HTTP answer."""

    status: int
    body: bytes


class Exchange:
    """Sends requests to one address.

    Args:
        base_url: ``http://`` or ``https://``, host and port.
        timeout_s: Seconds for a whole exchange: connecting, sending, receiving.
        max_answer_bytes: Longest answer that is read.
    """

    def __init__(self, *, base_url: str, timeout_s: float, max_answer_bytes: int) -> None:
        require(
            base_url.startswith(("http://", "https://")), name="base_url", value=base_url, bound="an http or https URL"
        )
        require_positive(timeout_s=timeout_s, max_answer_bytes=max_answer_bytes)
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._max_answer_bytes = max_answer_bytes
        self._certificates = ssl.create_default_context()

    def post(self, path: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a POST and return the whole answer.

        Raises:
            ConsentUnavailableError: If there was no complete answer within the deadline.
            ConsentAnswerInvalidError: If the answer is not HTTP, or too long.
        """
        return self._whole("POST", path, body=body, headers={**headers, "content-type": "application/json"})

    def get(self, path: str, *, headers: Mapping[str, str]) -> Answer:
        """Send a GET and return the whole answer.

        Raises:
            ConsentUnavailableError: If there was no complete answer within the deadline.
            ConsentAnswerInvalidError: If the answer is not HTTP, or too long.
        """
        return self._whole("GET", path, body=b"", headers=headers)

    def delete(self, path: str, *, headers: Mapping[str, str]) -> Answer:
        """Send a DELETE and return the whole answer.

        Raises:
            ConsentUnavailableError: If there was no complete answer within the deadline.
            ConsentAnswerInvalidError: If the answer is not HTTP, or too long.
        """
        return self._whole("DELETE", path, body=b"", headers=headers)

    def _whole(self, method: str, path: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        outcome: Future[Answer] = Future()

        def run() -> None:
            try:
                outcome.set_result(asyncio.run(self._send(method, path, body=body, headers=headers)))
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
                outcome.set_exception(error)

        threading.Thread(target=run, name="consent-exchange", daemon=True).start()
        try:
            return outcome.result(timeout=self._timeout_s + _GRACE_S)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ConsentUnavailableError(
                f"The consent service gave no complete answer within {self._timeout_s:g} seconds.",
                "Look after the service and the network; nobody may be used until it answers.",
            ) from error
        except httpx.RemoteProtocolError as error:
            if any(words in str(error) for words in _BROKEN_OFF):
                raise _unreachable(error) from error
            raise ConsentAnswerInvalidError(
                "What answers at the consent service's address does not speak HTTP.",
                "Check the address and the port in the configuration.",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _unreachable(error) from error

    async def _send(self, method: str, path: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        sent_headers = {**headers, "accept-encoding": "identity"}
        # No proxy or certificate settings from the environment: what the configuration says, holds.
        client = httpx.AsyncClient(verify=self._certificates, trust_env=False, timeout=self._timeout_s)
        async with asyncio.timeout(self._timeout_s), client:
            url = self._base_url + path
            async with client.stream(method, url, content=body, headers=sent_headers) as response:
                received = bytearray()
                async for some in response.aiter_raw():
                    received += some
                    if len(received) > self._max_answer_bytes:
                        raise ConsentAnswerInvalidError(
                            f"The answer is longer than {self._max_answer_bytes} bytes.",
                            "Check the address; a service with more customers needs a larger limit here.",
                        )
                return Answer(status=response.status_code, body=bytes(received))


def _unreachable(error: Exception) -> ConsentUnavailableError:
    untrusted = _untrusted_certificate(error)
    if untrusted is not None:
        return ConsentUnavailableError(
            f"What answers at the consent service's address has no certificate that is trusted ({untrusted}).",
            "Check the address; the certificate must be of an authority that this machine trusts. Nothing was sent.",
        )
    return ConsentUnavailableError(
        f"The consent service cannot be reached ({type(error).__name__}).",
        "Start it, or mend the address in the configuration; nobody may be used until it answers.",
    )


def _untrusted_certificate(error: BaseException) -> str | None:
    """Why a certificate was not believed, in OpenSSL's words; none if it is not about that."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        cause = cause.__cause__ or cause.__context__
    return None
