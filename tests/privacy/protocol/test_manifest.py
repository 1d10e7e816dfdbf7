"""The manifest and the documents around it: bounded, signed, each in its own place."""

from typing import Any

import pytest

from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.manifest import CohortManifest, CohortReceipt, CohortReport, CohortRequest

KEY = SigningKey.generate()
QUESTION: dict[str, Any] = {
    "partner": "north",
    "run": "churn-1",
    "round": 1,
    "proposal": "ab" * 32,
    "purpose": "churn-training",
    "tier": "standard",
    "known": "0" * 64,
    "nonce": "0f" * 16,
}
MANIFEST: dict[str, Any] = QUESTION | {
    "position": 7,
    "registry_version": 2,
    "pack_versions": {"gdpr": "2026.1", "house": "1"},
    "notice_versions": ["churn-model@1"],
    "issued_at": "2026-05-04T12:00:00Z",
    "expires_at": "2026-05-04T12:05:00Z",
    "leaf_algorithm": "blake2b-128+sha-256",
    "count": 3,
    "root": "cd" * 32,
    "excluded_by_reason": {"NO_CONSENT": 4, "RESTRICTED": 1},
    "previous": "0" * 64,
}
REPORT: dict[str, Any] = {
    "partner": "north",
    "run": "churn-1",
    "round": 1,
    "manifest": "ef" * 32,
    "loaded_count": 3,
    "loaded_root": "cd" * 32,
    "absent": "AA==",
}


def test_a_manifest_holds_no_customer() -> None:
    assert not [name for name in CohortManifest.model_fields if name in {"customers", "members", "opening"}]


def test_every_field_of_the_question_is_in_the_answer() -> None:
    assert set(CohortRequest.model_fields) < set(CohortManifest.model_fields)
    assert CohortManifest.parse(MANIFEST).question == CohortRequest.parse(QUESTION)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": -1},
        {"count": 2**24 + 1},
        {"root": "CD" * 32},
        {"root": "cd" * 31},
        {"round": 0},
        {"round": 100_001},
        {"tier": "everything"},
        {"partner": "North"},
        {"partner": "north\n"},
        {"nonce": "0f" * 15},
        {"position": -1},
        {"registry_version": -1},
        {"proposal": ""},
        {"previous": ""},
        {"known": ""},
        {"known": "AB" * 32},
        {"pack_versions": {"GDPR": "1"}},
        {"pack_versions": {"gdpr": ""}},
        {"excluded_by_reason": {"no_consent": 1}},
        {"excluded_by_reason": {"NO_CONSENT": -1}},
        {"leaf_algorithm": "sha-256"},
        {"issued_at": "2026-05-04T12:00:00"},
        {"expires_at": "2026-05-04T12:05:00"},
        {"expires_at": "2026-05-04T12:00:00Z"},
        {"expires_at": "2026-05-04T11:59:59Z"},
        {"expires_at": "2026-05-04T13:00:01Z"},
        {"customers": ["0" * 32]},
    ],
)
def test_a_manifest_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    assert CohortManifest.parse(MANIFEST).count == 3
    with pytest.raises(InvalidValueError):
        CohortManifest.parse(MANIFEST | changes)


@pytest.mark.parametrize("field", sorted(MANIFEST))
def test_no_field_of_a_manifest_can_be_left_out(field: str) -> None:
    with pytest.raises(InvalidValueError, match=field):
        CohortManifest.parse({name: value for name, value in MANIFEST.items() if name != field})


@pytest.mark.parametrize(
    "changes", [{"absent": "=AAA"}, {"absent": "AA\n"}, {"absent": "A" * 2_800_000}, {"loaded_count": -1}, {"round": 0}]
)
def test_a_report_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    assert CohortReport.parse(REPORT).loaded_count == 3
    with pytest.raises(InvalidValueError):
        CohortReport.parse(REPORT | changes)


def test_none_of_the_documents_can_take_anothers_place() -> None:
    receipt = {
        "manifest": "ef" * 32,
        "loaded_root": "cd" * 32,
        "outcome": "match",
        "received_at": "2026-05-04T12:00:00Z",
    }
    kinds: list[type[Document]] = [CohortRequest, CohortManifest, CohortReport, CohortReceipt]
    for kind, payload in zip(kinds, (QUESTION, MANIFEST, REPORT, receipt), strict=True):
        signed = kind.parse(payload).sign(KEY)
        for other in kinds:
            if other is kind:
                assert other.verify(signed, key=KEY.public).payload() == kind.parse(payload).payload()
            else:
                with pytest.raises(SignatureInvalidError):
                    other.verify(signed, key=KEY.public)


def test_the_digest_tells_any_change() -> None:
    changes = [{"round": 2}, {"position": 8}, {"previous": "1" * 64}, {"excluded_by_reason": {}}, {"root": "00" * 32}]
    digests = {CohortManifest.parse(MANIFEST | change).digest for change in ({}, *changes)}
    assert len(digests) == len(changes) + 1
