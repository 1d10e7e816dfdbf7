"""Whether one customer was in a round's cohort: proved, and not proved falsely."""

import pytest

from hanse_consent.cohorts.errors import CustomerWithoutKeyError, LeavesIncompleteError, ManifestUnknownError
from hanse_consent.cohorts.leaves import keep_leaves
from hanse_consent.cohorts.membership import MembershipProof, verify_membership
from hanse_privacy.errors import HanseError
from hanse_privacy.merkle import ProofInvalidError
from hanse_privacy.protocol.manifest import CohortManifest


def prove(room, customer: str, round_number: int = 1) -> MembershipProof:
    return room.memberships.prove(controller="north", run="churn-1", round_number=round_number, customer=customer)


def holds(room, proof: MembershipProof) -> bool:
    manifest = CohortManifest.verify(proof.signed_manifest.encode(), key=room.key.public)
    return verify_membership(proof, manifest)


@pytest.mark.parametrize("size", [0, 1, 2, 5, 6, 7, 20])
def test_of_every_customer_it_is_proved_whether_they_were_in(room, pseudonyms, size: int) -> None:
    room.source.eligible = set(range(1, size + 1))
    cohort = room.cohort()
    for customer in pseudonyms.values():
        proof = prove(room, customer)
        assert MembershipProof.model_validate_json(proof.model_dump_json()) == proof
        assert holds(room, proof) is (customer in cohort.customers)


def test_the_newest_manifest_of_the_round_is_meant(room, pseudonyms) -> None:
    room.cohort()
    room.source.eligible.discard(5)
    newest = room.cohort(nonce="1f" * 16)
    room.cohort(round=2)
    proof = prove(room, pseudonyms[5])
    assert CohortManifest.verify(proof.signed_manifest.encode(), key=room.key.public) == newest.manifest
    assert holds(room, proof) is False
    assert holds(room, prove(room, pseudonyms[8])) is True


def test_a_proof_is_for_one_customer_and_one_round(room, pseudonyms) -> None:
    room.cohort()
    room.cohort(round=2)
    inside, other, later = prove(room, pseudonyms[5]), prove(room, pseudonyms[8]), prove(room, pseudonyms[5], 2)
    outside = prove(room, pseudonyms[4])
    assert inside.salt != later.salt
    forged = [
        inside.model_copy(update={"customer": pseudonyms[4]}),
        inside.model_copy(update={"salt": later.salt}),
        inside.model_copy(update={"included": other.included}),
        inside.model_copy(update={"included": None}),
        inside.model_copy(update={"included": None, "before": outside.before, "after": outside.after}),
        inside.model_copy(update={"signed_manifest": later.signed_manifest}),
        outside.model_copy(update={"included": inside.included}),
        outside.model_copy(update={"before": None}),
        outside.model_copy(update={"before": outside.after, "after": outside.before}),
    ]
    for proof in forged:
        with pytest.raises(ProofInvalidError):
            holds(room, proof)
    for proof in (inside.model_copy(update={"salt": "00"}), inside.model_copy(update={"customer": "00"})):
        with pytest.raises(HanseError):
            holds(room, proof)


def test_what_cannot_be_proved_is_said(room, pseudonyms, keys) -> None:
    with pytest.raises(ManifestUnknownError):
        prove(room, pseudonyms[5])
    room.cohort()
    with pytest.raises(ManifestUnknownError):
        prove(room, pseudonyms[5], 2)
    with pytest.raises(CustomerWithoutKeyError):
        prove(room, "00" * 16)
    with room.database.writing(controller="north") as session:
        keep_leaves(session, controller="north", number=13, pseudonym=bytes.fromhex(pseudonyms[13]), key=keys[13])
    room.source.erased.add(13)
    with pytest.raises(CustomerWithoutKeyError):
        prove(room, pseudonyms[13])
    # The leaf was kept, so that all others can still be proved; without it nobody could.
    assert holds(room, prove(room, pseudonyms[8])) is True
    room.source.erased.add(2)
    with pytest.raises(LeavesIncompleteError, match="1 leaves"):
        prove(room, pseudonyms[8])
