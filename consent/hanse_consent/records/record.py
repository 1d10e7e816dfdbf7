"""The consent record: what one customer said about one purpose, in ISO/IEC TS 27560 terms.

A pure function of the acts and the register. A record is evidence of what was said and shown. Whether a customer may
be used is answered by a decision, which knows more: objections, restrictions, agreements, assessments.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.notices import Notice
from hanse_consent.domain.purposes import Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.records.document import ConsentRecord, NoticeNode, Subject
from hanse_consent.records.errors import RecordSourceError
from hanse_consent.records.events import event_nodes, separate_bases
from hanse_consent.records.history import GIVING, RecordedAct, Standing, acts_about, in_force, separate_acts, standing
from hanse_consent.records.laws import RecordLaw, laws_named
from hanse_consent.records.names import customer_iri, notice_iri, party_iri, stable_uuid
from hanse_consent.records.parties import involved, party_nodes
from hanse_consent.records.processing import assessment_nodes, laws_of_consent, process_node
from hanse_consent.records.requirements import require_complete
from hanse_consent.records.vocabulary import context
from hanse_privacy.protocol.vocabulary import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSource:
    """What records of one controller are made from, beside the acts.

    Args:
        controller: Whose customers.
        registry: The register; it must know the purposes, and every notice that an act cites.
        packs: The law packs that apply to the customer, without ``house``.
        at: The moment that the record speaks of.
        position: The controller's position that was read: no act after it counts.
    """

    controller: str
    registry: Registry
    packs: tuple[str, ...]
    at: datetime
    position: int


def make_record(
    history: Sequence[RecordedAct], source: RecordSource, *, purpose: str, must_hold: Iterable[str] = ()
) -> ConsentRecord:
    """Make the record of one customer and one purpose.

    Args:
        history: The customer's acts, in any order; those about other purposes are left out.
        source: Whose, when, under which register and laws.
        purpose: Name of the purpose.
        must_hold: Further fields that a law wants held, as the standard names them.

    Raises:
        RecordSourceError: If the acts are not one customer's or not about the purpose, or something is unknown.
        RecordIncompleteError: If a field is missing that the record must hold; it is named.
        TermUnknownError: If the purpose names a kind of data that no vocabulary has.
    """
    registry = source.registry
    known = _registered(purpose, registry)
    laws = _laws(known, source.packs)
    read = [recorded for recorded in history if recorded.position <= source.position]
    customer = _the_customer(read)
    acts = acts_about(read, purpose=purpose, registry=registry)
    if not acts:
        raise RecordSourceError(f"No act speaks of the purpose {purpose}.", "There is nothing to make a record of.")
    now = standing(acts, purpose=purpose, registry=registry, at=source.at)
    shown = _notices(acts, registry)
    notice = _notice_relied_on(now, acts, registry)
    tier = _tier(known, now, acts)
    parties = involved(source.controller, notice)
    separate = separate_acts(
        read,
        purpose=purpose,
        categories=frozenset(known.data_categories[tier]),
        recipients=frozenset(parties.recipients),
    )
    nodes = party_nodes(parties, purpose=purpose, registry=registry, at=source.at)
    subject = customer_iri(source.controller, customer)
    series = (source.controller, customer, purpose)
    identifier = stable_uuid(*series, source.position, source.at.isoformat(), registry.version)
    record = ConsentRecord(
        id=f"urn:uuid:{identifier}",
        types=("dpv:ConsentRecord",),
        schema_versions=tuple(dict.fromkeys(schema for law in laws for schema in law.record_schemas)),
        identifiers=(identifier,),
        version_of=(f"urn:uuid:{stable_uuid(*series)}",),
        created=source.at,
        publishers=(party_iri(source.controller),),
        data_subject=Subject(id=subject, types=("dpv:DataSubject",), identifiers=(customer,)),
        notices=tuple(_notice_node(each) for each in _with_separate(shown, separate, registry)),
        processes=(
            process_node(
                purpose=known,
                tier=tier,
                notice=notice,
                parties=parties,
                laws=laws,
                legal_bases=_bases(known, laws, in_force(separate, registry=registry, at=source.at)),
                contact=nodes[0].contacts[0].description,
                assessments=assessment_nodes(purpose, controller=source.controller, registry=registry, at=source.at),
            ),
        ),
        parties=nodes,
        events=event_nodes(
            acts,
            separate=separate,
            now=now,
            laws=laws_of_consent(known, laws),
            registry=registry,
            subject=subject,
            controller=party_iri(source.controller),
        ),
        current_state=now.state,
        valid_until=now.ends_at,
        position=source.position,
        registry_version=registry.version,
    )
    require_complete(record, must_hold)
    return record


def records_of(
    history: Sequence[RecordedAct], source: RecordSource, *, must_hold: Iterable[str] = ()
) -> Iterator[ConsentRecord]:
    """Yield a record of every purpose that a customer ever consented to, in order of the purposes' names.

    Purposes that the register at hand no longer has are left out: read them with the register of their time.

    Raises:
        HanseError: As :func:`make_record`.
    """
    required = tuple(must_hold)
    given = {str(recorded.act.purpose) for recorded in history if recorded.act.kind in GIVING}
    for purpose in sorted(given):
        if source.registry.purpose(purpose) is not None:
            yield make_record(history, source, purpose=purpose, must_hold=required)


def standalone(record: ConsentRecord) -> dict[str, JsonValue]:
    """A record with its context: a JSON-LD document that is read without any network."""
    return {"@context": dict(context()), **record.to_json()}


def _registered(name: str, registry: Registry) -> Purpose:
    purpose = registry.purpose(name)
    if purpose is None:
        raise RecordSourceError(
            f"The purpose {name} is not in version {registry.version} of the register.",
            "Name a purpose of that version, or read the version that had it.",
        )
    return purpose


def _laws(purpose: Purpose, packs: tuple[str, ...]) -> tuple[RecordLaw, ...]:
    laws = laws_named(packs)
    if not laws_of_consent(purpose, laws):
        raise RecordSourceError(
            f"The purpose {purpose.name} does not rest on consent under {', '.join(law.title for law in laws)}.",
            "Keep it in the record of processing activities instead.",
        )
    return laws


def _the_customer(history: Sequence[RecordedAct]) -> str:
    customers = {recorded.act.customer for recorded in history}
    if len(customers) != 1:
        raise RecordSourceError(
            f"The acts are those of {len(customers)} customers.", "A record speaks of exactly one customer."
        )
    return customers.pop()


def _variants(recorded: RecordedAct, registry: Registry) -> tuple[Notice, ...]:
    # In which language it was shown may not be recorded: then every language that there is.
    reference, language = recorded.act.notice, recorded.act.language
    if reference is None:
        return ()
    found = registry.notices_of(reference)
    spoken = tuple(notice for notice in found if language is None or notice.language == language)
    if not spoken:
        raise RecordSourceError(
            f"The notice {reference} is not registered in the language in which it was shown.",
            "Use a register that still has it: people agreed to its text.",
        )
    return spoken


def _notices(acts: Sequence[RecordedAct], registry: Registry) -> tuple[Notice, ...]:
    return tuple(notice for recorded in acts for notice in _variants(recorded, registry))


def _with_separate(
    shown: tuple[Notice, ...], separate: Sequence[RecordedAct], registry: Registry
) -> tuple[Notice, ...]:
    every = (*shown, *_notices(separate, registry))
    return tuple({(notice.reference, notice.language): notice for notice in every}.values())


def _notice_relied_on(now: Standing, acts: Sequence[RecordedAct], registry: Registry) -> Notice | None:
    citing = [recorded for recorded in acts if recorded.act.notice is not None]
    relied = now.giving or (citing[-1] if citing else None)
    return _variants(relied, registry)[0] if relied is not None else None


def _tier(purpose: Purpose, now: Standing, acts: Sequence[RecordedAct]) -> Tier:
    granted = now.giving.act.tier if now.giving is not None else None
    if granted is None:
        # A guardian's consent names no tier of its own; what was never granted is described in full.
        tiers = [recorded.act.tier for recorded in acts if recorded.act.kind in (ActKind.GRANT, ActKind.RENEWAL)]
        granted = tiers[-1] if tiers else None
    if granted is None:
        return purpose.tiers[-1]
    if granted not in purpose.data_categories:
        raise RecordSourceError(
            f"The purpose {purpose.name} is not offered at tier {granted.value}.",
            "Use the version of the register under which it was granted.",
        )
    return granted


def _bases(purpose: Purpose, laws: Sequence[RecordLaw], separate_given: Sequence[RecordedAct]) -> tuple[str, ...]:
    bases = [law.bases[purpose.basis(law.pack)] for law in laws if purpose.basis(law.pack) in law.bases]
    bases += [basis for recorded in separate_given for basis in separate_bases(recorded, laws)]
    return tuple(dict.fromkeys(bases))


def _notice_node(notice: Notice) -> NoticeNode:
    return NoticeNode(
        id=notice_iri(notice.reference, notice.language),
        types=("dpv:ConsentNotice",),
        identifiers=(notice.reference,),
        published_at=notice.published_at,
        languages=(notice.language,),
        sha256=notice.sha256,
    )
