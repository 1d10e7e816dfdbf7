"""Records and receipts as JSON-LD: expanded by an independent processor that is not let onto the network.

The list of required properties is taken from the DPV guide to ISO/IEC TS 27560 (its sections beside them), in full IRIs
as the processor gives them: it does not read the list in the code.
"""

import json

import pytest
from pyld import jsonld

from hanse_consent.records.receipt import make_receipt
from hanse_consent.records.record import make_record, standalone
from hanse_consent.records.vocabulary import vocabulary

DPV, DCT, SCHEMA = "https://w3id.org/dpv#", "http://purl.org/dc/terms/", "https://schema.org/"
SKOS, RDF = "http://www.w3.org/2004/02/skos/core#", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

RECORD = {
    f"{DCT}conformsTo": "8.1.1",
    f"{DCT}identifier": "8.1.2",
    f"{DPV}hasDataSubject": "8.1.3",
    f"{DPV}hasNotice": "8.2.1",
    f"{DPV}hasProcess": "8.3.1",
    f"{DPV}hasEntity": "8.4",
    f"{DPV}hasConsentStatus": "8.5.2",
}
NOTICE = {f"{DCT}language": "8.2.2"}
PROCESS = {
    f"{DPV}hasPurpose": "8.3.2",
    f"{DPV}hasPersonalData": "8.3.3",
    f"{DPV}hasStorageCondition": "8.3.4.2",
    f"{DPV}hasDataController": "8.3.5",
    f"{DPV}hasRecipient": "8.3.7",
    f"{DPV}hasConsentControl": "8.3.8",
    f"{DPV}hasJurisdiction": "8.3.9",
    f"{DPV}hasRight": "8.3.10",
}
PARTY = {
    f"{DPV}hasName": "8.4.1",
    f"{DPV}hasIdentifier": "8.4.2",
    "@type": "8.4.3",
    f"{SCHEMA}contactPoint": "8.4.4",
    f"{SCHEMA}address": "8.4.4.1",
}
EVENT = {
    f"{DPV}hasLegalBasis": "8.5.1",
    "@type": "8.5.2",
    f"{DPV}isIndicatedAtTime": "8.5.3",
    f"{DPV}hasDuration": "8.5.4",
    f"{DPV}isIndicatedBy": "8.5.5",
}


def refuse(url, options):
    raise AssertionError(f"asked the network for {url}")


def expanded(document):
    (node,) = jsonld.expand(json.loads(json.dumps(document)), {"documentLoader": refuse})
    return node


@pytest.fixture(params=[("gdpr",), ("pipl",), ("gdpr", "pipl")], ids="+".join)
def packs(request):
    return request.param


@pytest.fixture
def record(shop, packs):
    return make_record(shop.full_history(), shop.source(packs=packs), purpose=shop.name)


def test_a_record_expands_to_everything_that_the_guide_requires(record):
    node = expanded(standalone(record))
    assert node["@type"] == [f"{DPV}ConsentRecord"]
    sections = [
        (RECORD, [node]),
        (NOTICE, node[f"{DPV}hasNotice"]),
        (PROCESS, node[f"{DPV}hasProcess"]),
        (PARTY, node[f"{DPV}hasEntity"]),
        (EVENT, node[f"{DPV}hasConsentStatus"]),
    ]
    for required, nodes in sections:
        assert nodes
        for each in nodes:
            assert [prop for prop in required if not each.get(prop)] == []


def test_references_are_iris_and_times_are_typed(record):
    node = expanded(standalone(record))
    process = node[f"{DPV}hasProcess"][0]
    for prop in ("hasDataController", "hasRecipient", "hasJurisdiction", "hasLegalBasis"):
        assert all(value["@id"].startswith("https://") for value in process[f"{DPV}{prop}"])
    parties = {party["@id"] for party in node[f"{DPV}hasEntity"]}
    assert {value["@id"] for value in process[f"{DPV}hasDataController"]} <= parties
    assert {value["@id"] for value in process[f"{DPV}hasRecipient"]} <= parties
    notices = {notice["@id"] for notice in node[f"{DPV}hasNotice"]}
    for event in node[f"{DPV}hasConsentStatus"]:
        assert event[f"{DPV}isIndicatedAtTime"][0]["@type"] == "http://www.w3.org/2001/XMLSchema#dateTime"
        assert {cited["@id"] for cited in event.get(f"{DPV}hasNotice", [])} <= notices
    for data in process[f"{DPV}hasPersonalData"]:
        assert data[f"{SKOS}broader"][0]["@id"].startswith("https://")


def test_every_term_is_one_of_the_vocabularies(record):
    known = {term.iri for term in vocabulary().values()}
    ours = ("https://w3id.org/dpv", "https://hanse.example/terms#")

    def used(value):
        if isinstance(value, dict):
            for key, part in value.items():
                if not key.startswith("@"):
                    yield key
                if key == "@type" and isinstance(part, list):
                    yield from part
                yield from used(part)
            if set(value) == {"@id"}:
                yield value["@id"]
        elif isinstance(value, list):
            for part in value:
                yield from used(part)

    terms = {term for term in used(expanded(standalone(record))) if term.startswith(ours)}
    schemas = {term for term in terms if term.startswith("https://w3id.org/dpv/schema/dpv-27560#record")}
    assert terms - schemas <= known
    assert len(terms) > 40


def test_a_receipt_expands_with_its_record(shop, record, packs):
    receipt = make_receipt(record, packs=packs, service="north-consent", now=shop.noon)
    node = expanded(receipt.payload())
    assert node["@type"] == [f"{DPV}ConsentReceipt"]
    inner = node[f"{DPV}hasRecordOfActivity"][0]
    assert inner == expanded(standalone(record))
    assert node[f"{DCT}created"][0]["@value"] == "2026-05-04T12:00:00Z"
    assert node[f"{DCT}conformsTo"][0]["@id"] == "https://w3id.org/dpv/schema/dpv-27560#receipt"


def test_nothing_expands_to_a_relative_or_lost_name(record):
    document = standalone(record)
    context = document.pop("@context")

    def keys(value):
        if isinstance(value, dict):
            yield from value
            for part in value.values():
                yield from keys(part)
        elif isinstance(value, list):
            for part in value:
                yield from keys(part)

    for key in set(keys(document)) - {"@id", "@type"}:
        assert key.split(":")[0] in context, key
