"""Acts as rows are written: what is kept of an act, and whether an act sent again is the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from hanse_consent.domain.acts import ConsentAct
from hanse_consent.domain.moments import to_day_number, to_microseconds
from hanse_consent.errors import KeyReusedError
from hanse_consent.storage.bulk import batched, look_up, table_of
from hanse_consent.storage.customers import Tombstones
from hanse_consent.storage.tables import Customer, ProfileDetail, RecordedActRow

_ACT = table_of(RecordedActRow)


def act_row(
    act: ConsentAct, *, controller_no: int, position: int, customer_no: int, recorded_us: int, registry_version: int
) -> tuple[Any, ...]:
    """An act's values in the order of the table's columns."""
    separate = act.separate
    return (
        controller_no,
        position,
        customer_no,
        act.kind.value,
        act.key,
        to_microseconds(act.said_at),
        recorded_us,
        registry_version,
        act.purpose,
        act.tier.value if act.tier is not None else None,
        act.notice,
        act.language,
        act.explicit,
        to_microseconds(act.ends_at) if act.ends_at is not None else None,
        separate.matter.value if separate is not None else None,
        separate.subject if separate is not None else None,
        act.interaction,
        act.preselected,
        act.channel,
    )


def detail_row(act: ConsentAct, *, controller_no: int, position: int, customer_no: int) -> tuple[Any, ...]:
    """The personal part of a profile act, in the order of the table's columns."""
    return (controller_no, position, customer_no, *_profile(act))


def _profile(act: ConsentAct) -> tuple[str | None, bool | None, int | None]:
    if act.age is None:
        return act.country, None, None
    born_on = to_day_number(act.age.born_on) if act.age.born_on is not None else None
    return act.country, act.age.adult, born_on


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAct:
    """What an act under a key has to equal to be the same act."""

    row: RecordedActRow
    pseudonym: bytes | None
    detail: ProfileDetail | None

    @property
    def customer_is_erased(self) -> bool:
        """Whether nobody can tell any more whom it spoke for."""
        return self.pseudonym is None


def earlier_acts(session: Session, *, controller_no: int, keys: Iterable[str]) -> dict[str, EarlierAct]:
    """Acts recorded under these keys."""
    found: dict[str, EarlierAct] = {}
    # Nearly always none is known: so the narrow question first, from the index alone.
    known = look_up(session, [_ACT.c.key], fixed={_ACT.c.controller_no: controller_no}, by=_ACT.c.key, values=keys)
    for some in batched(key for (key,) in known):
        query = _acts_of(controller_no).where(col(RecordedActRow.key).in_(some))
        for row, pseudonym, detail in session.exec(query):
            found[row.key] = EarlierAct(row=row, pseudonym=pseudonym, detail=detail)
    return found


def _acts_of(controller_no: int) -> Select[RecordedActRow, Any, Any]:
    pseudonym: Any = Customer.pseudonym
    detail: Any = ProfileDetail
    return (
        select(RecordedActRow, pseudonym, detail)
        .join(
            Customer,
            (col(Customer.controller_no) == RecordedActRow.controller_no)
            & (col(Customer.customer_no) == RecordedActRow.customer_no),
        )
        .outerjoin(
            ProfileDetail,
            (col(ProfileDetail.controller_no) == RecordedActRow.controller_no)
            & (col(ProfileDetail.position) == RecordedActRow.position),
        )
        .where(RecordedActRow.controller_no == controller_no)
    )


def require_same(act: ConsentAct, earlier: EarlierAct, *, tombstones: Tombstones, place: str) -> None:
    """Accept an act sent again under its key.

    Of an erased customer nothing personal is left to compare; then the tombstone must be this pseudonym's.

    Args:
        act: The act as it arrives.
        earlier: The act recorded under its key.
        tombstones: Those of the controller.
        place: Where it stands in the batch.

    Raises:
        KeyReusedError: If it says anything else.
    """
    row = earlier.row
    arriving = act_row(
        act,
        controller_no=row.controller_no,
        position=row.position,
        customer_no=row.customer_no,
        recorded_us=row.recorded_us,
        registry_version=row.registry_version,
    )
    same = arriving == tuple(getattr(row, column.name) for column in _ACT.c)
    if earlier.customer_is_erased:
        same = same and tombstones.stands(bytes.fromhex(act.customer))
    else:
        detail = earlier.detail
        before = (detail.country, detail.adult, detail.born_on) if detail is not None else (None, None, None)
        same = same and earlier.pseudonym == bytes.fromhex(act.customer) and before == _profile(act)
    if not same:
        raise_key_reused(place)


def raise_key_reused(place: str) -> None:
    """Refuse an act whose key names another one.

    Raises:
        KeyReusedError: Always.
    """
    raise KeyReusedError(
        f"{place} has the key of another act.",
        "Give every act a key of its own; repeat it only to send the act again.",
    )
