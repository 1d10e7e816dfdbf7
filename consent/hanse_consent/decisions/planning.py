"""From a question to a plan: everything that does not depend on the customer is decided here, once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hanse_consent.decisions.conditions import excluded, obliges
from hanse_consent.decisions.people import governed_by, reads_birthdays
from hanse_consent.decisions.plan import Exclusion, Obligation, Plan, Reason
from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import EVERYONE, NOBODY, CustomerSet, intersection
from hanse_consent.decisions.situation import Situation
from hanse_consent.domain.moments import NO_END, Moment, to_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.law.decision_rules import DecisionRule
from hanse_consent.law.packs import LawPacks

_NO_RULES_YET = Reason(rule="H-D00", article="Hanse", code="NO_RULES_IN_FORCE")


def make_plan(question: Question, *, registry: Registry, packs: LawPacks, at: datetime) -> Plan:
    """Find out whom each rule excludes.

    Whatever is unknown excludes everyone, with a reason: no question raises an error. So does a moment at which no
    rules of the house were in force yet.

    Args:
        question: What is asked.
        registry: What is registered, at the version to decide by.
        packs: The law packs; of each law, the version in force at ``at`` decides.
        at: The moment asked about, with its time zone.

    Returns:
        The plan, right for every moment from ``from_us`` up to, but not at, ``until_us``.
    """
    applying = packs.in_force(at)
    controller = registry.controller(question.controller)
    territorial = tuple(pack for pack in applying if not pack.governs_everybody)
    governed = {pack.name: governed_by(pack, controller) for pack in territorial}
    exclusions: list[Exclusion] = []
    obligations: list[Obligation] = []
    for pack in applying:
        situation = Situation(
            question=question,
            registry=registry,
            controller=controller,
            purpose=registry.purpose(question.purpose),
            pack=pack,
            at_us=to_microseconds(at),
            today=at.astimezone(UTC).date(),
            governed=governed,
            covered=frozenset[str]().union(*(other.territories for other in territorial)),
        )
        reached = governed.get(pack.name, EVERYONE)
        for rule in pack.decisions:
            exclusions += _exclusion(rule, situation, reached)
            obligations += _obligation(rule, situation)
    if not any(pack.governs_everybody for pack in applying):
        # Before the first rule there is no permission, either.
        exclusions.append(Exclusion(reason=_NO_RULES_YET, excluded=EVERYONE))
    ages_matter = any(reads_birthdays(exclusion.excluded) for exclusion in exclusions)
    from_us, until_us = _interval(at, question=question, registry=registry, packs=packs, ages_matter=ages_matter)
    return Plan(
        question=question,
        registry_version=registry.version,
        pack_versions=packs.versions(at),
        exclusions=tuple(sorted(exclusions, key=lambda exclusion: exclusion.reason.rule)),
        obligations=tuple(sorted(obligations, key=lambda obligation: obligation.rule)),
        from_us=from_us,
        until_us=until_us,
    )


def _exclusion(rule: DecisionRule, situation: Situation, governed: CustomerSet) -> Iterable[Exclusion]:
    if rule.code is None:
        return
    forbidden = excluded(rule.condition, situation)
    if forbidden is NOBODY:
        return
    # The rule's own set comes first: most customers are not in it, and that settles the matter.
    concerned = forbidden if governed is EVERYONE else intersection([forbidden, governed])
    if concerned != NOBODY:
        yield Exclusion(reason=Reason(rule=rule.id, article=rule.article, code=rule.code), excluded=concerned)


def _obligation(rule: DecisionRule, situation: Situation) -> Iterable[Obligation]:
    if rule.obligation is None or situation.purpose is None or not obliges(rule.condition, situation):
        return
    text = rule.obligation.text.replace("{retention_days}", str(situation.purpose.retention_days))
    yield Obligation(rule=rule.id, article=rule.article, code=rule.obligation.code, text=text)


def _interval(
    at: datetime, *, question: Question, registry: Registry, packs: LawPacks, ages_matter: bool
) -> tuple[int, int]:
    moments = [*packs.changes]
    moments += [notice.published_at for notice in registry.notices]
    moments += _dates_of_records(question.controller, registry)
    if ages_matter:
        midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        moments += [midnight, midnight + timedelta(days=1)]
    at_us = to_microseconds(at)
    boundaries = [to_microseconds(moment) for moment in moments]
    return (
        max((moment for moment in boundaries if moment <= at_us), default=min(0, at_us)),
        min((moment for moment in boundaries if moment > at_us), default=NO_END),
    )


def _dates_of_records(controller: str, registry: Registry) -> Iterable[Moment]:
    for agreement in registry.agreements:
        if controller in (agreement.controller, agreement.party):
            yield from (agreement.starts_at, agreement.ends_at)
    for transfer in registry.transfers:
        if transfer.controller == controller:
            yield from (transfer.starts_at, transfer.ends_at)
    for assessment in registry.assessments:
        if assessment.controller == controller:
            yield from (assessment.starts_at, assessment.ends_at)
