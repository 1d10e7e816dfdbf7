"""Holding what a vault loaded against the manifest that it was given: a difference stops the run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlmodel import Session, col, select

from hanse_consent.cohorts.errors import CohortMismatchError, ReportLateError
from hanse_consent.cohorts.leaves import kept_leaves, leaves_again
from hanse_consent.cohorts.source import CohortSource
from hanse_consent.cohorts.tables import IssuedManifest, ReceivedReport
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.storage.database import Database
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.cohort import absent_leaves, chosen_leaves
from hanse_privacy.protocol.manifest import CohortManifest, CohortReceipt, CohortReport, ReportOutcome

MISMATCH = "mismatch"
"""Stands in ``ReceivedReport.outcome`` where the report was not accepted."""


class FlagRun(Protocol):
    """Stops a run at a controller until officers have looked at it."""

    def __call__(self, *, controller: str, run: str, why: str) -> None:
        """Flag the run; flagging one twice, or one that is unknown, is no error."""


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """What is stored about the manifest that a report names."""

    manifest: IssuedManifest
    is_replaced: bool
    """Whether the vault, holding it, has asked for another one of the run."""
    kept: tuple[bytes, ...]
    before: ReceivedReport | None


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """What becomes of a report.

    Args:
        outcome: As stored.
        why: What differs; empty if nothing does.
    """

    outcome: str
    why: str


class CohortReports:
    """Receives reports.

    Args:
        database: Where manifests and reports are kept.
        source: Has the members' keys.
        flag: Called before a mismatch is answered.
        key: The service's key; it signs receipts.
        now: The service's clock.
    """

    def __init__(
        self, *, database: Database, source: CohortSource, flag: FlagRun, key: SigningKey, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._source = source
        self._flag = flag
        self._key = key
        self._now = now

    def receive(self, report: CohortReport) -> bytes:
        """Accept a report with a signed :class:`CohortReceipt`.

        Sent again unchanged, a report gets the same outcome. One that comes too late is compared like any other, since
        a difference stays one, and otherwise leaves no trace: who may be used was said for a time that is over.

        Raises:
            CohortMismatchError: If it differs from the manifest in any way; the run is flagged.
            ReportLateError: If only the time is over; nothing of the round may be released.
            StoreUnavailableError: If the store cannot be read or written.
        """
        received_at = self._now().astimezone(UTC)
        expected = self._expected(report)
        is_late = expected is not None and to_microseconds(received_at) >= expected.manifest.expires_us
        if expected is None:
            found = _Finding(outcome=MISMATCH, why="the report names a manifest that was never issued to this partner")
        else:
            found = self._judge(report, expected, is_late=is_late)
        if found.why:
            # Before anything else: whatever fails after this, the run has stopped.
            runs = {report.run} if expected is None else {report.run, expected.manifest.run}
            for run in sorted(runs):
                self._flag(controller=report.partner, run=run, why=f"round {report.round}: {found.why}")
        if expected is not None and expected.before is None:
            if is_late and not found.why:
                raise ReportLateError(
                    f"The report of round {report.round} of run {report.run} came after its manifest had expired.",
                    "Release nothing of the round; ask for a new manifest, and let manifest_lifetime_s cover a round.",
                )
            self._record(report, found, received_at=received_at)
        if found.why:
            raise CohortMismatchError(
                f"Round {report.round} of run {report.run} must not be released: {found.why}.",
                "The run is flagged; the partner's officers look at it before anything goes on.",
            )
        receipt = CohortReceipt(
            manifest=report.manifest,
            loaded_root=report.loaded_root,
            outcome=ReportOutcome(found.outcome),
            received_at=received_at,
        )
        return receipt.sign(self._key)

    def _judge(self, report: CohortReport, expected: _Expected, *, is_late: bool) -> _Finding:
        before = expected.before
        if before is not None and _says_the_same(report, expected.manifest, before):
            return _Finding(outcome=before.outcome, why=before.why)
        wrong = _wrong_on_its_face(report, expected, is_late=is_late)
        return _Finding(outcome=MISMATCH, why=wrong) if wrong else self._compare(report, expected)

    def _expected(self, report: CohortReport) -> _Expected | None:
        with self._database.reading(controller=report.partner) as session:
            manifest = _manifest(session, controller=report.partner, digest=report.manifest)
            if manifest is None:
                return None
            expected = _Expected(
                manifest=manifest,
                is_replaced=_is_replaced(session, manifest),
                kept=kept_leaves(session, manifest),
                before=session.get(ReceivedReport, (report.partner, report.manifest)),
            )
            session.expunge_all()
            return expected

    def _compare(self, report: CohortReport, expected: _Expected) -> _Finding:
        manifest = expected.manifest
        absent = absent_leaves(report, count=manifest.member_count)
        root = manifest.root
        if absent.any():
            leaves = leaves_again(manifest, kept=expected.kept, source=self._source)
            if leaves.missing:
                # An erasure keeps its leaves; where they are missing, nobody can say what was loaded.
                return _Finding(outcome=MISMATCH, why="leaves of the manifest are missing, so nothing can be compared")
            root = root_of(chosen_leaves(leaves.hashes, ~absent)).hex()
        if root != report.loaded_root:
            return _Finding(outcome=MISMATCH, why="the vault loaded other customers than the manifest's")
        return _Finding(outcome=ReportOutcome.MATCH.value, why="")

    def _record(self, report: CohortReport, found: _Finding, *, received_at: datetime) -> None:
        with self._database.writing(controller=report.partner) as session:
            session.add(
                ReceivedReport(
                    controller=report.partner,
                    manifest=report.manifest,
                    loaded_count=report.loaded_count,
                    loaded_root=report.loaded_root,
                    outcome=found.outcome,
                    why=found.why,
                    received_us=to_microseconds(received_at),
                )
            )


def _wrong_on_its_face(report: CohortReport, expected: _Expected, *, is_late: bool) -> str:
    """What is wrong with a report that shows without computing a root; empty if nothing is."""
    manifest = expected.manifest
    faults = (
        (
            (report.run, report.round) != (manifest.run, manifest.round),
            "the report names the manifest of another run or round",
        ),
        (expected.before is not None, "the vault reports another cohort than before for the same manifest"),
        (
            # Late, it is of an attempt that was given up: the vault has asked anew since.
            expected.is_replaced and not is_late,
            "the report names a manifest that a newer one has replaced",
        ),
        (report.loaded_count > manifest.member_count, "the vault loaded more customers than the manifest has"),
        (
            _absent_count(report, manifest) + report.loaded_count != manifest.member_count,
            "loaded and absent customers together are not exactly the manifest's",
        ),
    )
    return next((words for is_fault, words in faults if is_fault), "")


def _is_replaced(session: Session, manifest: IssuedManifest) -> bool:
    """Whether the vault has asked again since it held a manifest.

    A later manifest alone does not say so: a question that was given up as lost may arrive after its repetition, and
    what answers it then is the newer of the two. Its vault holds the other one.
    """
    query = (
        select(IssuedManifest.digest, IssuedManifest.signed)
        .where(
            IssuedManifest.controller == manifest.controller,
            IssuedManifest.run == manifest.run,
            col(IssuedManifest.serial) > manifest.serial,
        )
        .order_by(col(IssuedManifest.serial))
    )
    since = {manifest.digest}
    for digest, signed in session.exec(query):
        if CohortManifest.unverified(signed.encode()).known in since:
            return True
        since.add(digest)
    return False


def _says_the_same(report: CohortReport, manifest: IssuedManifest, before: ReceivedReport) -> bool:
    return (report.run, report.round, report.loaded_count, report.loaded_root) == (
        manifest.run,
        manifest.round,
        before.loaded_count,
        before.loaded_root,
    )


def _absent_count(report: CohortReport, manifest: IssuedManifest) -> int:
    try:
        return int(absent_leaves(report, count=manifest.member_count).sum())
    except InvalidValueError:
        # Not one bit for each leaf: then no number fits.
        return -1 - manifest.member_count


def _manifest(session: Session, *, controller: str, digest: str) -> IssuedManifest | None:
    query = select(IssuedManifest).where(IssuedManifest.controller == controller, IssuedManifest.digest == digest)
    return session.exec(query).first()
