"""What a controller does not have in order: the packs' duties, held against what is registered and against counts.

Pure: whoever asks has counted before. A law's duties bind a controller only if the law governs some of its customers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hanse_consent.domain.findings import ComplianceFinding
from hanse_consent.domain.parties import AgreementRole, Controller
from hanse_consent.domain.registry import Registry
from hanse_consent.law.clocks import start_clocks
from hanse_consent.law.duty_rules import (
    AuditInTime,
    ConsentsNotOutgrown,
    ConsentsSaidApart,
    DutyRule,
    EntrustedDataReturned,
    NoPaperEnded,
    NoPaperEnding,
    ProtectionOfficerNamed,
)
from hanse_consent.law.packs import LawPack, LawPacks
from hanse_consent.law.papers import Paper, papers_of, still_needed

_MAX_NAMED = 10
"""Purposes that one finding names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCounts:
    """What was counted of a controller's customers.

    Args:
        governed: How many each law governs, by name of its pack; those erased count nowhere.
        by_rule: How many a rule is about, by its id, for rules that count customers.
    """

    governed: Mapping[str, int]
    by_rule: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """One controller at one moment, as one pack's duties read it."""

    controller: Controller
    registry: Registry
    pack: LawPack
    persons: int
    at: datetime

    def papers(self) -> Iterator[tuple[Paper, tuple[str, ...]]]:
        """Papers, each with the purposes in force for which nothing follows it."""
        papers = papers_of(self.controller.name, self.registry)
        in_force = frozenset(purpose.name for purpose in self.registry.purposes)
        for paper in papers:
            if needed := still_needed(paper, among=papers, purposes=in_force, at=self.at):
                yield paper, needed


def duty_findings(
    controller: Controller, *, registry: Registry, packs: LawPacks, counts: CustomerCounts, at: datetime
) -> tuple[ComplianceFinding, ...]:
    """Everything that one controller does not have in order, in the order of packs and rules.

    Args:
        controller: As registered.
        registry: What is registered.
        packs: The law packs; of each law, the version in force now asks.
        counts: Of the controller's customers.
        at: Now.
    """
    found = []
    for pack in packs.in_force(at):
        persons = counts.governed.get(pack.name, 0)
        if not (pack.governs_everybody or persons):
            continue
        standing = _Standing(controller=controller, registry=registry, pack=pack, persons=persons, at=at)
        for rule in pack.duties:
            found += [
                ComplianceFinding(rule=rule.id, article=rule.article, code=rule.code, words=words)
                for words in _breaches(rule, standing, counted=counts.by_rule.get(rule.id, 0))
            ]
    return tuple(found)


def _breaches(rule: DutyRule, standing: _Standing, *, counted: int) -> Iterator[str]:
    match rule.condition:
        case ProtectionOfficerNamed() as condition:
            yield from _officer_missing(condition, standing)
        case AuditInTime() as condition:
            yield from _audit_overdue(condition, standing)
        case EntrustedDataReturned():
            yield from _not_returned(standing)
        case ConsentsSaidApart(purposes_from=purposes) if counted:
            yield (
                f"Customers who said yes to {purposes} or more purposes within one second: {counted:,}. Look at how "
                "they were asked."
            )
        case ConsentsNotOutgrown(age=age) if counted:
            yield (
                f"Customers of {age} or more by now whose consent was said before that birthday, or on it: "
                f"{counted:,}. Ask them themselves."
            )
        case NoPaperEnded():
            for paper, needed in standing.papers():
                if paper.ends_at <= standing.at:
                    yield f"The {paper.title} ended on {_day(paper.ends_at)}. It is still needed for {_named(needed)}."
        case NoPaperEnding(days=days):
            for paper, needed in standing.papers():
                if standing.at < paper.ends_at <= standing.at + timedelta(days=days):
                    yield f"The {paper.title} ends on {_day(paper.ends_at)}. It is needed for {_named(needed)}."


def _officer_missing(condition: ProtectionOfficerNamed, standing: _Standing) -> Iterator[str]:
    if standing.persons >= condition.persons_from and not standing.controller.protection_officer.strip():
        yield (
            f"Customers under this law: {standing.persons:,}. No protection officer is named; from "
            f"{condition.persons_from:,} on there has to be one."
        )


def _audit_overdue(condition: AuditInTime, standing: _Standing) -> Iterator[str]:
    zone, audited_on = ZoneInfo(condition.zone), standing.controller.audited_on
    # Without an audit on record it is not known when the clock began: then it is overdue.
    started_at = standing.at if audited_on is None else datetime.combine(audited_on, time.min, tzinfo=zone)
    for clock in start_clocks(
        condition.matter, pack=standing.pack, started_at=started_at, zone=zone, persons=standing.persons
    ):
        due = clock.due(standing.at)
        under = f"Customers under this law: {standing.persons:,}"
        if audited_on is None:
            yield f"{under}. No compliance audit is on record."
        elif due.missed(standing.at):
            yield f"{under}. The last compliance audit is of {audited_on}; another was due by {due.last_day}."


def _not_returned(standing: _Standing) -> Iterator[str]:
    own, at = standing.controller.name, standing.at
    entrusted = [
        agreement
        for agreement in standing.registry.agreements
        if agreement.role is AgreementRole.PROCESSOR and agreement.controller == own
    ]
    for agreement in entrusted:
        still = {
            purpose
            for other in entrusted
            if other.party == agreement.party and other.starts_at <= at < other.ends_at
            for purpose in other.purposes
        }
        ended = agreement.ends_at <= at and not set(agreement.purposes) <= still
        if ended and (agreement.returned_at is None or agreement.returned_at > at):
            yield (
                f"The agreement {agreement.name} with {agreement.party} ended on {_day(agreement.ends_at)}. Nobody has "
                "attested that the data was returned or deleted."
            )


def _day(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


def _named(purposes: tuple[str, ...]) -> str:
    more = f" and {len(purposes) - _MAX_NAMED} more" if len(purposes) > _MAX_NAMED else ""
    return ", ".join(purposes[:_MAX_NAMED]) + more
