"""Issuing cohort manifests: the signed answer to who may be used for this step of an approved run, now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlmodel import Session, col, func, select

from hanse_consent.cohorts.errors import (
    CohortTooLargeError,
    ManifestChainBrokenError,
    ManifestsExhaustedError,
    ProposalMismatchError,
    StepMismatchError,
)
from hanse_consent.cohorts.leaves import pack_numbers
from hanse_consent.cohorts.source import CohortSource, EligibleCohort
from hanse_consent.cohorts.tables import IssuedManifest
from hanse_consent.decisions.question import Question
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.storage.database import Database
from hanse_privacy.identity import SigningKey
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.cohort import CohortAnswer, SaltContext, encode_answer, salted_leaves
from hanse_privacy.protocol.manifest import (
    LONGEST_LIFETIME,
    MAXIMUM_COHORT,
    MOST_MISSED,
    NO_PREVIOUS,
    CohortManifest,
    CohortRequest,
    LeafAlgorithm,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.validation import require

MANIFESTS_PER_ROUND = 20
"""A vault asks once per round, and again after a failure; each manifest is kept."""


class ApprovedRuns(Protocol):
    """Which runs a controller's officers have approved."""

    def __call__(self, *, controller: str, run: str, at: datetime) -> RunProposal:
        """The proposal on whose terms a run is approved at a controller, and neither revoked, flagged nor over.

        Args:
            controller: Whose customers are asked about.
            run: Its name.
            at: The moment asked about.

        Raises:
            ConsentRefusal: If there is none.
        """


class ManifestIssuer:
    """Enumerates, binds the answer to its question, chains it to the one before, signs.

    Args:
        database: Where manifests are kept.
        source: Enumerates cohorts.
        require_approved: Knows the approved runs.
        key: The service's key, which every vault has pinned.
        lifetime_s: Seconds for which a manifest may be used, its report included; at most an hour.
        now: The service's clock.
    """

    def __init__(
        self,
        *,
        database: Database,
        source: CohortSource,
        require_approved: ApprovedRuns,
        key: SigningKey,
        lifetime_s: int,
        now: Callable[[], datetime],
    ) -> None:
        longest_s = int(LONGEST_LIFETIME.total_seconds())
        require(1 <= lifetime_s <= longest_s, name="lifetime_s", value=lifetime_s, bound=f"1 to {longest_s}")
        self._database = database
        self._source = source
        self._require_approved = require_approved
        self._key = key
        self._lifetime = timedelta(seconds=lifetime_s)
        self._now = now

    def issue(self, request: CohortRequest) -> bytes:
        """Answer a vault's question with a signed manifest and its members (``protocol.cohort.encode_answer``).

        Asked again for the same round, it answers as of then; the new manifest names the earlier one as previous, and
        those that the vault has missed come with it (``protocol.manifest_chain`` says why).

        Raises:
            ConsentRefusal: If the run is not approved, or the question does not fit the approved proposal, or it names
                a manifest as known that was not issued here.
            StoreUnavailableError: If the store cannot be read or written.
        """
        asked_at = self._now().astimezone(UTC)
        proposal = self._require_approved(controller=request.partner, run=request.run, at=asked_at)
        _require_same_terms(request, proposal)
        cohort = self._source.cohort(question_of(proposal, request=request), at=asked_at)
        count = len(cohort.members.numbers)
        if count > MAXIMUM_COHORT:
            raise CohortTooLargeError(
                f"The cohort has {count} customers.",
                f"A manifest holds at most {MAXIMUM_COHORT}: serve the partner's regions as controllers of their own.",
            )
        leaves = salted_leaves(
            cohort.members.pseudonyms,
            cohort.members.keys,
            context=SaltContext(partner=request.partner, run=request.run, round=request.round),
        )
        root = root_of(leaves.hashes).hex()
        # Again: what was revoked or flagged while the cohort was enumerated gets no manifest.
        self._require_approved(controller=request.partner, run=request.run, at=self._now().astimezone(UTC))
        with self._database.writing(controller=request.partner) as session:
            last = _last_manifest(session, controller=request.partner, run=request.run)
            missed = _issued_since_known(session, request)
            _require_not_too_often(session, request)
            manifest = self._manifest(
                request,
                cohort,
                root=root,
                issued_at=asked_at,
                previous=last.digest if last is not None else NO_PREVIOUS,
            )
            signed = manifest.sign(self._key)
            session.add(
                IssuedManifest(
                    controller=request.partner,
                    run=request.run,
                    serial=last.serial + 1 if last is not None else 1,
                    round=request.round,
                    digest=manifest.digest,
                    root=root,
                    member_count=count,
                    position=cohort.position,
                    issued_us=to_microseconds(manifest.issued_at),
                    expires_us=to_microseconds(manifest.expires_at),
                    signed=signed.decode(),
                    members=pack_numbers(cohort.members.numbers),
                )
            )
        return encode_answer(CohortAnswer(manifest=signed, missed=missed, members=leaves.members))

    def _manifest(
        self, request: CohortRequest, cohort: EligibleCohort, *, root: str, issued_at: datetime, previous: str
    ) -> CohortManifest:
        return CohortManifest(
            partner=request.partner,
            run=request.run,
            round=request.round,
            proposal=request.proposal,
            purpose=request.purpose,
            tier=request.tier,
            known=request.known,
            nonce=request.nonce,
            position=cohort.position,
            registry_version=cohort.registry_version,
            pack_versions=cohort.pack_versions,
            notice_versions=cohort.notices,
            issued_at=issued_at,
            expires_at=issued_at + self._lifetime,
            leaf_algorithm=LeafAlgorithm.BLAKE2B_SHA256,
            count=len(cohort.members.numbers),
            root=root,
            excluded_by_reason=cohort.excluded_by_reason,
            previous=previous,
        )


