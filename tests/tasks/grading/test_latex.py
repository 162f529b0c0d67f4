import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillgame.tasks.grading.latex import closing, enclosed, split, tidy


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\frac \pi4", r"\frac{\pi}{4}"),
        (r"\frac{\frac12}3", r"\frac{\frac{1}{2}}{3}"),
        (r"\sqrt3", r"\sqrt{3}"),
        (r"\sqrt[3]{2}", r"\sqrt[3]{2}"),
        ("√2", r"\sqrt{2}"),
        (r"11,\! 111,\! 100", "11111100"),
        (r"8{,}880", "8880"),
        (r"\left(1, 2\right]", "(1, 2]"),
        (r"\mathrm{cm}", r"\text{cm}"),
        (r"(-\infty, +\infty)", r"(-\infty, \infty)"),
        (r"45^{\circ}", r"45^\circ"),
        ("x<=3", r"x \le 3"),
        ("x^12", "x^{12}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        ("5!.", "5!"),
    ],
)
def test_tidy(text: str, tidied: str) -> None:
    assert tidy(text) == tidied


@given(st.text(alphabet=r"\{}[]()$^_,.!fracsqtex 0123456789-+=<>&~", max_size=60))
def test_tidy_takes_any_text(text: str) -> None:
    tidy(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[1, 3)", ("[", "1, 3", ")")),
        (r"\{1,2\}", (r"\{", "1,2", r"\}")),
        ("(1)(2)", None),
        ("(1", None),
        ("1)", None),
        ("f(1)", None),
        ("", None),
    ],
)
def test_enclosed(text: str, parts: tuple[str, str, str] | None) -> None:
    assert enclosed(text) == parts


def test_split_leaves_brackets_whole() -> None:
    assert split(r"(1,2), [3,4), \frac{5,6}{7}", re.compile(",")) == (
        ["(1,2)", "[3,4)", r"\frac{5,6}{7}"],
        [",", ","],
    )


def test_split_takes_an_unclosed_bracket_to_the_end() -> None:
    assert split("1,(2,3", re.compile(","))[0] == ["1", "(2,3"]


def test_closing_skips_escaped_braces() -> None:
    assert closing(r"{a\}{b}} c", 0) == 8


def test_an_unclosed_brace_has_no_end() -> None:
    assert closing("{a", 0) == 0
