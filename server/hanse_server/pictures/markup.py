"""HTML that cannot forget to escape: plain text becomes markup through one door only."""

import html
from collections.abc import Mapping

_VOID = frozenset({"meta"})


class Markup(str):
    """Text that already is HTML; any other string is escaped when it is put into an element."""

    __slots__ = ()


def together(*parts: str) -> Markup:
    """Put parts behind each other, escaping each that is not markup yet."""
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part) for part in parts))


def element(name: str, attributes: Mapping[str, str], *children: str) -> Markup:
    """Return ``<name attributes>children</name>``, escaping attributes and every child that is not markup."""
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{together(*children)}</{name}>")
