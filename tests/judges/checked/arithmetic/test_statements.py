"""Statements that are found, and those that are none."""

import time

import pytest

from distillgame.judges.checked.arithmetic.statements import statements, value_of

TRUE = [
    "12 x 4 = 48",
    "12 * 4 = 48",
    "12×4=48",
    "3x4=12",
    "−3 + 5 = 2",
    "7 minus 3 equals 4",
    "**3 + 4 = 7**",
    "3 + 4 = 7!",
    "20% of 50 = 10",
    "50 * 20% = 10",
    "3/5 * 100 = 60%",
    "3/5 * 100% = 60%",
    "100% - 20% = 80%",
    "2/3 = 66.7%",
    "$5 * 3 = $15",
    "3 apples * 2 = 6 apples",
    "5 hours * $12/hour = $60",
    "60 miles / 3 hours = 20 miles per hour",
    "10 kg + 5kg = 15 kg",
    "1,200 * 3 = 3,600",
    "16 - 3 - 4 = $   9 a day",
    "10/3 = 3.33",
    "10/3 ≈ 3",
    "1000/3 = 333, rounded",
    "½ + ¼ = ¾",
    "2½ * 2 = 5",
    "2 1/2 * 2 = 5",
    "2² + 3² = 13",
    "2**3 = 8",
    "-2^2 = -4",
    "(-2)^2 = 4",
    "(2)(3) = 6",
    "5! = 120",
    "120 million / 2 = 60 million",
    r"$\frac{3}{4} \cdot 8 = 6$",
    r"$3 \times 4 = 12$",
    r"\[ 12 \div 4 = 3 \]",
    r"\(\left( 2 + 3 \right) \cdot 4 = 20\)",
    r"$\sqrt{16} = 4$",
    r"$\sqrt[3]{27} = 3$",
    r"$\sqrt{8} = 2\sqrt{2}$",
    r"$2\pi \cdot 3 = 6\pi$",
    r"$8^{2/3} = 4$",
    r"$2^{-1} = \dfrac12$",
    r"$\binom{6}{2} = 15$",
    r"$90^\circ - 30^\circ = 60^{\circ}$",
    r"$10{,}000 \cdot 2 = 20{,}000$",
    r"$50\% \cdot 8 = 4$",
    r"$6(.09) = \boxed{0.54}$",
    r"$2\frac{1}{2} \cdot 2 = 5$",
    r"$3 \text{ cm} + 4 \text{ cm} = 7\text{ cm}$",
]

FALSE = [
    "12 x 4 = 49",
    "10/3 = 3.34",
    "10/3 = 3",
    "10/3 ≈ 4",
    "50 * 20% = 1000",
    "$5 * 3 = $16",
    "1,200 * 3 = 3,601",
    "3 apples * 2 = 7 apples",
    r"$\frac{3}{4} \cdot 8 = 7$",
    r"$\sqrt{8} = 2\sqrt{3}$",
    r"$2\pi \cdot 3 = 7\pi$",
    "-2^2 = 4",
]