def question_of(proposal: RunProposal, *, request: CohortRequest) -> Question:
    """What an approved proposal asks of one controller's customers, at the request's purpose and tier."""
    return Question(
        controller=request.partner,
        purpose=request.purpose,
        tier=request.tier,
        categories=proposal.data_categories,
        recipients=tuple(recipient.name for recipient in proposal.recipients if recipient.name != request.partner),
        joint_controllers=tuple(partner for partner in proposal.partners() if partner != request.partner),
        league_run=True,
    )


def _require_same_terms(request: CohortRequest, proposal: RunProposal) -> None:
    if request.proposal != proposal.digest or request.partner not in proposal.partners():
        raise ProposalMismatchError(
            f"Run {request.run} was approved with other terms than those the vault admitted.",
            "Changed terms are a new run with a new name; submit and approve it.",
        )
    step = proposal.step_of(request.round)
    if step is None or (step.purpose, step.tier) != (request.purpose, request.tier):
        raise StepMismatchError(
            f"The approved proposal of run {request.run} has no round {request.round} for this purpose at this tier.",
            "A run does what its proposal says.",
        )


def _require_not_too_often(session: Session, request: CohortRequest) -> None:
    query = select(func.count()).where(
        IssuedManifest.controller == request.partner,
        IssuedManifest.run == request.run,
        IssuedManifest.round == request.round,
    )
    if session.exec(query).one() >= MANIFESTS_PER_ROUND:
        raise ManifestsExhaustedError(
            f"Round {request.round} of run {request.run} has had {MANIFESTS_PER_ROUND} manifests.",
            "Find out why the round does not begin; a new run begins anew.",
        )


def _issued_since_known(session: Session, request: CohortRequest) -> tuple[bytes, ...]:
    """The signed manifests of the run that the vault has missed, oldest first."""
    here = (IssuedManifest.controller == request.partner, IssuedManifest.run == request.run)
    known_serial = 0
    if request.known != NO_PREVIOUS:
        found = session.exec(select(IssuedManifest.serial).where(*here, IssuedManifest.digest == request.known)).first()
        if found is None:
            raise ManifestChainBrokenError(
                f"The vault knows a manifest of run {request.run} that was not issued here.",
                "One of the two was restored from an older copy: restore the newest one, or begin a new run.",
            )
        known_serial = found
    query = (
        select(IssuedManifest.signed)
        .where(*here, col(IssuedManifest.serial) > known_serial)
        .order_by(col(IssuedManifest.serial))
        .limit(MOST_MISSED + 1)
    )
    missed = tuple(signed.encode() for signed in session.exec(query))
    if len(missed) > MOST_MISSED:
        raise ManifestChainBrokenError(
            f"The vault has missed more than {MOST_MISSED} manifests of run {request.run}.",
            "Its state may be an older copy: begin a new run.",
        )
    return missed


def _last_manifest(session: Session, *, controller: str, run: str) -> IssuedManifest | None:
    query = (
        select(IssuedManifest)
        .where(IssuedManifest.controller == controller, IssuedManifest.run == run)
        .order_by(col(IssuedManifest.serial).desc())
        .limit(1)
    )
    return session.exec(query).first()
