"""The vault: opens letters, decides, computes, pays, answers. Everything it does starts here."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from hanse_client.vault.admission import Admissions, RefusedError, WaitingForApprovalError
from hanse_client.vault.budget import BudgetReader
from hanse_client.vault.budget_reports import BudgetReports
from hanse_client.vault.consent_positions import ConsentPositions
from hanse_client.vault.masked_sums import MaskedSums
from hanse_client.vault.policy import Policy
from hanse_client.vault.round_cohorts import ConsentSource, RoundCohorts
from hanse_client.vault.rounds import PartnerData, Rounds
from hanse_client.vault.run_register import RunRegister
from hanse_client.vault.sum_register import SumRegister
from hanse_consent.errors import ConsentRefusedError
from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.protocol.ledger_statement import LedgerStatement, sign_statement
from hanse_privacy.protocol.letters import (
    PROTOCOL_VERSION,
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    KeyResult,
    LetterMalformedError,
    MaskedResult,
    Outcome,
    decode,
    open_instruction,
    require_fresh,
    seal,
)
from hanse_privacy.randomness import RandomSource

_log = logging.getLogger(__name__)

VAULT_FAILED = "VAULT_FAILED"
"""Reason code where something unforeseen went wrong inside."""
_VAULT_FAILED_EXPLANATION = "The vault failed; its owner finds the reason in its own log."


class UnsafeRandomnessError(HanseError):
    """Somebody gave a vault a source of noise that protects nobody."""

    code = "UNSAFE_RANDOMNESS"


@dataclass(frozen=True, kw_only=True)
class VaultParts:
    """What a vault is made of."""

    policy: Policy
    key: SigningKey
    ledger: PrivacyLedger
    register: RunRegister
    sums: SumRegister
    consent: ConsentSource
    positions: ConsentPositions
    data: PartnerData
    randomness: RandomSource
    clock: Callable[[], datetime]


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
        self._budget = BudgetReports(
            reader=BudgetReader(policy=parts.policy, ledger=parts.ledger, register=parts.register, clock=parts.clock),
            service=parts.consent,
        )
        self._admissions = Admissions(
            policy=parts.policy,
            ledger=parts.ledger,
            register=parts.register,
            approvals=parts.consent,
            catalogue_digest=parts.data.catalogue_digest,
            known_groups=parts.data.groups,
            budget=self._budget,
            clock=parts.clock,
        )
        self._sums = MaskedSums(partner=self._partner, key=parts.key, register=parts.sums, clock=parts.clock)
        self._rounds = Rounds(
            policy=parts.policy,
            ledger=parts.ledger,
            register=parts.register,
            sums=self._sums,
            cohorts=RoundCohorts(
                policy=parts.policy,
                consent=parts.consent,
                register=parts.register,
                positions=parts.positions,
                clock=parts.clock,
            ),
            budget=self._budget,
            data=parts.data,
            randomness=parts.randomness,
        )
        self._lock = threading.Lock()
        self._sums.forget_expired()

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

    def report_budget(self) -> None:
        """Tell the consent service how the budget stands.

        Raises:
            LedgerUnusableError: If the service was told of a newer ledger before.
            HanseError: If it cannot be told; the next run tries again.
        """
        with self._lock:
            self._budget.report()

    def _answer(self, letter: bytes) -> bytes:
        instruction, digest = open_instruction(letter, key=self._parts.policy.centre_key)
        if instruction.recipient != self._partner or instruction.sender != self._parts.policy.pins.centre:
            raise SignatureInvalidError("The letter is not addressed to this vault.", "Look at the roster.")
        require_fresh(instruction, now=self._parts.clock())
        self._sums.forget_expired()
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
            admitted = self._admissions.admit(instruction, decode(instruction.parameters, AdmitParameters))
            message = self._sums.key_message(admitted.identity, expires_at=admitted.expires_at)
            return msgspec.msgpack.encode(KeyResult(session_key=message, ledger_statement=self._statement()))
        masked = self._rounds.answer(self._admissions.admitted(instruction), instruction)
        return msgspec.msgpack.encode(MaskedResult(masked=masked, ledger_statement=self._statement()))

    def _statement(self) -> bytes:
        """How far the ledger goes, for the centre to show back: an older copy of it is then known as one."""
        end = self._parts.ledger.end()
        return sign_statement(
            LedgerStatement(partner=self._partner, position=end.position, head=end.head), key=self._parts.key
        )
