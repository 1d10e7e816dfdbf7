"""How records name things: IRIs under a host that RFC 2606 reserves, so that nothing is ever fetched."""

from uuid import NAMESPACE_URL, uuid5

_BASE = "https://hanse.example"


def customer_iri(controller: str, customer: str) -> str:
    """One customer of one controller, by pseudonym."""
    return f"{_BASE}/controllers/{controller}/customers/{customer}"


def party_iri(name: str) -> str:
    """A controller or recipient."""
    return f"{_BASE}/parties/{name}"


def purpose_iri(name: str) -> str:
    """A purpose."""
    return f"{_BASE}/purposes/{name}"


def notice_iri(reference: str, language: str) -> str:
    """A notice in one language."""
    return f"{_BASE}/notices/{reference}/{language}"


def stable_uuid(*parts: str | int) -> str:
    """A UUID (version 5) that the same parts always give: the same record has the same identifier."""
    return str(uuid5(NAMESPACE_URL, "/".join([_BASE, "records", *map(str, parts)])))