NONE = [
    "2x + 3 = 7",
    "n = 5",
    "x = 4",
    "3 = 3",
    "x - 3 = 2 * y",
    "3 + 4n = 11",
    "3 + 4 AB = 11",
    "$3 + 4 ab = 11$",
    "apples - 3 = 7 * 2",
    "f(2) + 3 = 5 * 7",
    r"$\sin(30) \cdot 2 = 5$",
    "x_2 + 3 = 4",
    "1 + 2 + ... + 10 = 54",
    r"$1 + 2 + \cdots + 5 \cdot 2 = 54$",
    r"$101_2 + 1 = 7$",
    "6:00 + 48 = 7:48",
    "the cost of 3 pens = 5 * 3 * 2",
    "half of 20 + 5 = 15",
    "Step 2 - 3 + 4 = 7",
    "20% of the pens = 5 * 2",
    "1/3 = 0.333...",
    r"$1/3 = 0.\overline{3}$",
    r"$7 + 6 = 3 \pmod{10}$",
    "5 + ? = 7",
    "(3, 4) + 1 = 5",
    "75 / 12 = 6 feet 3 inches",
    "17/3 = 5 and 2/3",
    "14 hours = 14 * 60 minutes",
    "1 hour + 30 minutes = 90 minutes",
    "2 dozen + 6 = 30",
    "2.50 - 2.24 = 26 cents",
    "1/0 = 4",
    "0^(-1) = 4",
    "9^9^9^9 = 1",
    "9^99999999999 = 1",
    r"\frac{3}{4 = 5",
    "3 + = 7",
    "* 3 = 4 +",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_statements(text: str) -> None:
    assert [statement.true for statement in statements(f"Then {text}.")] == [True]
    assert [statement.true for statement in statements(text)] == [True]


@pytest.mark.parametrize("text", FALSE)
def test_false_statements(text: str) -> None:
    assert [statement.true for statement in statements(f"So {text} in all.")] == [False]


@pytest.mark.parametrize("text", NONE)
def test_no_statements(text: str) -> None:
    assert statements(text) == []


def test_chains_are_checked_pair_by_pair() -> None:
    text = "3 + 4 + 5 = 7 + 5 = 13"
    assert [(text[found.start : found.end], found.true) for found in statements(text)] == [
        ("3 + 4 + 5 = 7 + 5", True),
        ("7 + 5 = 13", False),
    ]


def test_a_chain_goes_on_in_the_next_row() -> None:
    text = "\\begin{align*}\nx + y &= 3(4) + 2 \\\\\n&= 12 + 2 \\\\\n&= 14.\n\\end{align*}"
    assert [found.true for found in statements(text)] == [True, True]


def test_sides_end_where_another_expression_begins() -> None:
    text = "He has 3 * 4 = 12 so with 5 more it is 12 + 5 = 17 (2 + 2 = 5), or 16 - 3 = 13 and 5 + 6 = 12."
    told = ["3 * 4 = 12", "12 + 5 = 17", "2 + 2 = 5", "16 - 3 = 13", "5 + 6 = 12"]
    assert [text[found.start : found.end] for found in statements(text)] == told
    assert [found.true for found in statements(text)] == [True, True, False, True, False]


def test_bullets_are_no_signs() -> None:
    assert [found.true for found in statements("Steps:\n- 3 + 4 = 7\n* 5 - 3 = 2\n-3 + 4 = 1")] == [True, True, True]


def test_an_annotation_repeats_its_text() -> None:
    text = "She makes 9 * 2 = $<<9*2=18>>18, then half of it <<18/2=9>>9, and 4 + 4 = <<4+4=8>>8."
    found = [(text[found.start : found.end], found.true) for found in statements(text)]
    assert found == [("9 * 2 = $<<9*2=18>>18", True), ("18/2=9", True), ("4 + 4 = <<4+4=8>>8", True)]


def test_spans_exclude_units() -> None:
    text = "It takes 5 hours * $12/hour = $60 in all"
    (found,) = statements(text)
    assert text[found.start : found.end] == "5 hours * $12/hour = $60"


@pytest.mark.parametrize(
    ("text", "number"),
    [("18", 18), ("$1,200", 1200), (r"\frac{3}{4}", 0.75), ("x = 5 apples", 5), ("50%", 0.5), (r"2\sqrt{4}", 4)],
)
def test_values_of_answers(text: str, number: float) -> None:
    value = value_of(text)
    assert value is not None
    assert value.number == number


@pytest.mark.parametrize("text", ["", "x + 1", "(B)", "Monday", "(3, 4)", "3 = 4 = ", r"\frac{1}{0}"])
def test_answers_without_a_value(text: str) -> None:
    assert value_of(text) is None


LONG = 8_000

ADVERSARIAL = {
    "brackets": "(" * LONG,
    "nested": "(" * LONG + "3+4=7" + ")" * LONG,
    "braces": "{" * LONG + "}" * (LONG // 2),
    "roots": "\\sqrt{" * 3000 + "2" + "}" * 3000 + "=1",
    "signs": "-" * LONG + "3=4",
    "sum": "1+" * LONG + "1=3",
    "product": "2*" * LONG + "2=3",
    "fractions": "+".join(f"1/{number}" for number in range(1, 3000)) + "=1",
    "tower": "9^" * LONG + "9=1",
    "powers": "1.01^1000 * " * 2000 + "1 = 2",
    "equalities": "=" * LONG,
    "digits": "7" * LONG + "+1=2",
    "commas": "1," * LONG,
    "words": "apples " * (LONG // 4) + "= 3 + 4",
    "millions": "5" + " million" * 3000 + " = 3 + 4",
    "annotations": "<<" * LONG,
    "drawings": "[asy]" * (LONG // 4),
    "dollars": "$" * LONG,
    "alignment": "& " * LONG,
    "blanks": "&" + " " * LONG + "3",
    "factorials": "3" + "!" * LONG + "=6",
    "surrogates": "\ud800\udfff" * 500 + "3+4=7",
    "symbols": "½²√π−≈∑" * (LONG // 8),
    "nothing": "\x00\x01\n\r\t" * 1000,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_no_text_raises_or_takes_long(name: str) -> None:
    began = time.process_time()
    statements(ADVERSARIAL[name])
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "15 min + 45 min = 1 hour", "12 inches * 3 = 3 feet", "250 ml * 4 = 1 liter", "8 oz * 2 = 1 lb",
        "50¢ * 4 = $2", "80 - 25% = 60", "9 am + 5 hours = 2 pm", "9 + 5 = 2 mod 12", "5 + 5 = 12 in base 8",
        "10/4 = 2 full boxes", "10/3 = 4 (rounded up)", "Is 3 + 4 = 8? No.", "It is not true that 3 + 4 = 8.",
        "I first wrote 3 + 4 = 8 but that's wrong.", "If 2 + 2 = 5 were true, pigs would fly.",
    ],
)  # fmt: skip
def test_what_is_true_by_another_arithmetic_or_not_claimed_is_not_called_false(text: str) -> None:
    assert all(statement.true for statement in statements(text))


@pytest.mark.parametrize(
    "text",
    [
        "3 hours * 60 minutes/hour = 190 minutes", "15 min + 45 min = 70 min", "20% of 50 = 12", "80 - 25 = 60",
        "3 + 4 = 8, and 2 + 2 = 4.", "So 10/4 = 3 boxes.", "if he has 3, then 3 + 4 = 8.",
    ],
)  # fmt: skip
def test_what_is_false_stays_false(text: str) -> None:
    assert not all(statement.true for statement in statements(text))
