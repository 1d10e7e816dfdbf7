"""A second opinion on every decision: the same cases through Cedar, an independent policy engine.

The policies in ``use.cedar`` and what is laid out for them here were written from the tables of law and the semantics,
not from the law packs, and share no code with the decisions: facts are folded from acts, dates, ages and notices are
reasoned about anew.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import cedarpy
from oracle_worlds import Case, World

from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateMatter
from hanse_consent.domain.parties import AgreementRole, AssessmentKind, Transfer, TransferMechanism
from hanse_consent.domain.registry import Registry

POLICIES = Path(__file__).with_name("use.cedar")

EEA = frozenset(
    ["AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT"]
) | {"LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"}
ADEQUATE = frozenset({"AD", "AR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "JP", "KR", "NZ", "UY"})
AGE_OF_CONSENT = {"AT": 14, "FR": 15, "SE": 13}
SIXTEEN = 16
SPECIAL = frozenset({"pd:Health", "pd:Religion", "pd:Biometric", "pd:PoliticalOpinion"})
# Article 28 gives examples and leaves the list open: faces, where somebody was, and what they think of politics belong.
SENSITIVE = frozenset(
    {
        "pd:Health",
        "pd:Religion",
        "pd:Biometric",
        "pd:Location",
        "pd:FinancialAccount",
        "pd:PoliticalOpinion",
        "hanse:InStoreCamera",
    }
)
GROWN_UP = 200
NEVER_US = 2**62
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

SAFEGUARDS = frozenset(
    {
        TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES,
        TransferMechanism.BINDING_CORPORATE_RULES,
        TransferMechanism.CERTIFICATION,  # GDPR 46(2)(f)
    }
)
CHINESE_MECHANISMS = frozenset(
    {
        TransferMechanism.STANDARD_CONTRACT,
        TransferMechanism.CERTIFICATION,
        TransferMechanism.SECURITY_ASSESSMENT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What Cedar says of one case."""

    permitted: bool
    forbidden_by: frozenset[str]
    """Ids of the forbids that fired."""


def authorize_all(cases: Sequence[Case]) -> list[bool]:
    """Whether Cedar permits each case."""
    return [verdict.permitted for verdict in verdicts(cases)]


def verdicts(cases: Sequence[Case]) -> list[Verdict]:
    """What Cedar says of each case, and why; an error inside a policy fails."""
    requests, entities = laid_out(cases)
    return evaluated(requests, entities)


def evaluated(requests: list[dict[str, Any]], entities: cedarpy.Entities) -> list[Verdict]:
    """Cedar's own part: what a measurement of Cedar should time."""
    policies = cedarpy.PolicySet.from_str(POLICIES.read_text())
    found = []
    for result in cedarpy.is_authorized_batch(requests, policies, entities):
        if result.diagnostics.errors:
            # Cedar leaves a policy out that fails: a forbid would be lost without a word.
            raise ValueError(f"a policy failed: {result.diagnostics.errors}")
        ids = frozenset(result.diagnostics.id_annotations_by_reason.values())
        found.append(Verdict(permitted=result.allowed, forbidden_by=frozenset() if result.allowed else ids))
    return found


def laid_out(cases: Sequence[Case]) -> tuple[list[dict[str, Any]], cedarpy.Entities]:
    """The cases as Cedar's requests and entities."""
    entities: list[dict[str, Any]] = []
    uses: dict[int, str] = {}
    requests = []
    for number, case in enumerate(cases):
        world = case.world
        if id(world) not in uses:
            uses[id(world)] = use = f"use-{len(uses)}"
            entities.append(_entity("Use", use, _use(world)))
            entities += [_entity("Notice", f"{use}/{name}", of) for name, of in _notices(world).items()]
        use = uses[id(world)]
        entities.append(_entity("Customer", str(number), _customer(case, use)))
        requests.append(
            {
                "principal": {"type": "Customer", "id": str(number)},
                "action": {"type": "Action", "id": "use"},
                "resource": {"type": "Use", "id": use},
                "context": json.dumps({"at_us": _us(world.at)}),
            }
        )
    return requests, cedarpy.Entities.from_json_str(json.dumps(entities))


