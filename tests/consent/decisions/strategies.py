"""Random registries, questions and customers in which every rule about decisions is met, and kept, often enough.

Small vocabularies make things meet. Half of the worlds are calm: little in them is odd, so that customers are
permitted, too. A case is drawn as one seed, which is many times faster than drawing each of its parts, and prints
short enough to try again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import TypeVar

from hypothesis import strategies as st
from lawful_world import (
    HEALTH,
    NOW,
    ORDINARY,
    YEAR,
    agreement,
    assessment,
    controller,
    notice,
    purpose,
    recipient,
    transfer,
)

from hanse_consent.decisions.facts import (
    AGE,
    AUTOMATED,
    ERASURE,
    RESIDENCE,
    RESTRICTION,
    CustomerFacts,
    Fact,
    FactState,
    consent_topic,
    guardian_topic,
    objection_topic,
)
from hanse_consent.decisions.question import Question
from hanse_consent.domain.acts import SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import NO_END, to_day_number, to_microseconds
from hanse_consent.domain.notices import Notice
from hanse_consent.domain.parties import (
    Agreement,
    AgreementRole,
    Assessment,
    AssessmentKind,
    PresumedCustomer,
    Transfer,
    TransferMechanism,
)
from hanse_consent.domain.purposes import LegalBasis, Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_privacy.protocol.vocabulary import Tier

DAY = timedelta(days=1)
CAMERA = "hanse:InStoreCamera"
LOCATION = "pd:Location"
CATEGORIES = (ORDINARY, "pd:Age", HEALTH, LOCATION, CAMERA)
RECIPIENTS = ("centre", "faraway")
MOMENTS = tuple(NOW + shift for shift in (-YEAR, -2 * DAY, -DAY, timedelta(0), DAY, 2 * DAY, YEAR))
"""When dated things begin and end, and when questions are asked: close enough to meet."""

T = TypeVar("T")
_DAYS_BESIDE_A_BIRTHDAY = (-1, 0, 1, 2)


class Dice:
    """Draws what is usual most of the time.

    Args:
        seed: The same seed draws the same.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.calm = self._random.random() < 0.5

    def odd(self, chance: float) -> bool:
        """Whether something unusual happens, with this chance in a world that is not calm."""
        return self._random.random() < (chance / 10 if self.calm else chance)

    def pick(self, chance: float, usual: T, *unusual: T) -> T:
        """What is usual, or else one of the others."""
        return self._random.choice(unusual) if self.odd(chance) else usual

    def any(self, choices: Sequence[T]) -> T:
        """One of them, all alike."""
        return self._random.choice(choices)


def _dated(dice: Dice) -> dict[str, datetime]:
    starts_at, ends_at = dice.pick(
        0.2,
        (NOW - 2 * YEAR, NOW + 2 * YEAR),
        (NOW - YEAR, NOW - DAY),
        (NOW - YEAR, NOW),
        (NOW, NOW + YEAR),
        (NOW - DAY, NOW + DAY),
        (NOW + DAY, NOW + YEAR),
    )
    return {"starts_at": starts_at, "ends_at": ends_at}


def _purposes_of_record(dice: Dice) -> tuple[str, ...]:
    return dice.pick(0.08, ("statistics", "churn", "retired"), ("churn",))


def _purpose(dice: Dice) -> Purpose:
    other_bases = (
        LegalBasis.CONTRACT,
        LegalBasis.LEGITIMATE_INTERESTS,
        LegalBasis.NEWS_REPORTING,
        LegalBasis.PUBLIC_TASK,
    )
    held = {Tier.BASIC: (ORDINARY,), Tier.STANDARD: CATEGORIES[:4]}
    if dice.any((True, False)):
        held[Tier.ADVANCED] = CATEGORIES
    return purpose(
        parent=dice.any(("everything", None)),
        kind=dice.pick(0.2, PurposeKind.STATISTICS, PurposeKind.OPERATIONS),
        data_categories=held,
        legal_basis={pack: dice.pick(0.4, LegalBasis.CONSENT, *other_bases) for pack in ("gdpr", "pipl")},
        automated_decision=dice.odd(0.45),
        sets_prices=dice.odd(0.25),
        direct_marketing=dice.odd(0.3),
        publishes=dice.odd(0.25),
        high_risk=dice.odd(0.25),
    )


def _notice(dice: Dice, version: str) -> Notice:
    statements = {
        "controllers": dice.pick(0.3, ("shop", "other"), ("shop",), ("other",)),
        "recipients": dice.pick(0.3, RECIPIENTS, ("centre",), ()),
    }
    return notice(
        version,
        purposes=dice.pick(0.15, ("statistics", "churn", "retired"), ("churn",)),
        published_at=dice.pick(0.2, NOW - YEAR, NOW - DAY, NOW, NOW + DAY),
        material_change=dice.odd(0.4),
        statements=statements,
    )


