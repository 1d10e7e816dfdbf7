"""Random registries, questions and customers, mostly lawful, each broken in a few places. Seeded: no case is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from hanse_consent.decisions.question import Question
from hanse_consent.domain.acts import ActKind, Age, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.notices import Notice, NoticeStatements
from hanse_consent.domain.parties import (
    Agreement,
    AgreementRole,
    Assessment,
    AssessmentKind,
    Controller,
    PresumedCustomer,
    Recipient,
    Transfer,
    TransferMechanism,
)
from hanse_consent.domain.purposes import LegalBasis, Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SHA = "0" * 64
KEY = SigningKey.generate().public.text

ORDINARY = ("pd:PurchasesAndSpendingHabit", "pd:Interest")
DELICATE = (
    "pd:Health",
    "pd:Religion",
    "pd:Biometric",
    "pd:PoliticalOpinion",
    "pd:Location",
    "pd:FinancialAccount",
    "hanse:InStoreCamera",
)
ASKED = "spring-model"
PARENT = "models"
HOMES = ("DE", "DE", "FR", "AT", "SE", "CN", "CN", "CN", "CN")
ELSEWHERE = "US"
ABROAD = ("DE", "FR", "CN", "JP", "SG")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is registered, what is asked, and when."""

    registry: Registry
    question: Question
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One customer in a world: all its acts, in the order in which they arrived."""

    world: World
    acts: tuple[ConsentAct, ...]


class _Dice(Random):
    """Random numbers, and how much goes wrong: in most worlds little, or nobody would ever be permitted."""

    mischief = 1.0

    def draw_mischief(self) -> None:
        self.mischief = self.choice((0.05, 0.05, 1.0))

    def breaks(self, chance: float) -> bool:
        """Whether this goes wrong, too."""
        return self.random() < chance * self.mischief


def cases(*, seed: int, worlds: int, customers: int) -> Iterator[Case]:
    """So many worlds with so many customers each; the same for the same seed."""
    for number in range(worlds):
        dice = _Dice(f"{seed}/{number}")
        dice.draw_mischief()
        world = _world(dice)
        for customer in range(customers):
            dice.draw_mischief()
            yield Case(world=world, acts=_acts(dice, world, customer))


def _world(r: _Dice) -> World:
    at = NOON
    joint = [name for name in ("north", "south") if r.random() < 0.3]
    recipients = [Recipient(name=n, legal_name=n, contact=n, country=r.choice(ABROAD)) for n in ("lab", "agency")]
    receiving = [recipient.name for recipient in recipients if r.random() < 0.35]
    purposes = _purposes(r)
    asked = purposes[1]
    league = r.random() < 0.5
    tier = r.choice(tuple(Tier)) if r.breaks(0.2) else r.choice(asked.tiers)
    offered = asked.data_categories.get(tier, asked.data_categories[asked.tiers[-1]])
    categories = tuple(r.sample(offered, r.randint(1, len(offered))))
    if r.breaks(0.15):
        categories += (r.choice([c for c in (*ORDINARY, *DELICATE) if c not in categories]),)
    question = Question(
        controller="nobody" if r.breaks(0.03) else "shop",
        purpose="unheard-of" if r.breaks(0.05) else ASKED,
        tier=tier,
        categories=categories,
        recipients=(*receiving, *(["stranger"] if r.breaks(0.1) else [])),
        joint_controllers=tuple(joint),
        league_run=league,
    )
    registry = Registry(
        version=1,
        controllers=_controllers(r),
        recipients=tuple(recipients),
        purposes=purposes,
        notices=_notices(r, at, joint, [recipient.name for recipient in recipients]),
        agreements=tuple(_agreements(r, at, joint, recipients)),
        transfers=tuple(_transfers(r, at, recipients)),
        assessments=tuple(_assessments(r, at, recipients)),
    )
    return World(registry=registry, question=question, at=at)


def _controllers(r: _Dice) -> tuple[Controller, ...]:
    presumed = PresumedCustomer(country=_home(r), adult=r.random() < 0.9) if r.random() < 0.5 else None
    return tuple(
        Controller(
            name=name,
            legal_name=name,
            contact=name,
            country=r.choice(("DE", "DE", "CN", "US")),
            public_key=KEY,
            presumed=presumed if name == "shop" else None,
            critical_infrastructure=r.breaks(0.2),
        )
        for name in ("shop", "north", "south")
    )


def _home(r: _Dice) -> str:
    return ELSEWHERE if r.breaks(0.1) else r.choice(HOMES)


def _purposes(r: _Dice) -> tuple[Purpose, ...]:
    delicate = tuple(r.sample(DELICATE, r.choice((0, 0, 0, 1, 2))))
    deepest = (*ORDINARY, *delicate)
    tiers = {Tier.BASIC: ORDINARY[:1], Tier.STANDARD: ORDINARY, Tier.ADVANCED: deepest}
    kept = r.sample(tuple(Tier), r.choice((2, 3, 3)))

    def basis() -> LegalBasis:
        return r.choice(tuple(LegalBasis)) if r.random() < 0.2 else LegalBasis.CONSENT

    return (
        Purpose(
            name=PARENT,
            title="All models",
            description="All models",
            kind=PurposeKind.TRAINING,
            data_categories={Tier.BASIC: ORDINARY},
            retention_days=30,
            consent_lasts_days=365,
        ),
        Purpose(
            name=ASKED,
            title="A model",
            description="A model",
            kind=PurposeKind.OPERATIONS if r.breaks(0.15) else PurposeKind.TRAINING,
            parent=PARENT if r.random() < 0.7 else None,
            data_categories={tier: tiers[tier] for tier in Tier if tier in kept},
            legal_basis={pack: basis() for pack in ("gdpr", "pipl") if r.random() < 0.6},
            retention_days=30,
            consent_lasts_days=r.choice((30, 365)),
            automated_decision=r.random() < 0.25,
            sets_prices=r.random() < 0.2,
            direct_marketing=r.random() < 0.3,
            publishes=r.random() < 0.1,
            high_risk=r.random() < 0.3,
        ),
    )


def _notices(r: _Dice, at: datetime, joint: list[str], recipients: list[str]) -> tuple[Notice, ...]:
    notices = []
    # A material change that is published only after the moment asked about has no effect yet.
    published = [at - 400 * DAY, at - 100 * DAY, at - 20 * DAY if r.random() < 0.7 else at + DAY]
    for number, published_at in enumerate(published, start=1):
        purposes = (PARENT,) if r.breaks(0.15) else (PARENT, ASKED)
        controllers = tuple(n for n in ("shop", *joint) if not r.breaks(0.1))
        named = tuple(n for n in recipients if not r.breaks(0.15))
        material = number > 1 and r.random() < 0.15
        for language in ("en", "zh") if r.random() < 0.3 else ("en",):
            # Rarely one language names fewer recipients than the other.
            notices.append(
                Notice(
                    name="terms",
                    version=str(number),
                    language=language,
                    purposes=purposes,
                    published_at=published_at,
                    material_change=material,
                    statements=NoticeStatements(
                        controllers=controllers,
                        recipients=named if language == "en" or not r.breaks(0.2) else named[:-1],
                    ),
                    text="What we do with your data.",
                )
            )
    return tuple(notices)


def _dates(r: _Dice, at: datetime) -> tuple[datetime, datetime]:
    if r.breaks(0.07):
        return at - 50 * DAY, at  # ended this very moment
    if r.random() < 0.04:
        return at, at + DAY  # begins this very moment
    if r.breaks(0.05):
        return at + DAY, at + 50 * DAY
    return at - 50 * DAY, at + 50 * DAY


def _agreements(r: _Dice, at: datetime, joint: list[str], recipients: list[Recipient]) -> Iterator[Agreement]:
    wanted = [(name, AgreementRole.JOINT_CONTROLLER) for name in joint]
    for recipient in recipients:
        roles = r.choice(
            (
                [AgreementRole.PROCESSOR],
                [AgreementRole.PROCESSOR],
                [AgreementRole.INDEPENDENT_CONTROLLER],
                [AgreementRole.JOINT_CONTROLLER],
            )
        )
        wanted += [(recipient.name, role) for role in roles]
    for number, (party, role) in enumerate(wanted):
        if r.breaks(0.1):
            continue
        starts_at, ends_at = _dates(r, at)
        yield Agreement(
            name=f"agreement-{number}",
            controller="north" if r.breaks(0.04) else "shop",
            party=party,
            role=r.choice(tuple(AgreementRole)) if r.breaks(0.05) else role,
            purposes=(PARENT,) if r.breaks(0.06) else (ASKED,),
            document_sha256=SHA,
            starts_at=starts_at,
            ends_at=ends_at,
        )


_WESTERN = (
    TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES,
    TransferMechanism.BINDING_CORPORATE_RULES,
    TransferMechanism.EXPLICIT_CONSENT_DEROGATION,
)
_CHINESE = (
    TransferMechanism.STANDARD_CONTRACT,
    TransferMechanism.CERTIFICATION,
    TransferMechanism.SECURITY_ASSESSMENT,
)


def _transfers(r: _Dice, at: datetime, recipients: list[Recipient]) -> Iterator[Transfer]:
    number = 0
    for recipient in recipients:
        for pack, mechanisms in (("gdpr", _WESTERN), ("pipl", _CHINESE)):
            if r.breaks(0.12):
                continue
            number += 1
            starts_at, ends_at = _dates(r, at)
            persons = (0, 99_999, 100_000, 499_999, 999_999, 1_000_000) if r.breaks(0.8) else (0, 9)
            yield Transfer(
                name=f"transfer-{number}",
                controller="north" if r.breaks(0.04) else "shop",
                recipient=recipient.name,
                pack=pack,
                mechanism=r.choice(tuple(TransferMechanism)) if r.breaks(0.1) else r.choice(mechanisms),
                document_sha256=SHA,
                persons_this_year=r.choice(persons),
                sensitive_persons_this_year=r.choice((0, 4_999, 5_000, 9_999, 10_000) if r.breaks(0.4) else (0, 9)),
                starts_at=starts_at,
                ends_at=ends_at,
            )


def _assessments(r: _Dice, at: datetime, recipients: list[Recipient]) -> Iterator[Assessment]:
    for kind in AssessmentKind:
        for about in recipients if kind is AssessmentKind.TRANSFER_IMPACT else [None]:
            if r.breaks(0.12):
                continue
            starts_at, ends_at = _dates(r, at)
            yield Assessment(
                name=f"{kind.value}-{about.name if about else 'all'}",
                controller="north" if r.breaks(0.04) else "shop",
                kind=kind,
                purposes=(PARENT,) if r.breaks(0.06) else (ASKED,),
                recipient=about.name if about else None,
                approved_by="officer",
                document_sha256=SHA,
                starts_at=starts_at,
                ends_at=ends_at,
            )


class _Customer:
    """Says things, each at a time of its own unless told otherwise."""

    def __init__(self, r: _Dice, world: World, number: int) -> None:
        self.r = r
        self.at = world.at
        self.name = f"{number:032x}"
        self.acts: list[ConsentAct] = []
        # Few grants last so long that none is left after 60 days.
        days = 60 if r.breaks(0.5) else 25
        self.free = [timedelta(hours=hours) for hours in r.sample(range(1, 24 * days), 40)]

    def say(self, kind: ActKind, *, said_at: datetime | None = None, **more: object) -> ConsentAct:
        act = ConsentAct(
            kind=kind,
            customer=self.name,
            said_at=said_at or self.at - self.free.pop(),
            key=f"{self.name}-{len(self.acts)}",
            **more,  # type: ignore[arg-type]
        )
        self.acts.append(act)
        return act

    def end(self, said_at: datetime) -> datetime | None:
        """When a grant ends by the customer's own wish."""
        ends_at = self.at + DAY if self.r.random() < 0.2 else None
        if self.r.breaks(0.3):
            ends_at = self.r.choice((self.at - DAY, self.at))
        return ends_at if ends_at is not None and ends_at > said_at else None


