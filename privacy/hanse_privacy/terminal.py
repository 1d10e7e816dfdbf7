"""Text that others wrote, made safe to print."""

from rich.text import Text


def plain(text: str) -> str:
    """The text on one line, without anything that a terminal would obey or that would turn its neighbours around.

    Control codes, line breaks, and marks of direction or of no width each become U+FFFD. What a library makes of
    square brackets is for the caller to switch off.
    """
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def as_text(words: str) -> Text:
    """The same for a table or a page: nothing in it is taken for markup, and what is too long is broken, never cut."""
    return Text(plain(words), overflow="fold")
