"""Asking the consent service, and believing only what it signed, for this question, in time.

Imports no web framework and no database, so that a vault can use it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hanse_consent.domain.acts import MAX_ACTS_PER_BATCH, ActBatch, ActReceipt, ConsentAct
from hanse_consent.errors import ConsentAnswerInvalidError
from hanse_consent.exchange import Exchange
from hanse_consent.refusals import accepted_body
from hanse_consent.runs.standing import RunOutcome, RunReport
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval, SignedApproval
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.cohort import Cohort, CohortOpeningError, decode_answer
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetReceipt, LedgerReport
from hanse_privacy.protocol.manifest import CohortManifest, CohortReceipt, CohortReport, CohortRequest
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE, HttpRequest, sign_request
from hanse_privacy.validation import require

_Document = TypeVar("_Document", bound=Document)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ConsentClient:
    """A partner's line to its consent service. May be used from several threads.

    Args:
        base_url: Where the service listens, such as ``http://127.0.0.1:8420``.
        party: The partner's name at the service.
        key: The partner's own key; it signs every request.
        service_key: The service's public key, pinned: its answers are verified with it, and requests signed for it.
        timeout_s: Seconds for a whole exchange, however slowly the other side drips.
        max_answer_bytes: Longest answer that is read; 64 MiB hold 1.5 million customers.
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

    def cohort_manifest(self, request: CohortRequest) -> Cohort:
        """Ask which of the partner's customers a round may use; verify the manifest and every member of it.

        Whether it continues the chain of the run's manifests is for the asker to see, who knows what it asked before.

        Raises:
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If anything in the answer is not signed by the pinned key, or it answers another
                question, is stale or has expired, or came with other members than it was signed for.
            ConsentRefusedError: If the service refused.
        """
        asked_at = self._now()
        body = self._post("/v1/cohort-manifests", request)
        try:
            answer = decode_answer(body)
            manifest = CohortManifest.verify(answer.manifest, key=self._service_key)
            missed = tuple(CohortManifest.verify(signed, key=self._service_key) for signed in answer.missed)
        except (SignatureInvalidError, InvalidValueError, CohortOpeningError) as error:
            raise ConsentAnswerInvalidError(f"The answer is no valid manifest: {error.what}", error.mend) from error
        _require_answer_to(request, manifest)
        _require_timely(manifest, asked_at=asked_at, now=self._now())
        try:
            return Cohort(manifest, members=answer.members, missed=missed)
        except CohortOpeningError as error:
            raise ConsentAnswerInvalidError(error.what, error.mend) from error

    def report_cohort(self, report: CohortReport) -> CohortReceipt:
        """Say what was loaded of a cohort. Unless this returns, nothing of the round may leave.

        Raises:
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If the answer is no receipt for this report, signed by the pinned key.
            ConsentRefusedError: If the service refused: the run is flagged.
        """
        receipt = self._signed(CohortReceipt, self._post("/v1/cohort-reports", report), name="receipt")
        if (receipt.manifest, receipt.loaded_root) != (report.manifest, report.loaded_root):
            raise ConsentAnswerInvalidError(
                "The receipt is for another report.", "It may be replayed from another round; look after the network."
            )
        return receipt

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        """Say how the partner's privacy budget stands. Unless it is taken, nothing may be released.

        Raises:
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If the answer is no receipt for this report, signed by the pinned key.
            ConsentRefusedError: If the service refused.

        Returns:
            The receipt; its outcome says whether the report was taken.
        """
        return self._budget_receipt("/v1/budget-reports", report)

    def report_league_budget(self, report: LeagueBudgetReport) -> BudgetReceipt:
        """As a centre: say how the league's budget stands for a partner of the service. As :meth:`report_budget`."""
        return self._budget_receipt("/v1/league-budget-reports", report)

    def _budget_receipt(self, path: str, report: LedgerReport) -> BudgetReceipt:
        receipt = self._signed(BudgetReceipt, self._send("POST", path, report.sign(self._key)), name="receipt")
        if (receipt.partner, receipt.report) != (report.partner, report.digest):
            raise ConsentAnswerInvalidError(
                "The receipt is for another report.", "It may be replayed from an earlier one; look after the network."
            )
        return receipt

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

    def run_approval(self, request: ApprovalRequest) -> SignedApproval:
        """Ask whether the partner's officers have approved a run.

        Raises:
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If the answer is not signed by the pinned key, answers another
                question, or has expired.
            ConsentRefusedError: If there is no approval; its code says why.
        """
        body = self._post("/v1/run-approvals", request)
        approval = self._signed(RunApproval, body, name="approval")
        differing = [name for name in ApprovalRequest.model_fields if getattr(approval, name) != getattr(request, name)]
        if differing:
            raise ConsentAnswerInvalidError(
                f"The approval answers another question: it differs in {', '.join(differing)}.",
                "It may be replayed from another run; look after the network.",
            )
        now = self._now()
        if approval.expires_at <= now or abs(now - approval.issued_at) > TIME_TOLERANCE:
            raise ConsentAnswerInvalidError(
                f"The approval was issued at {approval.issued_at.isoformat()} and ends at"
                f" {approval.expires_at.isoformat()}: it is not of now.",
                "Set both clocks right (NTP) and ask again.",
            )
        return SignedApproval(approval=approval, signed=body)

    def submit_run(self, signed_proposal: bytes) -> RunReport:
        """As a centre: submit a proposal for approval; sent again, it only says where the run stands.

        Raises:
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If the answer is no report.
            ConsentRefusedError: If the service refused to take the proposal in.
        """
        return _run_report(self._send("POST", "/v1/runs", signed_proposal))

    def run_state(self, run: str) -> RunReport:
        """As a centre: ask where a run stands at every controller of the service. Errors as :meth:`submit_run`."""
        return _run_report(self._send("GET", f"/v1/runs/{run}/report", b""))

    def record_outcome(self, run: str, outcome: RunOutcome) -> RunReport:
        """As a centre: say what became of a run. Errors as :meth:`submit_run`."""
        return _run_report(self._post(f"/v1/runs/{run}/outcome", outcome))

    def _signed(self, kind: type[_Document], body: bytes, *, name: str) -> _Document:
        """What the service signed, or an error that calls it by its name."""
        try:
            return kind.verify(body, key=self._service_key)
        except (SignatureInvalidError, InvalidValueError) as error:
            raise ConsentAnswerInvalidError(f"The answer is no valid {name}: {error.what}", error.mend) from error

    def _post(self, path: str, document: BaseModel) -> bytes:
        return self._send("POST", path, document.model_dump_json(exclude_none=True).encode())

    def _send(self, method: str, path: str, body: bytes) -> bytes:
        signed = HttpRequest(method=method, path=path, body=body)
        headers = sign_request(signed, party=self._party, key=self._key, receiver=self._service_key, now=self._now())
        if method == "GET":
            answer = self._exchange.get(path, headers=headers)
        else:
            answer = self._exchange.post(path, body=body, headers=headers)
        return accepted_body(answer)