def _acts(r: _Dice, world: World, number: int) -> tuple[ConsentAct, ...]:
    customer = _Customer(r, world, number)
    _profile(customer)
    _grants(customer)
    _separate_consents(customer, world)
    for kind, chance in (
        (ActKind.RESTRICTION, 0.15),
        (ActKind.RESTRICTION_LIFTED, 0.1),
        (ActKind.AUTOMATED_OPT_OUT, 0.3),
        (ActKind.AUTOMATED_OPT_IN, 0.1),
        (ActKind.ERASURE, 0.06),
    ):
        if r.breaks(chance):
            customer.say(kind)
    for kind, chance in ((ActKind.OBJECTION, 0.3), (ActKind.OBJECTION_LIFTED, 0.2)):
        if r.breaks(chance):
            customer.say(kind, purpose=r.choice((ASKED, PARENT, None)))
    r.shuffle(customer.acts)
    return tuple(customer.acts)


def _profile(customer: _Customer) -> None:
    r = customer.r
    if r.random() < 0.9:
        customer.say(ActKind.PROFILE, country=_home(r))
    if r.random() < 0.05:
        customer.say(ActKind.PROFILE, country=_home(r))
    dice = r.random()
    if dice < 0.75:
        customer.say(ActKind.PROFILE, age=Age(adult=True))
    elif dice < 0.93:
        today = customer.at.date()
        years = r.choice((12, 13, 14, 15, 16, 17))
        birthday = date(today.year - years, today.month, today.day) + r.choice((-1, 0, 0, 1, 100)) * DAY
        customer.say(ActKind.PROFILE, age=Age(adult=False, born_on=birthday))
        if r.random() < 0.7:
            said_at = customer.at - customer.free.pop()
            customer.say(
                ActKind.GUARDIAN_GRANT,
                said_at=said_at,
                purpose=PARENT if r.breaks(0.2) else ASKED,
                notice="terms@2",
                ends_at=customer.end(said_at),
            )
        if r.random() < 0.1:
            customer.say(ActKind.GUARDIAN_WITHDRAWAL, purpose=ASKED)


