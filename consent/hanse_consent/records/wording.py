"""A receipt in plain words: who may do what, since when, until when, and how to end it."""

from collections.abc import Iterator
from datetime import datetime

from hanse_consent.records.document import ConsentRecord, EventNode
from hanse_consent.records.history import (
    CONSENT_DEFERRED,
    CONSENT_EXPIRED,
    CONSENT_GIVEN,
    CONSENT_REFUSED,
    CONSENT_RENEWED,
    CONSENT_REQUESTED,
    CONSENT_WITHDRAWN,
    VALID_STATES,
)
from hanse_consent.records.receipt import Receipt

_STATES = {
    CONSENT_GIVEN: "agreed",
    CONSENT_RENEWED: "agreed again",
    CONSENT_EXPIRED: "the consent ended by itself",
    CONSENT_WITHDRAWN: "withdrawn",
    CONSENT_REFUSED: "refused",
    CONSENT_DEFERRED: "put off",
    CONSENT_REQUESTED: "asked",
}


def receipt_lines(receipt: Receipt) -> tuple[str, ...]:
    """What a receipt says, line by line, safe to print on a terminal."""
    return tuple(_printable(line) for line in _lines(receipt))


def _lines(receipt: Receipt) -> Iterator[str]:
    record = receipt.record
    process, purpose = record.processes[0], record.processes[0].purposes[0]
    names = {party.id: party.names[0] for party in record.parties}
    yield f"Who:          {', '.join(names.get(party, party) for party in process.controllers)}"
    yield f"Customer:     {', '.join(record.data_subject.identifiers)} (a pseudonym)"
    yield f"What for:     {purpose.title}"
    yield f"              {purpose.description}"
    yield f"Which data:   {', '.join(data.title for data in process.personal_data)}"
    yield f"Who receives: {', '.join(names.get(party, party) for party in process.recipients)}"
    yield f"Now:          {_now(record)}"
    for event in record.events:
        yield f"              {_event(event)}"
    for control in process.withdrawal:
        yield f"To withdraw:  {control.description} ({', '.join(control.exercised_at)})"
    for notice in record.notices:
        reference, language = ", ".join(notice.identifiers), ", ".join(notice.languages)
        yield f"Notice:       {reference} ({language}), SHA-256 {notice.sha256}"
    yield f"Issued:       {_moment(receipt.created)} by {', '.join(receipt.creators)}"


def _now(record: ConsentRecord) -> str:
    state = _STATES.get(record.current_state, "nothing is known")
    said = f"{state} as of {_moment(record.created)}"
    if record.current_state not in VALID_STATES:
        return f"{said}; it does not count"
    if record.valid_until is None:
        return f"{said}; until it is withdrawn"
    return f"{said}; until {_moment(record.valid_until)} unless it is withdrawn before"


def _event(event: EventNode) -> str:
    about = f" ({event.separate_matter}: {event.separate_subject})" if event.separate_matter is not None else ""
    how = f", by {', '.join(event.methods)}" if event.methods else ""
    return f"{_moment(event.indicated_at)}: {_STATES.get(event.types[0], event.types[0])}{about}{how}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _printable(line: str) -> str:
    # A receipt comes from elsewhere: nothing in it may steer the terminal.
    return "".join(character if character.isprintable() else " " for character in line)
