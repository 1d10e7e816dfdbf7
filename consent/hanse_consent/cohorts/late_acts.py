"""Acts that came too late for a manifest: said before it was issued, recorded after it had looked.

Nothing of this is kept: it follows from acts and manifests. The search starts from the manifests, which are few. One
that had seen the acts up to a position can be affected only by later ones; between it and the next manifest that
are the acts of one stretch of positions, of which those matter that were said before it was issued.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap
from sqlalchemy import case, func, select
from sqlmodel import Session

from hanse_consent.cohorts.reach import PROTECTIVE
from hanse_consent.cohorts.tables import IssuedManifest
from hanse_consent.domain.acts import ActKind, SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.stands import read_stand
from hanse_consent.storage.tables import RecordedActRow

_ACT = table_of(RecordedActRow)
_MANIFEST = table_of(IssuedManifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAct:
    """An act that some manifest came before, though it was said earlier.

    Args:
        position: The controller's position.
        customer_no: The customer's number at the controller.
        kind: What was done.
        purpose: As in the act.
        separate: As in the act.
        said_us: When it was said, microseconds since 1970.
        recorded_us: When it was recorded.
    """

    position: int
    customer_no: int
    kind: ActKind
    purpose: str | None
    separate: SeparateConsent | None
    said_us: int
    recorded_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaken:
    """A manifest, and the late acts of customers that it holds.

    Args:
        run: Its run.
        round: Its round.
        digest: Its name.
        issued_us: When it was issued, microseconds since 1970.
        signed: The signed document.
        acts: By position.
    """

    run: str
    round: int
    digest: str
    issued_us: int
    signed: str
    acts: tuple[LateAct, ...]


def late_acts(session: Session, *, controller: str, after: int, limit: int) -> tuple[LateAct, ...]:
    """Protective acts that were said before some manifest and recorded after it, by position.

    Args:
        session: One that reads, opened for the controller.
        controller: Whose.
        after: Only acts after this position.
        limit: At most so many.
    """
    number = read_stand(session, controller).controller_no
    seen = (
        select(_MANIFEST.c.position, func.max(_MANIFEST.c.issued_us).label("issued_us"))
        .where(_MANIFEST.c.controller == controller)
        .group_by(_MANIFEST.c.position)
        .subquery()
    )
    # From each manifest to the next: the latest moment at which any had been issued that did not see these acts.
    # One lower bound: of two, an engine would look the acts up by the wrong one.
    stretch = select(
        case((seen.c.position > after, seen.c.position), else_=after).label("first"),
        func.coalesce(func.lead(seen.c.position).over(order_by=seen.c.position), NO_END).label("last"),
        func.max(seen.c.issued_us).over(order_by=seen.c.position).label("issued_us"),
    ).subquery()
    query = (
        select(
            _ACT.c.position,
            _ACT.c.customer_no,
            _ACT.c.kind,
            _ACT.c.purpose,
            _ACT.c.separate_matter,
            _ACT.c.separate_subject,
            _ACT.c.said_us,
            _ACT.c.recorded_us,
        )
        .select_from(
            stretch.join(
                _ACT,
                (_ACT.c.controller_no == number)
                & (_ACT.c.position > stretch.c.first)
                & (_ACT.c.position <= stretch.c.last),
            )
        )
        .where(
            stretch.c.last > after,
            _ACT.c.kind.in_(sorted(kind.value for kind in PROTECTIVE)),
            _ACT.c.said_us <= stretch.c.issued_us,
            _ACT.c.said_us < _ACT.c.recorded_us,
        )
        .order_by(_ACT.c.position)
        .limit(limit)
    )
    return tuple(
        LateAct(
            position=position,
            customer_no=customer,
            kind=ActKind(kind),
            purpose=purpose,
            separate=SeparateConsent(matter=SeparateMatter(matter), subject=subject) if matter is not None else None,
            said_us=said_us,
            recorded_us=recorded_us,
        )
        for position, customer, kind, purpose, matter, subject, said_us, recorded_us in session.connection().execute(
            query
        )
    )


def overtaken(session: Session, acts: tuple[LateAct, ...], *, controller: str) -> tuple[Overtaken, ...]:
    """The manifests that held customers of late acts, in the order in which they were issued.

    One manifest's members are in memory at a time.

    Args:
        session: One that reads, opened for the controller.
        acts: From :func:`late_acts`.
        controller: Whose.
    """
    if not acts:
        return ()
    positions, said = _column(acts, "position"), _column(acts, "said_us")
    query = (
        select(_MANIFEST.c.run, _MANIFEST.c.serial, _MANIFEST.c.position, _MANIFEST.c.issued_us)
        .where(
            _MANIFEST.c.controller == controller,
            _MANIFEST.c.position < int(positions.max()),
            _MANIFEST.c.issued_us >= int(said.min()),
        )
        .order_by(_MANIFEST.c.issued_us, _MANIFEST.c.run, _MANIFEST.c.serial)
    )
    found = []
    for run, serial, position, issued_us in session.connection().execute(query).all():
        late = np.flatnonzero((positions > position) & (said <= issued_us))
        if len(late):
            held = _held(session, [acts[number] for number in late], key=(controller, run, serial))
            found += [held] if held.acts else []
    return tuple(found)


def _held(session: Session, acts: list[LateAct], *, key: tuple[str, str, int]) -> Overtaken:
    controller, run, serial = key
    query = select(
        _MANIFEST.c.round, _MANIFEST.c.digest, _MANIFEST.c.issued_us, _MANIFEST.c.signed, _MANIFEST.c.members
    ).where(_MANIFEST.c.controller == controller, _MANIFEST.c.run == run, _MANIFEST.c.serial == serial)
    round_number, digest, issued_us, signed, packed = session.connection().execute(query).one()
    members = BitMap.deserialize(packed)
    return Overtaken(
        run=run,
        round=round_number,
        digest=digest,
        issued_us=issued_us,
        signed=signed,
        acts=tuple(act for act in acts if act.customer_no in members),
    )


def _column(acts: tuple[LateAct, ...], name: str) -> NDArray[np.int64]:
    return np.array([getattr(act, name) for act in acts], dtype=np.int64)