def _transfers(dice: Dice) -> tuple[Transfer, ...]:
    found = []
    usual = {
        "gdpr": (TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES, TransferMechanism.EXPLICIT_CONSENT_DEROGATION),
        "pipl": (TransferMechanism.STANDARD_CONTRACT, TransferMechanism.SECURITY_ASSESSMENT),
    }
    for party in RECIPIENTS:
        for pack, mechanisms in usual.items():
            if dice.odd(0.3):
                continue
            mechanism = dice.pick(0.2, dice.any(mechanisms), TransferMechanism.BINDING_CORPORATE_RULES)
            persons = dice.pick(0.3, 0, 99_999, 999_999, 1_000_000)
            sensitive = dice.pick(0.3, 0, 9_999, 10_000)
            counts = {"persons_this_year": persons, "sensitive_persons_this_year": sensitive}
            found.append(transfer(party, pack, mechanism, **counts, **_dated(dice)))
    return tuple(found)


def _agreements(dice: Dice) -> tuple[Agreement, ...]:
    found = []
    for party in RECIPIENTS:
        role = dice.pick(
            0.4, AgreementRole.PROCESSOR, AgreementRole.JOINT_CONTROLLER, AgreementRole.INDEPENDENT_CONTROLLER
        )
        if not dice.odd(0.1):
            found.append(agreement(party, role, purposes=_purposes_of_record(dice), **_dated(dice)))
    if not dice.odd(0.15):
        purposes = _purposes_of_record(dice)
        found.append(agreement("other", AgreementRole.JOINT_CONTROLLER, purposes=purposes, **_dated(dice)))
    return tuple(found)


def _assessments(dice: Dice) -> tuple[Assessment, ...]:
    found = []
    for kind in AssessmentKind:
        for party in RECIPIENTS if kind is AssessmentKind.TRANSFER_IMPACT else (None,):
            if not dice.odd(0.4):
                name = f"{kind.value}-{party or 'general'}"
                purposes = _purposes_of_record(dice)
                found.append(assessment(kind, name=name, recipient=party, purposes=purposes, **_dated(dice)))
    return tuple(found)


def random_registry(dice: Dice) -> Registry:
    """A registry of one shop that is asked about, its partner, two recipients and all that they agreed."""
    presumed = dice.any(
        (
            None,
            None,
            PresumedCustomer(country="DE", adult=True),
            PresumedCustomer(country="CN", adult=True),
            PresumedCustomer(country="CN", adult=False),
            PresumedCustomer(country="US", adult=True),
        )
    )
    shop = controller(country=dice.any(("DE", "DE", "CN", "CN", "US")))
    shop = shop.model_copy(update={"critical_infrastructure": dice.odd(0.4)})
    return Registry(
        version=3,
        controllers=(shop.model_copy(update={"presumed": presumed}), controller("other", shop.country)),
        recipients=(
            recipient("centre", dice.pick(0.4, shop.country, "DE", "CN", "JP")),
            recipient("faraway", dice.any(("BR", "BR", "JP", "CN", "DE"))),
        ),
        purposes=(_purpose(dice), purpose("churn"), purpose("everything")),
        notices=tuple(_notice(dice, version) for version in ("1", "2", "3")),
        agreements=_agreements(dice),
        transfers=_transfers(dice),
        assessments=_assessments(dice),
    )


def random_question(dice: Dice) -> Question:
    """A question that mostly makes sense to such a registry."""
    chosen = {dice.pick(0.7, ORDINARY, *CATEGORIES, "pd:Height"), dice.pick(0.3, ORDINARY, *CATEGORIES)}
    return Question(
        controller=dice.pick(0.08, "shop", "nobody"),
        purpose=dice.pick(0.2, "statistics", "churn", "retired"),
        tier=dice.pick(0.25, dice.any((Tier.BASIC, Tier.STANDARD)), Tier.ADVANCED),
        categories=tuple(sorted(chosen)),
        recipients=dice.pick(0.08, dice.any(((), ("centre",), ("faraway",), RECIPIENTS)), ("shop",), ("unheard",)),
        joint_controllers=dice.any(((), ("other",), ("shop", "other"))),
        league_run=dice.any((True, False)),
    )


_BIRTHDAYS = tuple(
    date(NOW.year - years, NOW.month, NOW.day) + shift * DAY
    for years in (13, 14, 15, 16)
    for shift in _DAYS_BESIDE_A_BIRTHDAY
)


def _said(dice: Dice) -> int:
    return to_microseconds(NOW - dice.any(range(1, 10)) * DAY)