def _grants(customer: _Customer) -> None:
    r = customer.r
    grants = []
    for _ in range(r.choice((0, 1, 1, 2)) if r.breaks(0.5) else 1):
        said_at = customer.at - customer.free.pop()
        grants.append(
            customer.say(
                r.choice((ActKind.GRANT, ActKind.RENEWAL)),
                said_at=said_at,
                purpose=PARENT if r.breaks(0.1) else ASKED,
                tier=r.choice(tuple(Tier)) if r.breaks(0.6) else Tier.ADVANCED,
                notice=r.choice(("terms@1", "terms@3", "unknown@1")) if r.breaks(0.4) else "terms@2",
                explicit=r.random() < 0.75,
                ends_at=customer.end(said_at),
            )
        )
    if r.breaks(0.25):
        # Also at the very moment of a grant: then the withdrawal counts.
        same = grants[0].said_at if grants and r.random() < 0.3 else None
        customer.say(ActKind.WITHDRAWAL, said_at=same, purpose=r.choice((ASKED, PARENT, None)))
    if r.breaks(0.15):
        customer.say(ActKind.REFUSAL, purpose=ASKED)
    if r.random() < 0.1:
        customer.say(ActKind.DEFERRAL, purpose=ASKED)
    if r.random() < 0.1:
        customer.say(ActKind.NOTICE_SERVED, notice="terms@2")


def _separate_consents(customer: _Customer, world: World) -> None:
    r = customer.r
    question = world.question
    wanted = [(SeparateMatter.SENSITIVE_CATEGORY, term) for term in question.categories]
    for recipient in question.recipients:
        wanted += [(SeparateMatter.RECIPIENT, recipient), (SeparateMatter.ABROAD, recipient)]
    wanted += [(SeparateMatter.PUBLIC_DISCLOSURE, ASKED), (SeparateMatter.PUBLIC_PLACE_IMAGERY, ASKED)]
    generous = r.random() < 0.75
    for matter, subject in wanted:
        separate = SeparateConsent(matter=matter, subject=subject)
        if r.random() < (0.98 if generous else 0.3):
            said_at = customer.at - customer.free.pop()
            customer.say(
                ActKind.SEPARATE_GRANT,
                said_at=said_at,
                separate=separate,
                notice="terms@2",
                explicit=r.random() < 0.9,
                ends_at=customer.end(said_at),
            )
        if r.breaks(0.1):
            customer.say(ActKind.SEPARATE_WITHDRAWAL, separate=separate)
