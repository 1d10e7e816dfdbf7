"""Something that answers HTTP on the consent service's port, and what the service's own key can sign for it."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hanse_privacy.identity import SigningKey
from hanse_privacy.merkle import leaf_hash, leaf_hashes, root_of
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.cohort import CohortAnswer, encode_answer
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt
from hanse_privacy.protocol.manifest import CohortManifest

# A person is asked (the south's policy says so).


@dataclass
class Impostor:
    """Answers HTTP on the consent service's port with whatever a test puts in."""

    approving: SigningKey
    """Signs approvals and takes budgets: this is about manifests, and runs are to be admitted."""
    receipt: Callable[[BudgetReceipt, SigningKey], bytes] = lambda receipt, key: receipt.sign(key)
    answer: Callable[[dict[str, Any]], bytes] = lambda question: b""
    asked: list[dict[str, Any]] = field(default_factory=list)
    pause_s: float = 0.0
    """Between one byte and the next; 0 sends all at once."""

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    question = _question(connection)
                    if set(question) == set(ApprovalRequest.model_fields):
                        connection.sendall(http(approval(question).sign(self.approving)))
                        continue
                    if set(question.get("document", ())) == set(BudgetReport.model_fields):
                        connection.sendall(http(self.receipt(receipt(question["document"]), self.approving)))
                        continue
                    self.asked.append(question)
                    self._send(connection, self.answer(question))
                except OSError:
                    continue

    def _send(self, connection: socket.socket, data: bytes) -> None:
        if not self.pause_s:
            connection.sendall(data)
            return
        for place in range(len(data)):
            connection.sendall(data[place : place + 1])
            time.sleep(self.pause_s)


def _question(connection: socket.socket) -> dict[str, Any]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    loaded: dict[str, Any] = json.loads(body)
    return loaded


def http(body: bytes, *, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    ).encode() + body


def approval(question: dict[str, Any]) -> RunApproval:
    now = datetime.now(tz=UTC)
    fields = {
        "approved_by": ["officer-north"],
        "approved_at": now.isoformat(),
        "high_risk": False,
        "registry_version": 1,
        "pack_versions": {},
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(days=1)).isoformat(),
    }
    return RunApproval.parse(question | fields)


def receipt(document: dict[str, Any]) -> BudgetReceipt:
    report = BudgetReport.parse(document)
    return BudgetReceipt(
        partner=report.partner,
        report=report.digest,
        received_at=datetime.now(tz=UTC),
        outcome=BudgetOutcome.TAKEN,
        last_position=None,
    )


def manifest(question: dict[str, Any], customers: tuple[str, ...], *, key: SigningKey, **changes: Any) -> bytes:
    """What the consent service answers, with salts of zeros."""
    now = datetime.now(tz=UTC)
    rows = [bytes(16) + bytes.fromhex(customer) for customer in customers]
    members = b"".join(sorted(rows, key=leaf_hash))
    fields: dict[str, Any] = {
        **question,
        "position": 1,
        "registry_version": 1,
        "pack_versions": {"gdpr": "1"},
        "notice_versions": ["churn-model@1"],
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(minutes=5)).isoformat(),
        "leaf_algorithm": "blake2b-128+sha-256",
        "count": len(customers),
        "root": root_of(leaf_hashes(members, width=32)).hex(),
        "excluded_by_reason": {},
        "previous": "0" * 64,
    }
    signed = CohortManifest.parse(fields | changes).sign(key)
    return encode_answer(CohortAnswer(manifest=signed, missed=(), members=members))
