"""However a number is written, it is right for an equal gold answer and for no other."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.tasks import grade

MINUS = ["-", "−", "‐", "‑", "‒", "–", "－", "﹣"]
SEPARATORS = [
    "", ",", " ", "\u00a0", "\u2009", "\u202f", "\u2007", "'", "’", "_", "{,}", r"\,", r"\;", r"\:", r"\ ", "~", r",\!",
    r"\_", r"{\,}",
]  # fmt: skip
CURRENCIES = [
    ("", ""), (r"\$", ""), ("€", ""), ("£", ""), ("¥", ""), ("₹", ""), ("US$", ""), ("USD ", ""), ("Rs. ", ""),
    (r"\text{USD } ", ""), ("", "€"), ("", " USD"), ("", r"\text{ dollars}"), ("", " euros"), ("", "¥"),
]  # fmt: skip
STYLES = [
    "{}", "{{{}}}", r"\textbf{{{}}}", r"\mathbf{{{}}}", r"\boldsymbol{{{}}}", r"\textcolor{{red}}{{{}}}",
    r"\color{{red}}{{{}}}", r"\Large {}", r"\left({}\right)", r"\fbox{{{}}}", r"\underline{{\mathrm{{{}}}}}",
    r"\begin{{aligned}}x &= {}\end{{aligned}}",
    "x = {}", r"\approx {}", r"\text{{about }} {}", r"\; {}\;", "**{}**",
]  # fmt: skip
BOXES = [r"\boxed{{{}}}", r"\fbox{{{}}}", r"\framebox[2cm]{{{}}}", r"We get \boxed {{{}}} in 3 steps."]
EMPHASIS = ["{}", "**{}**", "*{}*", "__{}__", "`{}`", "<b>{}</b>", "***{}***", "${}$", r"\({}\)"]
SENTENCES = [
    "The answer is {}.", "The answer is {} apples.", "So there are {} in all", "After 7 days she has {} residents.",
    "#### {}", "**Final Answer:** {}", "Answer: {} km", "#### {}\n\nQuestion: the next one, with 7",
    "The answer is 8. No: the answer is {}.",
    "> **Answer**: {}",
]  # fmt: skip


@st.composite
def amounts(draw: st.DrawFn) -> tuple[Fraction, str, str]:
    """Return a positive number, its digits in one of many notations, and the notation's kind."""
    whole = draw(st.one_of(st.integers(1, 60), st.integers(100, 10**7)))
    kind = draw(st.sampled_from(["grouped", "decimal", "fraction", "mixed", "vulgar", "power"]))
    if kind == "grouped":
        return Fraction(whole), f"{whole:,}".replace(",", draw(st.sampled_from(SEPARATORS))), kind
    if kind == "decimal":
        cents = draw(st.integers(0, 99))
        return whole + Fraction(cents, 100), f"{whole}.{cents:02}", kind
    if kind == "power":
        mantissa, power = draw(st.integers(11, 99)), draw(st.integers(-3, 6))
        form = draw(
            st.sampled_from(
                ["{}e{}", "{}E{}", r"{}\times 10^{{{}}}", r"{} \cdot 10^{{{}}}", "{} × 10^{}", "{} x 10^{}"]
            )
        )
        return Fraction(mantissa, 10) * Fraction(10) ** power, form.format(mantissa / 10, power), kind
    top, bottom, vulgar = draw(
        st.sampled_from([(1, 2, "½"), (1, 3, "⅓"), (2, 3, "⅔"), (3, 4, "¾"), (4, 5, "⅘"), (7, 8, "⅞")])
    )
    part = Fraction(top, bottom)
    latex = draw(st.sampled_from([r"\frac{{{}}}{{{}}}", r"\dfrac{{{}}}{{{}}}", r"\tfrac {}{}"])).format(top, bottom)
    if kind == "vulgar":
        return whole + part, f"{whole}{vulgar}", kind
    if kind == "mixed":
        return whole + part, f"{whole}{latex}", kind
    return part, draw(st.sampled_from([latex, f"{top}/{bottom}", vulgar])), kind


@st.composite
def rendered(draw: st.DrawFn) -> tuple[Fraction, str]:
    """Return a number and a completion that states it."""
    value, digits, _ = draw(amounts())
    minus = draw(st.sampled_from(["", *MINUS]))
    before, after = draw(st.sampled_from(CURRENCIES))
    signed = draw(st.sampled_from([f"{minus}{before}{digits}{after}", f"{before}{minus}{digits}{after}"]))
    if draw(st.booleans()):
        # (1,234) is a pair, not a number.
        styles = [style for style in STYLES if "," not in digits or "left(" not in style]
        text = draw(st.sampled_from(BOXES)).format(draw(st.sampled_from(styles)).format(signed))
    else:
        # A currency is a unit of its own: another one after it would be nonsense.
        sentences = [
            sentence for sentence in SENTENCES if not after or sentence.rstrip(".*").endswith("{}") or "\n" in sentence
        ]
        emphasis = [mark for mark in EMPHASIS if mark[0] not in "$\\" or not (before + after)]
        text = draw(st.sampled_from(sentences)).format(draw(st.sampled_from(emphasis)).format(signed))
    return (-value if minus else value), text


@settings(deadline=None, max_examples=800)
@given(rendered())
def test_a_number_is_right_for_itself_however_it_is_written(case: tuple[Fraction, str]) -> None:
    value, completion = case
    assert grade(completion, f"{value.numerator}/{value.denominator}").correct, completion


def _confusable(value: Fraction) -> set[Fraction]:
    """Return numbers that a careless reader makes of another: without its sign, head, tail or exponent."""
    digits = str(abs(value.numerator))
    pieces = {digits[:3], digits[-3:], digits[-6:], digits[:-3] or "0", digits[0], digits[-1], str(value.denominator)}
    others = {-value, value * 10, value / 10, value * 1000, value / 1000, value + 1, Fraction(int(value)), value % 1}
    return (others | {Fraction(int(piece)) for piece in pieces} | {Fraction(10), Fraction(0)}) - {value}


@settings(deadline=None, max_examples=250)
@given(rendered())
def test_a_number_is_wrong_for_every_other_number(case: tuple[Fraction, str]) -> None:
    value, completion = case
    for other in _confusable(value):
        gold = f"{other.numerator}/{other.denominator}" if other.denominator > 1 else str(other.numerator)
        assert not grade(completion, gold).correct, (completion, gold)


@pytest.mark.parametrize(
    "percent", ["20%", r"20\%", "20 percent", "20 per cent", "$20$ %", r"\(20\%\)", "**20**%", "20％"]
)
def test_a_percentage_is_right_for_the_bare_gold_of_gsm8k(percent: str) -> None:
    for completion in (f"The answer is {percent}.", f"So {percent} of them left", f"It is \\boxed{{{percent}}}"):
        assert grade(completion, "#### 20").correct, completion
        assert not any(grade(completion, f"#### {other}").correct for other in ("2", "0", "120", "-20")), completion