def _ends(dice: Dice) -> int:
    return dice.pick(0.3, NO_END, *map(to_microseconds, MOMENTS))


def _grant(dice: Dice) -> Fact:
    state = dice.pick(0.3, FactState.GIVEN, FactState.WITHDRAWN, FactState.REFUSED)
    if state is not FactState.GIVEN:
        return Fact(state=state, effective_us=_said(dice))
    return Fact(
        state=state,
        effective_us=_said(dice),
        until_us=_ends(dice),
        tier_rank=dice.pick(0.5, 2, 0, 1),
        notice=dice.pick(0.7, "leaflet@3", "leaflet@1", "leaflet@2", "leaflet@4"),
        explicit=dice.any((True, False)),
    )


def _approval(dice: Dice) -> Fact:
    given = not dice.odd(0.2)
    return Fact(
        state=FactState.GIVEN if given else FactState.WITHDRAWN,
        effective_us=_said(dice),
        until_us=_ends(dice) if given else NO_END,
        explicit=given and dice.any((True, False)),
    )


SEPARATE_TOPICS = tuple(
    SeparateConsent(matter=matter, subject=subject).topic
    for matter, subjects in (
        (SeparateMatter.SENSITIVE_CATEGORY, CATEGORIES),
        (SeparateMatter.RECIPIENT, RECIPIENTS),
        (SeparateMatter.ABROAD, RECIPIENTS),
        (SeparateMatter.PUBLIC_DISCLOSURE, ("statistics",)),
        (SeparateMatter.PUBLIC_PLACE_IMAGERY, ("statistics",)),
    )
    for subject in subjects
)
_FLAG_TOPICS = (RESTRICTION, ERASURE, AUTOMATED, objection_topic("statistics"), objection_topic("churn"))


def random_customer(dice: Dice) -> CustomerFacts:
    """What prevails for one customer, as acts can make it."""
    found = {consent_topic(name): _grant(dice) for name in ("statistics", "churn", "retired") if not dice.odd(0.2)}
    if not dice.odd(0.2):
        country = dice.pick(0.1, dice.any(("DE", "CN")), "SE", "AT", "US")
        found[RESIDENCE] = Fact(state=FactState.GIVEN, effective_us=_said(dice), country=country)
    if not dice.odd(0.2):
        born = dice.any(_BIRTHDAYS) if dice.odd(0.4) else None
        born_on = to_day_number(born) if born is not None else None
        found[AGE] = Fact(state=FactState.GIVEN, effective_us=_said(dice), born_on=born_on)
    for topic in _FLAG_TOPICS:
        if dice.any((True, False)):
            state = dice.pick(0.5, FactState.LIFTED, FactState.IN_FORCE)
            found[topic] = Fact(state=state, effective_us=_said(dice))
    # Most customers answered either all of it or nothing.
    willing = dice.any((True, False))
    for topic in (guardian_topic("statistics"), guardian_topic("churn"), *SEPARATE_TOPICS) if willing else ():
        if not dice.odd(0.2):
            found[topic] = _approval(dice)
    return CustomerFacts(by_topic=found)


def random_moment(dice: Dice) -> datetime:
    """Mostly now, sometimes at or beside another date, rarely before a law was there."""
    beside = dice.any((timedelta(microseconds=-1), timedelta(0), timedelta(microseconds=1)))
    return dice.pick(0.3, NOW, *(moment + beside for moment in MOMENTS[1:-1]), NOW - 6 * YEAR)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that a decision about some customers reads."""

    seed: int
    registry: Registry
    question: Question
    customers: tuple[CustomerFacts, ...]
    at: datetime

    @property
    def at_us(self) -> int:
        """The moment, as decisions count it."""
        return to_microseconds(self.at)


def random_case(seed: int, *, customers: int = 1) -> Case:
    """The case of one seed, with so many customers."""
    dice = Dice(seed)
    return Case(
        seed=seed,
        registry=random_registry(dice),
        question=random_question(dice),
        customers=tuple(random_customer(dice) for _ in range(customers)),
        at=random_moment(dice),
    )


_SEEDS = st.integers(0, 2**31 - 1)


def cases(*, customers: int = 1) -> st.SearchStrategy[Case]:
    """A registry, a question, so many customers and a moment."""
    return _SEEDS.map(lambda seed: random_case(seed, customers=customers))


def registries() -> st.SearchStrategy[Registry]:
    """Registries alone."""
    return _SEEDS.map(lambda seed: random_registry(Dice(seed)))


def questions() -> st.SearchStrategy[Question]:
    """Questions alone."""
    return _SEEDS.map(lambda seed: random_question(Dice(seed)))


def customers() -> st.SearchStrategy[CustomerFacts]:
    """Customers alone."""
    return _SEEDS.map(lambda seed: random_customer(Dice(seed)))
