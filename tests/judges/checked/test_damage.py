import random
import time

import pytest

from distillgame.judges.checked.arithmetic.statements import statements
from distillgame.judges.checked.damage import damaged

SOUND = "She sells 16 - 3 - 4 = 9 eggs a day.\nShe makes 9 * 2 = $18 every day."

LOOP = " but we have to add one more to all we had"

SOUND_TEXTS = [
    SOUND,
    "5 + 5 + 5 + 5 + 5 + 5 = 30",
    "1 1 1 1 1 1 1 1",
    "----------------------------------------\n| a | b |",
    "It is 100000000000000000 km away, so far, far away.",
    "See https://example.org/a/very/long/path?with=many&signs=here",
    r"\[\left(\frac{a}{b}\right)^{-1}=\frac{b}{a}.\]",
    "4 dog : 4 x 4 = 16 total 16 . 1 bird : 1 x 2 = 2 total 18 . #### 18",
]

DAMAGED = [
    ("a loop", SOUND + " and so on" * 20, " and so on" * 19),
    ("a long loop", SOUND + LOOP * 6, LOOP * 5),
    ("repeated lines", "Let us see.\n3 + 4 = 7\n" * 3, "Let us see." * 2),
    ("stuttering", SOUND + " ha!" + "ha!" * 30, "ha!" * 30),
    ("replacement characters", SOUND + " gr\ufffd\ufffdn", "gr\ufffd\ufffdn"),
    ("letters", SOUND + " xkcdqwrtzp", "xkcdqwrtzp"),
    ("symbols", SOUND + " @#%^*~!?;:@", "@#%^*~!?;:@"),
    ("a cut formula", "Add.\n3 + 4 =", "3 + 4 ="),
    ("an open brace", "Add.\nIt is \\boxed{7", "It is \\boxed{7"),
    ("a cut step", "4 dog : 4 x 4 = 16 total 16 . 1 bird : 1 x", "1 bird : 1 x"),
]


@pytest.mark.parametrize("text", SOUND_TEXTS)
def test_sound_texts(text: str) -> None:
    assert not any(damaged(text, statements(text)))


@pytest.mark.parametrize(("name", "text", "lost"), DAMAGED)
def test_damaged_texts(name: str, text: str, lost: str) -> None:
    flags = damaged(text, statements(text))
    said = "".join(letter for letter, flag in zip(text, flags, strict=True) if flag)
    assert "".join(said.split()) == "".join(lost.split()), name


def test_solutions_by_people_are_sound(gsm8k_answers: list[str], math_solutions: list[str]) -> None:
    """Measured: 0 of 1,500 solutions of GSM8K and 4 of 1,500 of MATH have any."""
    for solutions, most in ((gsm8k_answers, 1), (math_solutions, 4)):
        texts = random.Random(0).sample(solutions, 250)
        assert sum(any(damaged(text, statements(text))) for text in texts) <= most


@pytest.mark.parametrize(
    "text",
    [
        "ab" * 10_000,
        "a b " * 8_000,
        "\ufffd" * 20_000,
        "(" * 20_000,
        "3 + " * 8_000,
        " ".join(map(str, range(10_000))),
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    damaged(text, [])
    assert time.process_time() - began < 10
