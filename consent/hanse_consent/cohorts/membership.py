"""Whether one customer was in a round's cohort: proved against the signed manifest, for the customer's controller."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlmodel import col, select

from hanse_consent.cohorts.errors import CustomerWithoutKeyError, LeavesIncompleteError, ManifestUnknownError
from hanse_consent.cohorts.leaves import context_of, kept_leaves, leaves_again
from hanse_consent.cohorts.source import CohortSource
from hanse_consent.cohorts.tables import IssuedManifest
from hanse_consent.domain.moments import from_microseconds
from hanse_consent.storage.database import Database
from hanse_privacy.merkle import (
    AbsenceProof,
    InclusionProof,
    leaf_hash,
    place_of,
    prove_absence,
    prove_inclusion,
    verify_absence,
    verify_inclusion,
)
from hanse_privacy.protocol.cohort import PSEUDONYM_BYTES, SALT_BYTES
from hanse_privacy.protocol.manifest import CohortManifest
from hanse_privacy.protocol.vocabulary import Pseudonym
from hanse_privacy.validation import require


class PlaceInTree(BaseModel):
    """A leaf, where it stands and the hashes beside its way to the root; all hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    leaf: str
    path: tuple[str, ...]


class MembershipProof(BaseModel):
    """That a customer was, or was not, in a round's cohort.

    The salt opens the customer's leaf in this round and in no other. Of absence it is good evidence only to whoever
    trusts the service to have used the customer's own key; the vault, which sees every member of its manifests, need
    not trust it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    signed_manifest: str
    """Names count and root; verify it under the service's key."""
    customer: Pseudonym
    salt: str
    included: PlaceInTree | None
    """Where the customer's leaf stands; none if the customer was not in the cohort."""
    before: PlaceInTree | None = None
    """Of an absent leaf: its neighbour below, if there is one."""
    after: PlaceInTree | None = None
    """Of an absent leaf: its neighbour above, if there is one."""


class UseInRound(BaseModel):
    """One manifest of a run, as an officer looks it up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    digest: str
    position: int
    count: int
    issued_at: datetime


class Memberships:
    """Looks back at the manifests of one controller's runs.

    Args:
        database: Where manifests are kept.
        source: Has the customers' keys.
    """

    def __init__(self, *, database: Database, source: CohortSource) -> None:
        self._database = database
        self._source = source

    def uses(self, controller: str, run: str) -> tuple[UseInRound, ...]:
        """Every manifest of a run at a controller, in order: which positions its rounds used."""
        with self._database.reading(controller=controller) as session:
            query = (
                select(IssuedManifest)
                .where(IssuedManifest.controller == controller, IssuedManifest.run == run)
                .order_by(col(IssuedManifest.serial))
            )
            return tuple(
                UseInRound(
                    round=manifest.round,
                    digest=manifest.digest,
                    position=manifest.position,
                    count=manifest.member_count,
                    issued_at=from_microseconds(manifest.issued_us),
                )
                for manifest in session.exec(query)
            )

    def prove(self, *, controller: str, run: str, round_number: int, customer: str) -> MembershipProof:
        """Prove whether a customer was in the newest manifest of a round.

        Args:
            controller: Whose customer it is; nobody else may be told.
            run: The run.
            round_number: Its round.
            customer: The customer's pseudonym, hexadecimal.

        Raises:
            ManifestUnknownError: If none was issued for the round.
            CustomerWithoutKeyError: If the customer is unknown or was erased.
            LeavesIncompleteError: If leaves of erased members were not kept.
        """
        with self._database.reading(controller=controller) as session:
            query = (
                select(IssuedManifest)
                .where(
                    IssuedManifest.controller == controller,
                    IssuedManifest.run == run,
                    IssuedManifest.round == round_number,
                )
                .order_by(col(IssuedManifest.serial).desc())
                .limit(1)
            )
            manifest = session.exec(query).first()
            if manifest is None:
                raise ManifestUnknownError(
                    f"No manifest was issued for round {round_number} of run {run}.", "See the run's record."
                )
            kept = kept_leaves(session, manifest)
            session.expunge_all()
        salt = self._salt(manifest, customer)
        leaves = leaves_again(manifest, kept=kept, source=self._source)
        if leaves.missing:
            raise LeavesIncompleteError(
                f"{leaves.missing} leaves of the manifest are gone with customers who were erased.",
                "The signed manifest still stands; membership of a single customer can no longer be proved from it.",
            )
        leaf = leaf_hash(salt + bytes.fromhex(customer))
        place = place_of(leaves.hashes, leaf)
        if leaves.hashes[place * len(leaf) : (place + 1) * len(leaf)] == leaf:
            (inclusion,) = prove_inclusion(leaves.hashes, place)
            return MembershipProof(
                signed_manifest=manifest.signed, customer=customer, salt=salt.hex(), included=_written(inclusion)
            )
        absence = prove_absence(leaves.hashes, leaf)
        return MembershipProof(
            signed_manifest=manifest.signed,
            customer=customer,
            salt=salt.hex(),
            included=None,
            before=_written(absence.before) if absence.before is not None else None,
            after=_written(absence.after) if absence.after is not None else None,
        )

    def _salt(self, manifest: IssuedManifest, customer: str) -> bytes:
        found = self._source.find(manifest.controller, [bytes.fromhex(customer)])
        if len(found.numbers) != 1:
            raise CustomerWithoutKeyError(
                "The customer is not known here, or was erased.",
                "Without the customer's key nobody can say which leaf would be theirs.",
            )
        return context_of(manifest).salts(found.keys).tobytes()


def verify_membership(proof: MembershipProof, manifest: CohortManifest) -> bool:
    """Check a proof against its manifest, whose signature the caller has verified; needs no service.

    Returns:
        Whether the customer was in the cohort.

    Raises:
        ProofInvalidError: If the proof shows neither.
        InvalidValueError: If salt or pseudonym have a wrong length.
    """
    salt, customer = bytes.fromhex(proof.salt), bytes.fromhex(proof.customer)
    require(len(salt) == SALT_BYTES, name="the length of salt", value=len(salt), bound=f"{SALT_BYTES} bytes")
    require(len(customer) == PSEUDONYM_BYTES, name="the length of customer", value=len(customer), bound="16 bytes")
    leaf, root = leaf_hash(salt + customer), bytes.fromhex(manifest.root)
    if proof.included is not None:
        # The leaf is computed here and not believed.
        inclusion = InclusionProof(index=proof.included.index, leaf=leaf, path=_read(proof.included).path)
        verify_inclusion(inclusion, size=manifest.count, root=root)
        return True
    absence = AbsenceProof(
        before=_read(proof.before) if proof.before is not None else None,
        after=_read(proof.after) if proof.after is not None else None,
    )
    verify_absence(absence, leaf, size=manifest.count, root=root)
    return False


def _written(proof: InclusionProof) -> PlaceInTree:
    return PlaceInTree(index=proof.index, leaf=proof.leaf.hex(), path=tuple(part.hex() for part in proof.path))


def _read(place: PlaceInTree) -> InclusionProof:
    return InclusionProof(
        index=place.index, leaf=bytes.fromhex(place.leaf), path=tuple(bytes.fromhex(part) for part in place.path)
    )
