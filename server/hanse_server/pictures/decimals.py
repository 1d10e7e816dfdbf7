"""Numbers as people read them."""

MINUS = "\N{MINUS SIGN}"


def decimal(value: float, places: int = 3) -> str:
    """Return a number with a fixed number of places; nothing is ever minus zero."""
    text = f"{value:,.{places}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return text.replace("-", MINUS)
