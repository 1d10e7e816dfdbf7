"""Cells that no spreadsheet takes for a formula, and that are read back exactly.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return. Such a cell gets an
apostrophe in front; so does one that begins with an apostrophe, so that removing it is always right.
"""

_MARK = "'"
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", _MARK)


def neutral(cell: str) -> str:
    """The cell as it is written."""
    return _MARK + cell if cell.startswith(_DANGEROUS) else cell


def original(cell: str) -> str:
    """The cell as it was before :func:`neutral`."""
    return cell.removeprefix(_MARK)
