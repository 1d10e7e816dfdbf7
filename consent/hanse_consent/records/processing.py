"""What a record says about the processing: purpose, data, storage, parties, laws, rights, how to withdraw."""

from collections.abc import Sequence
from datetime import datetime

from hanse_consent.domain.notices import Notice
from hanse_consent.domain.purposes import LegalBasis, Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.records.document import (
    AssessmentNode,
    Described,
    Duration,
    PersonalDataNode,
    ProcessNode,
    PurposeNode,
    StorageCondition,
)
from hanse_consent.records.laws import RecordLaw
from hanse_consent.records.names import purpose_iri
from hanse_consent.records.parties import Involved, party_iris
from hanse_consent.records.vocabulary import PERSONAL_DATA, SENSITIVE, SPECIAL_CATEGORY, broader, term
from hanse_privacy.protocol.vocabulary import Tier

_PURPOSE_TERMS = {
    PurposeKind.TRAINING: "hanse:TrainingPurpose",
    PurposeKind.STATISTICS: "hanse:StatisticsPurpose",
    PurposeKind.EVALUATION: "hanse:EvaluationPurpose",
    PurposeKind.FAIRNESS: "hanse:FairnessPurpose",
    PurposeKind.MATCHING: "hanse:MatchingPurpose",
    PurposeKind.SERVING: "hanse:ServingPurpose",
    PurposeKind.OPERATIONS: "hanse:OperationsPurpose",
}


def process_node(
    *,
    purpose: Purpose,
    tier: Tier,
    notice: Notice | None,
    parties: Involved,
    laws: Sequence[RecordLaw],
    legal_bases: tuple[str, ...],
    contact: str,
    assessments: tuple[AssessmentNode, ...],
) -> ProcessNode:
    """The one process of a record."""
    statements = notice.statements if notice is not None else None
    withdrawal = statements.withdrawal if statements is not None else ""
    return ProcessNode(
        types=("dpv:Process",),
        purposes=(_purpose_node(purpose, tier=tier),),
        personal_data=tuple(_data_node(category) for category in purpose.data_categories[tier]),
        storage=(
            StorageCondition(
                types=("dpv:StorageDuration",),
                durations=(Duration(types=("dpv:TemporalDuration",), value=f"P{purpose.retention_days}D"),),
            ),
        ),
        controllers=party_iris(parties.controllers),
        recipients=party_iris(parties.recipients),
        legal_bases=legal_bases,
        withdrawal=(
            (Described(types=("dpv:WithdrawConsent",), description=withdrawal, exercised_at=(contact,)),)
            if withdrawal.strip()
            else ()
        ),
        jurisdictions=tuple(law.jurisdiction for law in laws),
        laws=tuple(law.law for law in laws),
        rights=tuple(
            Described(types=("dpv:DataSubjectRight", right), title=term(right).label, exercised_at=(contact,))
            for law in laws
            for right in law.rights
        ),
        notices=(
            (Described(types=("dpv:RightExerciseNotice",), description=statements.rights),)
            if statements is not None and statements.rights.strip()
            else ()
        ),
        assessments=assessments,
    )


def assessment_nodes(purpose: str, *, controller: str, registry: Registry, at: datetime) -> tuple[AssessmentNode, ...]:
    """The assessments of a purpose in force at a moment."""
    return tuple(
        AssessmentNode(
            types=("dpv:ImpactAssessment",),
            identifiers=(assessment.name, assessment.kind.value),
            sha256=assessment.document_sha256,
        )
        for assessment in registry.assessments
        if assessment.controller == controller
        and purpose in assessment.purposes
        and assessment.starts_at <= at < assessment.ends_at
    )


def laws_of_consent(purpose: Purpose, laws: Sequence[RecordLaw]) -> tuple[RecordLaw, ...]:
    """Those of the laws under which the purpose rests on consent."""
    return tuple(law for law in laws if purpose.basis(law.pack) is LegalBasis.CONSENT)


def _purpose_node(purpose: Purpose, *, tier: Tier) -> PurposeNode:
    kind = _PURPOSE_TERMS[purpose.kind]
    marketing = ("dpv:DirectMarketing",) if purpose.direct_marketing else ()
    automated = ("dpv:AutomatedDecisionMaking",) if purpose.automated_decision else ()
    return PurposeNode(
        id=purpose_iri(purpose.name),
        types=("dpv:Purpose",),
        identifiers=(purpose.name,),
        title=purpose.title,
        description=purpose.description,
        # The nearest terms of DPV itself, for readers who do not know Hanse's.
        broader=(kind, *term(kind).parents, *marketing, *automated),
        tier=tier.value,
    )


def _data_node(category: str) -> PersonalDataNode:
    above = broader(category)
    kind = next((special for special in (SPECIAL_CATEGORY, SENSITIVE) if special in above), PERSONAL_DATA)
    return PersonalDataNode(types=(kind,), title=term(category).label, broader=(category,))