def _entity(kind: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


def _us(moment: datetime) -> int:
    return round((moment - BEGINNING) / timedelta(microseconds=1))


# ---- What is asked, and what is registered about it ----


def _use(world: World) -> dict[str, Any]:
    registry, question = world.registry, world.question
    purpose = next((p for p in registry.purposes if p.name == question.purpose), None)
    countries = {recipient.name: recipient.country for recipient in registry.recipients}
    recipients = set(question.recipients)
    # Nobody knows where a stranger is: abroad.
    outside_gdpr = {name for name in recipients if countries.get(name) not in EEA | ADEQUATE}
    outside_pipl = {name for name in recipients if countries.get(name) != "CN"}
    western = _transfers(world, "gdpr")
    safeguarded = {t.recipient for t in western if t.mechanism in SAFEGUARDS}
    derogated = {t.recipient for t in western if t.mechanism is TransferMechanism.EXPLICIT_CONSENT_DEROGATION}
    chinese = _transfers(world, "pipl")
    parties = {
        role: {a.party for a in _in_force(world, registry.agreements) if a.role is role} for role in AgreementRole
    }
    processors = parties[AgreementRole.PROCESSOR]
    joint = parties[AgreementRole.JOINT_CONTROLLER]
    return {
        "controller": question.controller,
        "controller_known": any(c.name == question.controller for c in registry.controllers),
        "controller_is_critical": any(
            c.name == question.controller and c.critical_infrastructure for c in registry.controllers
        ),
        "purpose": question.purpose,
        "purpose_known": purpose is not None,
        "kind": purpose.kind.value if purpose else "unknown",
        "league_run": question.league_run,
        "tier": question.tier.value,
        "tier_rank": ["basic", "standard", "advanced"].index(question.tier.value),
        "tiers": [tier.value for tier in purpose.data_categories] if purpose else [],
        "categories": list(question.categories),
        "covered": list(purpose.data_categories.get(question.tier, ())) if purpose else [],
        "special_categories": sorted(SPECIAL & set(question.categories)),
        "sensitive_categories": sorted(SENSITIVE & set(question.categories)),
        "basis": {pack: _basis(world, pack) for pack in ("gdpr", "pipl")},
        "automated": bool(purpose and purpose.automated_decision),
        "sets_prices": bool(purpose and purpose.sets_prices),
        "direct_marketing": bool(purpose and purpose.direct_marketing),
        "publishes": bool(purpose and purpose.publishes),
        "high_risk": bool(purpose and purpose.high_risk),
        "recipients": sorted(recipients),
        "known_recipients": sorted(countries),
        "recipients_under_agreement": sorted(set().union(*parties.values())),
        "other_handlers": sorted(recipients - processors),
        "joint_controllers": list(question.joint_controllers),
        "joint_under_agreement": sorted(joint),
        "assessed": sorted({a.kind.value for a in _in_force(world, registry.assessments)}),
        "transfer_assessed": sorted(
            a.recipient
            for a in _in_force(world, registry.assessments)
            if a.kind is AssessmentKind.TRANSFER_IMPACT and a.recipient is not None
        ),
        "outside_gdpr": sorted(outside_gdpr),
        "with_gdpr_mechanism": sorted(safeguarded | derogated),
        "by_safeguard_only": sorted((outside_gdpr & safeguarded) - derogated),
        "by_derogation_only": sorted((outside_gdpr & derogated) - safeguarded),
        "outside_pipl": sorted(outside_pipl),
        "with_pipl_mechanism": sorted({t.recipient for t in chinese if t.mechanism in CHINESE_MECHANISMS}),
        "with_security_assessment": sorted(
            {t.recipient for t in chinese if t.mechanism is TransferMechanism.SECURITY_ASSESSMENT}
        ),
        # Counted per exporter, whoever received the data; nobody knows who was counted twice, so nobody was.
        "persons_exported": sum(t.persons_this_year for t in chinese),
        "sensitive_persons_exported": sum(t.sensitive_persons_this_year for t in chinese),
    }


def _in_force(world: World, records: Iterable[Any]) -> list[Any]:
    """Agreements or assessments of the controller that cover the purpose and are in force."""
    return [
        record
        for record in records
        if record.controller == world.question.controller
        and world.question.purpose in record.purposes
        and record.starts_at <= world.at < record.ends_at
    ]


def _transfers(world: World, pack: str) -> list[Transfer]:
    return [
        transfer
        for transfer in world.registry.transfers
        if transfer.controller == world.question.controller
        and transfer.pack == pack
        and transfer.starts_at <= world.at < transfer.ends_at
    ]


def _basis(world: World, pack: str) -> str:
    for purpose in world.registry.purposes:
        if purpose.name == world.question.purpose and pack in purpose.legal_basis:
            return purpose.legal_basis[pack].value
    return "consent"


def _notices(world: World) -> dict[str, dict[str, Any]]:
    """Per notice what all its languages agree on, because nobody kept in which one it was read."""
    notices = {}
    for notice in world.registry.notices:
        name = f"{notice.name}@{notice.version}"
        languages = [n for n in world.registry.notices if (n.name, n.version) == (notice.name, notice.version)]
        later = [
            n
            for n in world.registry.notices
            if n.name == notice.name
            and [*map(int, n.version.split("."))] > [*map(int, notice.version.split("."))]
            and n.published_at <= world.at
        ]
        notices[name] = {
            "published": all(n.published_at <= world.at for n in languages),
            "purposes": list(notice.purposes),
            "recipients": sorted(set.intersection(*(set(n.statements.recipients) for n in languages))),
            "controllers": sorted(set.intersection(*(set(n.statements.controllers) for n in languages))),
            "superseded": any(n.material_change for n in later),
        }
    unknown = {"published": False, "purposes": [], "recipients": [], "controllers": [], "superseded": False}
    return {**notices, "unknown": unknown}


# ---- What a customer said ----


def _customer(case: Case, use: str) -> dict[str, Any]:
    world, at_us = case.world, _us(case.world.at)
    spoken = _Spoken(case)
    residence, adult = spoken.residence(), spoken.age()
    under = _laws(world, residence)
    grounds = {_basis(world, pack) for pack in under}
    separate = {matter: spoken.separate(matter, explicitly=False) for matter in SeparateMatter}
    return {
        "under": sorted(under),
        "residence_covered": residence is None or residence in EEA or residence == "CN",
        "rests_on_consent": "consent" in grounds,
        "another_ground": bool(grounds - {"consent"}),
        "consent": spoken.consent(use),
        "years": adult,
        "age_of_consent": AGE_OF_CONSENT.get(residence or "", SIXTEEN),
        "guardian_agrees": spoken.guardian_until_us() > at_us,
        "restricted": spoken.stands(ActKind.RESTRICTION, ActKind.RESTRICTION_LIFTED),
        "refuses_automation": spoken.stands(ActKind.AUTOMATED_OPT_OUT, ActKind.AUTOMATED_OPT_IN),
        "objects": spoken.objects(),
        "erased": any(act.kind is ActKind.ERASURE for act in case.acts),
        "agreed_categories": separate[SeparateMatter.SENSITIVE_CATEGORY],
        "explicitly_agreed_categories": spoken.separate(SeparateMatter.SENSITIVE_CATEGORY, explicitly=True),
        "agreed_recipients": separate[SeparateMatter.RECIPIENT],
        "agreed_abroad": separate[SeparateMatter.ABROAD],
        "explicitly_agreed_abroad": spoken.separate(SeparateMatter.ABROAD, explicitly=True),
        "agreed_publication": world.question.purpose in separate[SeparateMatter.PUBLIC_DISCLOSURE],
        "agreed_imagery": world.question.purpose in separate[SeparateMatter.PUBLIC_PLACE_IMAGERY],
    }


def _laws(world: World, residence: str | None) -> set[str]:
    """That of where the controller is and that of where the customer lives; all where nobody knows one of them."""
    home = next((c.country for c in world.registry.controllers if c.name == world.question.controller), None)
    here = {home, residence}
    if home is None or residence is None:
        return {"gdpr", "pipl"}
    return ({"gdpr"} if here & EEA else set()) | ({"pipl"} if "CN" in here else set())


class _Spoken:
    """What counts of all that one customer said: the latest; of two at once, what takes away."""

    def __init__(self, case: Case) -> None:
        self._world = case.world
        self._acts = case.acts
        controllers = {c.name: c for c in case.world.registry.controllers}
        controller = controllers.get(case.world.question.controller)
        self._presumed = controller.presumed if controller is not None else None

    def _last(self, says_yes: Iterable[ConsentAct], says_no: Iterable[ConsentAct]) -> ConsentAct | None:
        spoken = [(act.said_at, 1, act) for act in says_no] + [(act.said_at, 0, act) for act in says_yes]
        return max(spoken, key=lambda said: said[:2])[2] if spoken else None

    def _of(self, *kinds: ActKind, purpose: str | None = None) -> list[ConsentAct]:
        return [act for act in self._acts if act.kind in kinds and (purpose is None or act.purpose == purpose)]

    def _reaching(self, *kinds: ActKind) -> list[ConsentAct]:
        """Acts on the purpose asked about, on one above it, or on all."""
        above = _with_ancestors(self._world.registry, self._world.question.purpose)
        return [
            a for a in self._acts if a.kind in kinds and ((a.purpose is None and bool(above)) or a.purpose in above)
        ]

    def consent(self, use: str) -> dict[str, Any]:
        purpose = self._world.question.purpose
        refusals = self._of(ActKind.REFUSAL, purpose=purpose)
        last = self._last(
            self._of(ActKind.GRANT, ActKind.RENEWAL, purpose=purpose), self._reaching(ActKind.WITHDRAWAL) + refusals
        )
        known = {f"{notice.name}@{notice.version}" for notice in self._world.registry.notices}
        nothing = {"until_us": 0, "tier_rank": 0, "explicit": False, "notice": _notice(use, "unknown")}
        if last is None:
            return {"state": "none", **nothing}
        if last.tier is None or last.notice is None:
            return {"state": "refused" if last.kind is ActKind.REFUSAL else "withdrawn", **nothing}
        lasts = [timedelta(days=p.consent_lasts_days) for p in self._world.registry.purposes if p.name == purpose]
        ends = [_us(last.said_at + time) for time in lasts] + ([_us(last.ends_at)] if last.ends_at else [])
        return {
            "state": "given",
            "until_us": min(ends, default=NEVER_US),
            "tier_rank": ["basic", "standard", "advanced"].index(last.tier.value),
            "explicit": last.explicit,
            "notice": _notice(use, last.notice if last.notice in known else "unknown"),
        }

    def objects(self) -> bool:
        last = self._last(self._reaching(ActKind.OBJECTION_LIFTED), self._reaching(ActKind.OBJECTION))
        return last is not None and last.kind is ActKind.OBJECTION

    def stands(self, begins: ActKind, ends: ActKind) -> bool:
        last = self._last(self._of(ends), self._of(begins))
        return last is not None and last.kind is begins

    def guardian_until_us(self) -> int:
        purpose = self._world.question.purpose
        last = self._last(
            self._of(ActKind.GUARDIAN_GRANT, purpose=purpose), self._of(ActKind.GUARDIAN_WITHDRAWAL, purpose=purpose)
        )
        if last is None or last.kind is ActKind.GUARDIAN_WITHDRAWAL:
            return 0
        return _us(last.ends_at) if last.ends_at is not None else NEVER_US

    def separate(self, matter: SeparateMatter, *, explicitly: bool) -> list[str]:
        """Subjects of this matter that a separate consent holds for."""
        about = [act for act in self._acts if act.separate is not None and act.separate.matter is matter]
        agreed = []
        for subject in {act.separate.subject for act in about if act.separate is not None}:
            same = [act for act in about if act.separate is not None and act.separate.subject == subject]
            last = self._last(
                [act for act in same if act.kind is ActKind.SEPARATE_GRANT],
                [act for act in same if act.kind is ActKind.SEPARATE_WITHDRAWAL],
            )
            if last is None or last.kind is ActKind.SEPARATE_WITHDRAWAL:
                continue
            if (last.ends_at is None or last.ends_at > self._world.at) and (last.explicit or not explicitly):
                agreed.append(subject)
        return sorted(agreed)

    def residence(self) -> str | None:
        last = self._last([act for act in self._acts if act.country is not None], [])
        if last is not None:
            return last.country
        return self._presumed.country if self._presumed is not None else None

    def age(self) -> int:
        """Completed years on the day asked about; of somebody unknown those of a newborn."""
        last = self._last([act for act in self._acts if act.age is not None], [])
        if last is None or last.age is None:
            return GROWN_UP if self._presumed is not None and self._presumed.adult else 0
        return GROWN_UP if last.age.born_on is None else completed_years(last.age.born_on, self._world.at.date())


def _notice(use: str, name: str) -> dict[str, Any]:
    return {"__entity": {"type": "Notice", "id": f"{use}/{name}"}}


def _with_ancestors(registry: Registry, purpose: str) -> set[str]:
    parents = {p.name: p.parent for p in registry.purposes}
    found = set()
    step: str | None = purpose if purpose in parents else None
    while step is not None:
        found.add(step)
        step = parents[step]
    return found


def completed_years(born_on: date, today: date) -> int:
    """Somebody born on 29 February has their birthday on 1 March of a common year."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
