"""The vault's part in secure aggregation: its key for a run, and one masked vector for each attempt."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hanse_client.vault.admission import RefusedError
from hanse_client.vault.sum_register import KeptSessionKey, SumRegister
from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.ring import Ring
from hanse_privacy.aggregation.session_keys import RunIdentity, SessionKey, verified_keys
from hanse_privacy.aggregation.vault_side import SumRefusedError, digest_of_keys
from hanse_privacy.identity import SigningKey


@dataclass(frozen=True, kw_only=True, repr=False)
class PreparedAttempt:
    """An attempt that may be answered, and with whom.

    Args:
        identity: The run.
        attempt: The attempt.
        keys: Digest of all vaults' key messages.
        pair_secrets: One for each other vault.
        repeated: The bytes that were sent for it before; none if it is new.
    """

    identity: RunIdentity
    attempt: Attempt
    keys: str
    pair_secrets: Mapping[str, bytes]
    repeated: bytes | None


@dataclass(frozen=True, kw_only=True)
class MaskedSums:
    """Prepares and finishes attempts; what may leave is kept first.

    Args:
        partner: Whose vault this is.
        key: Its lasting key.
        register: Its memory.
        clock: Its clock.
    """

    partner: str
    key: SigningKey
    register: SumRegister
    clock: Callable[[], datetime]

    def forget_expired(self) -> None:
        """Delete the keys of runs that are over."""
        self.register.forget_expired(self.clock())

    def key_message(self, identity: RunIdentity, *, expires_at: datetime) -> bytes:
        """This vault's signed ephemeral key for a run: made once, kept until the run's proposal expires."""
        kept = self.register.session_key(identity.run)
        if kept is None:
            made = SessionKey.generate()
            message = made.message(identity, partner=self.partner, key=self.key)
            kept = self.register.keep_session_key(
                identity.run, KeptSessionKey(private=made.private_bytes(), message=message, expires_at=expires_at)
            )
        return kept.message

    def prepare(
        self,
        identity: RunIdentity,
        attempt: Attempt,
        messages: Sequence[bytes],
        *,
        begun: Iterable[tuple[int, int]],
    ) -> PreparedAttempt:
        """Check all vaults' keys and whether the attempt is this vault's next, or one to repeat.

        Args:
            identity: The run.
            attempt: What is asked.
            messages: All vaults' signed ephemeral keys.
            begun: Round and attempt of all that the run was charged for.

        Raises:
            SessionKeysError: If the keys are not complete and genuine.
            SignatureInvalidError: If one is not signed by its partner.
            RefusedError: If the attempt is void or out of order, the keys are others than before, this vault's key is
                not its own or is deleted, or the bytes are no longer kept.
        """
        keys, digest = verified_keys(messages, identity), digest_of_keys(messages)
        try:
            is_repeated = self.register.sums(identity.run, begun=begun).must_repeat(attempt, keys=digest)
        except SumRefusedError as error:
            raise RefusedError(error.reason, error.what, error.mend) from error
        if is_repeated:
            return PreparedAttempt(
                identity=identity, attempt=attempt, keys=digest, pair_secrets={}, repeated=self._kept(identity, attempt)
            )
        kept = self.register.session_key(identity.run)
        if kept is None:
            raise RefusedError(
                "SESSION_KEY_FORGOTTEN",
                f"{self.partner} has deleted its ephemeral key of run {identity.run}.",
                "Start a new run.",
            )
        session = SessionKey(kept.private)
        if keys[self.partner] != session.public:
            raise RefusedError(
                "SESSION_KEYS_INVALID",
                f"The key message of {self.partner} is not the one that it sent.",
                "Send every vault the messages as they came.",
            )
        secrets = session.pair_secrets(identity, keys, partner=self.partner)
        return PreparedAttempt(identity=identity, attempt=attempt, keys=digest, pair_secrets=secrets, repeated=None)

    @contextmanager
    def beginning(self, prepared: PreparedAttempt) -> Iterator[None]:
        """Inside, an attempt is asked and paid for: a crash there makes it void, an error leaves it to be asked again.

        Raises:
            RegisterUnusableError: If it cannot be kept that the attempt has begun.
        """
        self.register.begin(prepared.identity.run, prepared.attempt)
        try:
            yield
        except BaseException:
            self.register.withdraw(prepared.identity.run, prepared.attempt)
            raise

    def finish(self, prepared: PreparedAttempt, vector: NDArray[np.int64], *, ring: Ring) -> bytes:
        """Mask a vector and keep the bytes; only then may they leave."""
        masked = mask(
            vector,
            ring=ring,
            identity=prepared.identity,
            attempt=prepared.attempt,
            partner=self.partner,
            pair_secrets=prepared.pair_secrets,
        ).tobytes()
        self.register.answer(prepared.identity.run, prepared.attempt, keys=prepared.keys, masked=masked)
        return masked

    def _kept(self, identity: RunIdentity, attempt: Attempt) -> bytes:
        masked = self.register.masked(identity.run, attempt)
        if masked is None:
            raise RefusedError(
                "ROUND_ALREADY_ANSWERED",
                f"Round {attempt.round} of run {identity.run} was answered, and a later one, too.",
                "A round is answered once; start a new run.",
            )
        return masked
