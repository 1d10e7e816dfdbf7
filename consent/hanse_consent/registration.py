"""Putting the catalogue into the store at start; what people agreed to is never changed under them."""

from sqlmodel import Session, col, select, update

from hanse_consent.catalogue import Catalogue, Notice, Purpose
from hanse_consent.errors import NoticeChangedError, PurposeWidenedError
from hanse_consent.tables import RegisteredNotice, RegisteredPurpose


def refuse_changes(catalogue: Catalogue, *, purposes: dict[str, Purpose], notices: list[Notice]) -> None:
    """Compare a catalogue with what is registered already.

    Args:
        catalogue: What the files say now.
        purposes: Purposes registered before, by name.
        notices: Notices registered before.

    Raises:
        NoticeChangedError: If a notice has another text, or explains other purposes, under the same version.
        PurposeWidenedError: If a purpose asks for more data at a tier than it did before.
    """
    known = {(notice.reference, notice.language): notice for notice in notices}
    explained = {notice.reference: frozenset(notice.purposes) for notice in notices}
    for notice in catalogue.notices:
        before = known.get((notice.reference, notice.language))
        if before is not None and before.text != notice.text:
            raise NoticeChangedError(
                f"The text of notice {notice.reference} ({notice.language}) is not the one registered "
                f"(SHA-256 {before.sha256}).",
                "Restore that text, or publish the new one under a new version.",
            )
        if frozenset(notice.purposes) != explained.get(notice.reference, frozenset(notice.purposes)):
            raise NoticeChangedError(
                f"Notice {notice.reference} ({notice.language}) names other purposes than when it was registered.",
                "Restore them, or publish the notice under a new version.",
            )
    for purpose in catalogue.purposes:
        earlier = purposes.get(purpose.name, purpose)
        for tier in earlier.tiers:
            added = set(purpose.data_categories.get(tier, ())) - set(earlier.data_categories[tier])
            if added:
                raise PurposeWidenedError(
                    f"Purpose {purpose.name} now asks for {sorted(added)} at tier {tier}.",
                    "Nobody has agreed to that: register it as a purpose with a new name.",
                )


def registered_purposes(session: Session) -> dict[str, Purpose]:
    """Every purpose ever registered, by name."""
    rows = session.exec(select(RegisteredPurpose).order_by(col(RegisteredPurpose.name)))
    return {row.name: Purpose.model_validate_json(row.document) for row in rows}


def active_purposes(session: Session) -> frozenset[str]:
    """Names of the purposes in force."""
    query = select(RegisteredPurpose.name).where(col(RegisteredPurpose.active).is_(True))
    return frozenset(session.exec(query))


def registered_notices(session: Session) -> list[Notice]:
    """Every notice ever registered, with its text."""
    order = (col(RegisteredNotice.name), col(RegisteredNotice.version), col(RegisteredNotice.language))
    rows = session.exec(select(RegisteredNotice).order_by(*order))
    return [Notice.model_validate_json(row.document) for row in rows]


def register(session: Session, catalogue: Catalogue) -> None:
    """Store new purposes and notices; purposes that the files no longer name are out of force.

    Raises:
        NoticeChangedError: See :func:`refuse_changes`.
        PurposeWidenedError: See :func:`refuse_changes`.
    """
    known_notices = registered_notices(session)
    refuse_changes(catalogue, purposes=registered_purposes(session), notices=known_notices)
    session.exec(update(RegisteredPurpose).values(active=False))
    for purpose in catalogue.purposes:
        session.merge(RegisteredPurpose(name=purpose.name, document=purpose.model_dump_json(), active=True))
    known = {(notice.reference, notice.language) for notice in known_notices}
    for notice in catalogue.notices:
        if (notice.reference, notice.language) not in known:
            session.add(
                RegisteredNotice(
                    name=notice.name,
                    version=notice.version,
                    language=notice.language,
                    reference=notice.reference,
                    sha256=notice.sha256,
                    document=notice.model_dump_json(),
                )
            )
