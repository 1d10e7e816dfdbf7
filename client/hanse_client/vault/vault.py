"""The vault: opens letters, decides, computes, pays, answers. Everything it does starts here."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import msgspec

from hanse_client.vault.admission import Admissions, RefusedError, WaitingForApprovalError
from hanse_client.vault.cohort_rows import CohortRows
from hanse_client.vault.consent_positions import ConsentPositions
from hanse_client.vault.operations import CohortData, Work, customer_batches, parse_work
from hanse_client.vault.policy import Policy, cohort_floor
from hanse_client.vault.round_cohorts import ConsentSource, RoundCohorts
from hanse_client.vault.run_register import Admission, RoundRecord, RunRegister
from hanse_consent.errors import ConsentRefusedError
from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger, RoundAlreadyPaidError
from hanse_privacy.protocol.letters import (
    PROTOCOL_VERSION,
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    LetterMalformedError,
    Outcome,
    ReleaseResult,
    decode,
    open_instruction,
    require_fresh,
    seal,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.randomness import RandomSource
from hanse_privacy.release import ReleaseLayout, add_noise, sum_customers

_log = logging.getLogger(__name__)

VAULT_FAILED = "VAULT_FAILED"
"""Reason code where something unforeseen went wrong inside."""
_VAULT_FAILED_EXPLANATION = "The vault failed; its owner finds the reason in its own log."


class UnsafeRandomnessError(HanseError):
    """Somebody gave a vault a source of noise that protects nobody."""

    code = "UNSAFE_RANDOMNESS"


class PartnerData(Protocol):
    """The partner's own purchases, by pseudonym."""

    def known(self, cohort: Sequence[str]) -> tuple[str, ...]:
        """Those of ``cohort`` that have rows here, sorted."""

    def catalogue_digest(self) -> str:
        """Digest of the league's catalogue that the export was read with."""

    def in_weeks_from(self, week_one: date) -> CohortData:
        """The rows with weeks numbered from the league's first day."""


@dataclass(frozen=True, kw_only=True)
class VaultParts:
    """What a vault is made of."""

    policy: Policy
    key: SigningKey
    ledger: PrivacyLedger
    register: RunRegister
    consent: ConsentSource
    positions: ConsentPositions
    data: PartnerData
    randomness: RandomSource
    clock: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class _Computed:
    """One round's noisy result, and what the partner alone may know of it."""

    result: bytes
    customers: int
    clipped: str