def _require_answer_to(request: CohortRequest, manifest: CohortManifest) -> None:
    differing = [name for name in CohortRequest.model_fields if getattr(manifest, name) != getattr(request, name)]
    if differing:
        raise ConsentAnswerInvalidError(
            f"The manifest answers another question: it differs in {', '.join(differing)}.",
            "It may be replayed from another round; look after the network.",
        )


def _require_timely(manifest: CohortManifest, *, asked_at: datetime, now: datetime) -> None:
    if manifest.expires_at <= now:
        raise ConsentAnswerInvalidError(
            f"The manifest expired at {manifest.expires_at.isoformat()}.", "Set both clocks right (NTP) and ask again."
        )
    # It answers a fresh nonce, so it was issued after the question; the rest is what the clocks may differ by.
    if not asked_at - TIME_TOLERANCE <= manifest.issued_at <= now + TIME_TOLERANCE:
        raise ConsentAnswerInvalidError(
            f"The manifest claims to be issued at {manifest.issued_at.isoformat()}, and was asked for at"
            f" {asked_at.isoformat()}.",
            "Set both clocks right (NTP) and ask again.",
        )


def _run_report(body: bytes) -> RunReport:
    try:
        return RunReport.model_validate_json(body)
    except ValidationError as error:
        raise ConsentAnswerInvalidError(
            "The answer does not say where the run stands.", "Check the service's address and ask again."
        ) from error
