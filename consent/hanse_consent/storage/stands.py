"""How far each controller's record goes."""

from bisect import bisect_right
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session, col, select, update

from hanse_consent.storage.errors import PositionUnknownError
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import ControllerStand, Customer, RecordedActRow


@dataclass(slots=True, kw_only=True)
class Stand:
    """A controller's row; a batch that is being recorded moves it on.

    Args:
        controller_no: 0 for a controller that never recorded anything.
        position: Of the last act; 0 before the first.
        customers: Customer numbers given out.
        erased: How many of them are erased.
    """

    controller_no: int
    position: int
    customers: int
    erased: int

    def at(self, position: int | None) -> int:
        """The position to read at: the latest where none is named.

        Raises:
            PositionUnknownError: If it is not reached yet, or negative.
        """
        if position is None:
            return self.position
        if not 0 <= position <= self.position:
            raise PositionUnknownError(
                f"Position {position} is not among the controller's, which end at {self.position}.",
                "Ask for one up to that, or name none for the latest.",
            )
        return position


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStand:
    """How far a controller's record and the registry went at a moment."""

    position: int
    registry_version: int


def position_at(session: Session, stand: Stand, *, at_us: int) -> int:
    """The last position recorded up to a moment; 0 before the first.

    Positions are recorded in the order of time, but for a clock set back: then the last one that is not later counts.
    """
    query = (
        select(RecordedActRow.position)
        .where(RecordedActRow.controller_no == stand.controller_no, RecordedActRow.recorded_us <= at_us)
        .order_by(col(RecordedActRow.position).desc())
        .limit(1)
    )
    return session.exec(query).first() or 0


def read_stand(session: Session, controller: str) -> Stand:
    """How far a controller's record goes."""
    row = session.exec(select(ControllerStand).where(ControllerStand.controller == controller)).one_or_none()
    return _stand(row) if row is not None else Stand(controller_no=0, position=0, customers=0, erased=0)


def customers_at(session: Session, stand: Stand, *, position: int) -> int:
    """How many customer numbers had been given out at a position: they are given in the order of first acts."""

    def since(number: int) -> int:
        query = select(Customer.since).where(
            Customer.controller_no == stand.controller_no, Customer.customer_no == number
        )
        return session.exec(query).one()

    return bisect_right(range(1, stand.customers + 1), position, key=since)


def plain_position(statements: Statements, controller: str) -> int:
    """The position of a controller's last act; 0 before the first. Asked before every answer from memory."""
    found = statements.rows("SELECT position FROM controller_stand WHERE controller = %s", (controller,))
    return found[0][0] if found else 0


def lock_stand(session: Session, controller: str) -> Stand:
    """A controller's row, locked until the transaction ends; made where it is missing.

    Whoever records for the controller holds this lock. So its positions follow each other in the order of commits.
    """
    query = select(ControllerStand).where(ControllerStand.controller == controller).with_for_update()
    row = session.exec(query).one_or_none()
    if row is None:
        session.connection().execute(
            text(
                "INSERT INTO controller_stand (controller, position, customers, erased) "
                "VALUES (:controller, 0, 0, 0) ON CONFLICT DO NOTHING"
            ),
            {"controller": controller},
        )
        row = session.exec(query).one()
    return _stand(row)


def write_stand(session: Session, stand: Stand) -> None:
    """Put a locked row back."""
    session.exec(
        update(ControllerStand)
        .where(col(ControllerStand.controller_no) == stand.controller_no)
        .values(position=stand.position, customers=stand.customers, erased=stand.erased)
    )


def _stand(row: ControllerStand) -> Stand:
    return Stand(
        controller_no=int(row.controller_no or 0), position=row.position, customers=row.customers, erased=row.erased
    )