class Vault:
    """One partner's vault. :meth:`handle` is its only door; letters are handled one at a time.

    Raises:
        UnsafeRandomnessError: If the randomness is not cryptographic.
    """

    def __init__(self, parts: VaultParts) -> None:
        if not parts.randomness.is_secure:
            raise UnsafeRandomnessError(
                "The vault was given seeded randomness.", "Give it SystemRandomness; seeds are for benchmarks."
            )
        self._parts = parts
        self._partner = parts.policy.node.partner
        self._admissions = Admissions(
            policy=parts.policy,
            ledger=parts.ledger,
            register=parts.register,
            approvals=parts.consent,
            catalogue_digest=parts.data.catalogue_digest,
            clock=parts.clock,
        )
        self._cohorts = RoundCohorts(
            policy=parts.policy,
            consent=parts.consent,
            register=parts.register,
            positions=parts.positions,
            clock=parts.clock,
        )
        self._lock = threading.Lock()

    def handle(self, letter: bytes) -> bytes:
        """Answer one letter with an encoded :class:`CourierReply`; never raises."""
        with self._lock:
            try:
                reply = CourierReply(answer=self._answer(letter))
            except HanseError as error:
                # The letter could not be opened: there is nothing to bind a signed answer to.
                _log.warning("letter not accepted: %s", error.code)
                reply = CourierReply(failure=error.code, explanation=error.what)
            except Exception as error:  # noqa: BLE001 - whatever a stranger sent, the vault stays up and says nothing
                _log.error("letter not accepted, the vault failed: %s", type(error).__name__)
                reply = CourierReply(failure=VAULT_FAILED, explanation=_VAULT_FAILED_EXPLANATION)
            return msgspec.msgpack.encode(reply)

    def _answer(self, letter: bytes) -> bytes:
        instruction, digest = open_instruction(letter, key=self._parts.policy.centre_key)
        if instruction.recipient != self._partner or instruction.sender != self._parts.policy.pins.centre:
            raise SignatureInvalidError("The letter is not addressed to this vault.", "Look at the roster.")
        require_fresh(instruction, now=self._parts.clock())
        if not self._parts.register.remember_letter(instruction.nonce, run=instruction.run):
            raise LetterMalformedError("The letter was received before.", "A letter is answered once.")
        outcome, reason, explanation, result = Outcome.DONE, "", "", b""
        try:
            result = self._perform(instruction)
        except WaitingForApprovalError as error:
            outcome, reason, explanation = Outcome.WAITING, error.code, error.what
        except RefusedError as error:
            outcome, reason, explanation = Outcome.REFUSED, error.reason, f"{error.what} {error.mend}"
        except ConsentRefusedError as error:
            # Its words are the consent service's; only the code goes on to the centre.
            outcome, reason = Outcome.REFUSED, error.code
            explanation = f"The consent service refused ({error.refusal_code})."
        except HanseError as error:
            outcome, reason, explanation = Outcome.REFUSED, error.code, f"{error.what} {error.mend}"
        except Exception as error:  # noqa: BLE001 - fail closed, whatever it was, and tell the outside nothing of it
            _log.error("round failed inside the vault: %s", type(error).__name__)
            outcome, reason, explanation = Outcome.REFUSED, VAULT_FAILED, _VAULT_FAILED_EXPLANATION
        if outcome is Outcome.REFUSED:
            _log.warning("refused round %d of %r: %s", instruction.round, instruction.run, reason)
        return seal(
            Answer(
                protocol=PROTOCOL_VERSION,
                run=instruction.run,
                proposal=instruction.proposal,
                round=instruction.round,
                operation=instruction.operation,
                operation_version=instruction.operation_version,
                sender=self._partner,
                recipient=instruction.sender,
                instruction=digest,
                outcome=outcome,
                reason=reason,
                explanation=explanation,
                result=result,
            ),
            key=self._parts.key,
        )

    def _perform(self, instruction: Instruction) -> bytes:
        if instruction.operation == "admit" and instruction.operation_version == 1:
            self._admissions.admit(instruction, decode(instruction.parameters, AdmitParameters).signed_proposal)
            return b""
        proposal = self._admissions.admitted(instruction)
        step = proposal.step_of(instruction.round)
        if step is None:
            raise RefusedError(
                "ROUND_UNKNOWN",
                f"Run {proposal.run} has rounds 1 to {proposal.rounds}, not {instruction.round}.",
                "A run does what its proposal says.",
            )
        work = parse_work(
            step,
            operation=instruction.operation,
            version=instruction.operation_version,
            parameters=instruction.parameters,
        )
        return self._release(proposal, work, round_number=instruction.round)

    def _release(self, proposal: RunProposal, work: Work, *, round_number: int) -> bytes:
        self._require_next_round(proposal.run, round_number)
        cohort = self._cohorts.ask(proposal, work.step, round_number=round_number)
        customers = self._parts.data.known(cohort.customers)
        floor = cohort_floor(self._parts.policy, proposal)
        if len(customers) < floor:
            # Said once per run: asked again and again, it would tell when one customer comes or goes.
            self._parts.register.decide(proposal.run, Admission.ENDED)
            raise RefusedError(
                "COHORT_TOO_SMALL",
                f"{self._partner} has fewer than {floor} customers who may be used for {work.step.purpose}.",
                "Lower the proposal's floor if the partner's policy allows it, or run without this partner.",
            )
        layout = proposal.layout(work.step)
        # Paid before purchases are read: nothing unpaid ever exists in a form that may leave, and whoever makes a
        # round fail on the rows has paid for it and cannot ask it again.
        self._parts.ledger.reserve(
            layout.event, run=proposal.run, round_number=round_number, operation=work.step.operation
        )
        try:
            computed = self._compute(proposal, work, layout=layout, customers=customers)
        except Exception as error:
            # What fails on the rows may know them: nothing of it is passed on.
            _log.error("round %d of %r failed on the rows: %s", round_number, proposal.run, type(error).__name__)
            raise RefusedError(
                "ROUND_FAILED",
                "The round failed after it was paid for.",
                "The partner's owner finds the reason in the vault's own log.",
            ) from error
        # Whoever keeps this report from arriving keeps the answer from leaving. Paid stays paid: the rows were read.
        report = self._cohorts.report(cohort, customers)
        self._parts.register.record_round(
            RoundRecord(
                run=proposal.run,
                round=round_number,
                manifest_position=cohort.manifest.position,
                manifest_root=cohort.manifest.root,
                loaded_root=report.loaded_root,
                customers=computed.customers,
                clipped=computed.clipped,
            )
        )
        return computed.result

    def _compute(
        self, proposal: RunProposal, work: Work, *, layout: ReleaseLayout, customers: Sequence[str]
    ) -> _Computed:
        data = CohortRows(self._parts.data.in_weeks_from(proposal.week_one), cohort=customers)
        exact = sum_customers(layout, customer_batches(work, data=data, cohort=customers))
        vector = add_noise(layout, exact, source=self._parts.randomness)
        return _Computed(
            result=msgspec.msgpack.encode(ReleaseResult(vector=vector.astype("<i8").tobytes())),
            customers=exact.customers,
            clipped=", ".join(f"{name} {count}" for name, count in exact.clipped.items())
            + f", rounded toward zero {exact.refitted}",
        )

    def _require_next_round(self, run: str, round_number: int) -> None:
        paid = [entry.round for entry in self._parts.ledger.entries() if entry.run == run]
        if round_number in paid:
            raise RoundAlreadyPaidError(
                f"Round {round_number} of run {run} was answered before.", "A round is answered once; start a new run."
            )
        expected = max(paid, default=0) + 1
        if round_number != expected:
            raise RefusedError(
                "ROUND_OUT_OF_ORDER",
                f"Round {expected} of run {run} comes next, not {round_number}.",
                "Start a new run.",
            )
