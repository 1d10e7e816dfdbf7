"""Whether the law, the agreements and the records of one controller let a run be approved at all. Pure.

The same rules decide here as for every customer and every round: a rule that excludes all customers of the
controller forbids the run, and nobody can approve it. What is left to officers is whether they want it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.planning import make_plan
from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import Everyone
from hanse_consent.domain.names import CategoryTerm
from hanse_consent.domain.parties import Controller
from hanse_consent.domain.registry import Registry
from hanse_consent.law.customer_conditions import ExplicitConsentForCategories
from hanse_consent.law.packs import LawPack, LawPacks
from hanse_consent.law.sharing_conditions import SeparateConsentForCategories
from hanse_consent.runs.standing import Finding
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.vocabulary import Tier

_HOUSE = "Hanse, approval of runs"
_CATEGORY_TERM: TypeAdapter[str] = TypeAdapter(CategoryTerm)


class Planner(Protocol):
    """Makes a question ready, as :func:`hanse_consent.decisions.planning.make_plan` does."""

    def __call__(self, question: Question, *, registry: Registry, packs: LawPacks, at: datetime) -> Plan:
        """The plan of a question under a registry and packs, as of a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check found, and under which versions.

    Args:
        findings: What forbids the run; nothing, if officers may decide.
        high_risk: Whether two officers have to approve.
        registry_version: The registry that was read.
        pack_versions: Version of each law pack, by name.
    """

    findings: tuple[Finding, ...]
    high_risk: bool
    registry_version: int
    pack_versions: dict[str, str]


def check(
    proposal: RunProposal,
    *,
    controller: str,
    registry: Registry,
    packs: LawPacks,
    at: datetime,
    planner: Planner = make_plan,
) -> CheckResult:
    """Hold a proposal against everything that one controller is bound by.

    Args:
        proposal: What the centre wants to do.
        controller: The partner whose customers it is about.
        registry: What is registered.
        packs: The law packs; of each law, the version in force at ``at`` decides.
        at: The moment asked about.
        planner: Makes a plan of each step's question.
    """
    plans = _plans(proposal, controller=controller, registry=registry, packs=packs, at=at, planner=planner)
    return CheckResult(
        findings=_findings(proposal, controller=controller, registry=registry, plans=plans, at=at),
        high_risk=is_high_risk(proposal, controller=controller, registry=registry, packs=packs, at=at),
        registry_version=registry.version,
        pack_versions=packs.versions(at),
    )


def check_proposal(
    proposal: RunProposal,
    *,
    controller: str,
    registry: Registry,
    packs: LawPacks,
    at: datetime,
    planner: Planner = make_plan,
) -> tuple[Finding, ...]:
    """Everything that forbids the run at this controller; nothing, if officers may decide.

    Arguments as :func:`check`.
    """
    plans = _plans(proposal, controller=controller, registry=registry, packs=packs, at=at, planner=planner)
    return _findings(proposal, controller=controller, registry=registry, plans=plans, at=at)


def questions(proposal: RunProposal, *, controller: str) -> tuple[Question, ...]:
    """What the run asks about one controller's customers: one question per purpose and tier.

    Each is asked for all kinds of data that the proposal states, as the rounds' manifests are.
    """
    if _malformed(proposal.data_categories):
        return ()
    recipients = tuple(sorted({recipient.name for recipient in proposal.recipients} - {controller}))
    mates = tuple(sorted(set(proposal.partners()) - {controller}))
    return tuple(
        Question(
            controller=controller,
            purpose=purpose,
            tier=tier,
            categories=tuple(sorted(set(proposal.data_categories))),
            recipients=recipients,
            joint_controllers=mates,
            league_run=True,
        )
        for purpose, tier in dict.fromkeys((step.purpose, step.tier) for step in proposal.steps)
    )


def is_high_risk(proposal: RunProposal, *, controller: str, registry: Registry, packs: LawPacks, at: datetime) -> bool:
    """Whether two officers have to approve. Arguments as :func:`check`.

    So it is where a purpose was found to be of high risk or decides about customers without a person, where a step
    works at the advanced tier, where a sensitive kind of data is read (one that some law pack wants a separate
    consent for), and where a recipient is outside the territory of a law that the controller is under.
    """
    purposes = [registry.purpose(name) for name in proposal.purposes()]
    registered, in_force = registry.controller(controller), packs.in_force(at)
    # What is not known is not known to be harmless.
    return (
        any(purpose is None or purpose.high_risk or purpose.automated_decision for purpose in purposes)
        or any(step.tier is Tier.ADVANCED for step in proposal.steps)
        or not _sensitive(in_force).isdisjoint(proposal.data_categories)
        or registered is None
        or any(_is_abroad(recipient.country, registered, in_force) for recipient in proposal.recipients)
    )


def _plans(
    proposal: RunProposal,
    *,
    controller: str,
    registry: Registry,
    packs: LawPacks,
    at: datetime,
    planner: Planner,
) -> tuple[Plan, ...]:
    asked = questions(proposal, controller=controller)
    return tuple(planner(question, registry=registry, packs=packs, at=at) for question in asked)


def _findings(
    proposal: RunProposal, *, controller: str, registry: Registry, plans: tuple[Plan, ...], at: datetime
) -> tuple[Finding, ...]:
    findings = [*_terms(proposal, controller, registry, at=at), *_recipients(proposal, registry)]
    for plan in plans:
        findings += [
            Finding(
                rule=exclusion.reason.rule,
                article=exclusion.reason.article,
                code=exclusion.reason.code,
                what=f"excludes every customer from {plan.question.purpose} at tier {plan.question.tier.value}",
            )
            for exclusion in plan.exclusions
            if isinstance(exclusion.excluded, Everyone)
        ]
    return tuple(dict.fromkeys(findings))


def _malformed(categories: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(term for term in categories if not _is_term(term))


def _is_term(text: str) -> bool:
    try:
        _CATEGORY_TERM.validate_python(text)
    except ValidationError:
        return False
    return True


def _is_abroad(country: str, controller: Controller, packs: tuple[LawPack, ...]) -> bool:
    at_home = [pack.territories for pack in packs if controller.country in pack.territories]
    if not at_home:
        return country != controller.country
    return any(country not in territories for territories in at_home)


def _sensitive(packs: tuple[LawPack, ...]) -> frozenset[str]:
    kinds = (SeparateConsentForCategories, ExplicitConsentForCategories)
    conditions = [rule.condition for pack in packs for rule in pack.decisions]
    return frozenset().union(*(condition.categories for condition in conditions if isinstance(condition, kinds)))


def _terms(proposal: RunProposal, controller: str, registry: Registry, *, at: datetime) -> Iterator[Finding]:
    if at >= proposal.expires_at:
        yield _own("H-run.time", "PROPOSAL_EXPIRED", f"the proposal expired at {proposal.expires_at.isoformat()}")
    for term in _malformed(proposal.data_categories):
        yield _own("H-run.data", "CATEGORY_UNKNOWN", f"{term[:80]!r} is no term for a kind of data")
    keys = {entry.partner: entry.public_key for entry in proposal.roster}
    registered = registry.controller(controller)
    if controller not in keys:
        yield _own("H-run.party", "NOT_IN_ROSTER", f"{controller} is not in the roster")
    elif registered is not None and keys[controller] != registered.public_key:
        yield _own("H-run.key", "ROSTER_KEY_DIFFERS", f"the roster's key of {controller} is not the registered one")


def _recipients(proposal: RunProposal, registry: Registry) -> Iterator[Finding]:
    for recipient in proposal.recipients:
        registered = registry.recipient(recipient.name) or registry.controller(recipient.name)
        # One that is not registered at all is refused by the house's own rules.
        if registered is not None and registered.country != recipient.country:
            yield _own(
                "H-run.country",
                "RECIPIENT_COUNTRY_DIFFERS",
                f"{recipient.name} is proposed in {recipient.country}, registered in {registered.country}",
            )


def _own(rule: str, code: str, what: str) -> Finding:
    return Finding(rule=rule, article=_HOUSE, code=code, what=what)
