"""Conditions on sending data out of a pack's territory."""

from hanse_consent.decisions.grants import lacking_explicit
from hanse_consent.decisions.sets import EVERYONE, NOBODY, CustomerSet, union
from hanse_consent.decisions.situation import Situation
from hanse_consent.domain.acts import SeparateConsent, SeparateMatter
from hanse_consent.domain.parties import AssessmentKind
from hanse_consent.law.sharing_conditions import (
    CriticalOperatorExport,
    ExportThreshold,
    TransferAssessmentMissing,
    TransferMechanismMissing,
    TransferNeedsExplicitConsent,
)


def transfer_mechanism_missing(condition: TransferMechanismMissing, situation: Situation) -> CustomerSet:
    """Everyone, if a recipient abroad has no accepted mechanism."""
    for recipient in situation.abroad(adequate=condition.adequate):
        if not any(transfer.mechanism in condition.mechanisms for transfer in situation.transfers_to(recipient)):
            return EVERYONE
    return NOBODY


def transfer_assessment_missing(condition: TransferAssessmentMissing, situation: Situation) -> CustomerSet:
    """Everyone, if a recipient abroad has a mechanism that needs an assessment of the transfer, and none is in date."""
    assessed = {
        assessment.recipient
        for assessment in situation.assessments
        if assessment.kind is AssessmentKind.TRANSFER_IMPACT
    }
    for recipient in situation.abroad(adequate=condition.adequate):
        needed = any(transfer.mechanism in condition.mechanisms for transfer in situation.transfers_to(recipient))
        if needed and recipient not in assessed:
            return EVERYONE
    return NOBODY


def transfer_needs_explicit_consent(condition: TransferNeedsExplicitConsent, situation: Situation) -> CustomerSet:
    """Those who did not expressly agree to a transfer that rests on nothing else."""
    excluded = []
    for recipient in situation.abroad(adequate=condition.adequate):
        mechanisms = {transfer.mechanism for transfer in situation.transfers_to(recipient)}
        if mechanisms == {condition.mechanism}:
            consent = SeparateConsent(matter=SeparateMatter.ABROAD, subject=recipient)
            excluded.append(lacking_explicit(consent.topic))
    return union(excluded)


def export_threshold(condition: ExportThreshold, situation: Situation) -> CustomerSet:
    """Everyone, if a recipient's mechanism is too weak for how many persons the exporter sends abroad in the year.

    The law counts distinct persons per exporter. The controller's figures stand per recipient and may overlap: their
    sum is never below the law's count.
    """
    recipients = sorted({transfer.recipient for transfer in situation.transfers})
    exports = [situation.transfers_to(recipient) for recipient in recipients]
    persons = sum(max(transfer.persons_this_year for transfer in export) for export in exports)
    sensitive = sum(max(transfer.sensitive_persons_this_year for transfer in export) for export in exports)
    for recipient in situation.abroad():
        mechanisms = {transfer.mechanism for transfer in situation.transfers_to(recipient)}
        for level in condition.levels:
            reached = persons >= level.persons_from or sensitive >= level.sensitive_persons_from
            if reached and mechanisms.isdisjoint(level.mechanisms):
                return EVERYONE
    return NOBODY


def critical_operator_export(condition: CriticalOperatorExport, situation: Situation) -> CustomerSet:
    """Everyone, if such an operator sends data abroad under a weaker mechanism."""
    if situation.controller is None or not situation.controller.critical_infrastructure:
        return NOBODY
    for recipient in situation.abroad():
        if not any(transfer.mechanism in condition.mechanisms for transfer in situation.transfers_to(recipient)):
            return EVERYONE
    return NOBODY
