"""Text of others on a terminal: nothing in it is obeyed, and what people read stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.terminal import plain


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "\x9b31m", "a\nb", "a\rb", "\x00", "\x7f", "\u202ex", "\u2066", "\u200b", "\u2028", "\ud800", "\ue000"],
)
def test_what_a_terminal_would_obey_is_replaced(text: str) -> None:
    assert "\ufffd" in plain(text)


@pytest.mark.parametrize("text", ["", "Churn model, autumn", "Straße 5 – ε = 1", "名前", "[bold]x[/]", "e\u0301"])
def test_what_people_write_stays(text: str) -> None:
    assert plain(text) == text


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    shown = plain(text)
    assert len(shown) == len(text)
    assert not {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
