"""The terms that records use: a subset of W3C DPV 2.3, Hanse's own, and the JSON-LD context. All local."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from hanse_consent.records.errors import TermUnknownError

_TERMS = files("hanse_consent.records") / "terms"
_VOCABULARIES = ("dpv-2.3.json", "hanse.json")
_CONTEXT = "context-1.json"

PERSONAL_DATA = "dpv:PersonalData"
SENSITIVE = "dpv:SensitivePersonalData"
SPECIAL_CATEGORY = "dpv:SpecialCategoryPersonalData"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One term of a vocabulary.

    Args:
        name: As records write it: ``pd:Purchase``.
        iri: In full.
        label: Its name for people.
        definition: What it means; empty where the vocabulary defines nothing.
        parents: Broader terms (``skos:broader``) among those known here.
        is_property: Whether it is a property, not a concept.
    """

    name: str
    iri: str
    label: str
    definition: str
    parents: tuple[str, ...]
    is_property: bool


@cache
def vocabulary() -> Mapping[str, Term]:
    """Every known term by its name."""
    found: dict[str, Term] = {}
    for file in _VOCABULARIES:
        for name, entry in _read(file)["terms"].items():
            found[name] = Term(
                name=name,
                iri=entry["iri"],
                label=entry["label"],
                definition=entry["definition"],
                parents=tuple(entry["parents"]),
                is_property=entry.get("property", False),
            )
    return MappingProxyType(found)


@cache
def context() -> Mapping[str, Any]:
    """The JSON-LD context of records and receipts, to be written into each document: nothing is fetched.

    Its first version never changes, because signed receipts carry it.
    """
    return MappingProxyType(_read(_CONTEXT))


def term(name: str) -> Term:
    """One term.

    Raises:
        TermUnknownError: If no vocabulary has it.
    """
    try:
        return vocabulary()[name]
    except KeyError:
        raise TermUnknownError(
            f"The term {name!r} is not known.", "Use a term of W3C DPV 2.3 (pd:…) or of Hanse (hanse:…)."
        ) from None


def iri(name: str) -> str:
    """The full IRI of a term; raises as :func:`term`."""
    return term(name).iri


@cache
def broader(name: str) -> frozenset[str]:
    """All terms above one, at any distance; empty for an unknown term."""
    above: set[str] = set()
    waiting = [name]
    while waiting:
        known = vocabulary().get(waiting.pop())
        for parent in known.parents if known is not None else ():
            if parent not in above:
                above.add(parent)
                waiting.append(parent)
    return frozenset(above)


def known_category(name: str) -> bool:
    """Whether a term is a kind of personal data, so that a purpose may name it."""
    return PERSONAL_DATA in broader(name)


def is_sensitive(name: str) -> bool:
    """Whether DPV counts a kind of data as sensitive, or as a special category (GDPR 9)."""
    return SENSITIVE in broader(name)


def _read(file: str) -> Any:
    return json.loads((_TERMS / file).read_text(encoding="utf-8"))
