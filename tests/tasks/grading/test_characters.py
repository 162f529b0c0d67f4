import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillgame.tasks.grading.characters import plain


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("−3 ‑3 –3 －3", "-3 -3 -3 -3"),
        ("x = —3", "x = -3"),
        ("the total—5 apples—is", "the total—5 apples—is"),
        ("１８％ of 𝟓", "18% of 5"),
        ("10\u202f000\u00a0km", "10 000 km"),
        ("**73** residents", "  73   residents"),
        ("*73* `73` __73__", " 73   73    73  "),
        ("2**3, 2 * 3 * 4, x_1 + y_2", "2**3, 2 * 3 * 4, x_1 + y_2"),
        (r"$_5C_2$ and ${}_{5}C_{2}$", r"$_5C_2$ and ${}_{5}C_{2}$"),
        ("<b>42</b>", "   42    "),
        ("x <b and b> y", "x <b and b> y"),
        ("10<sup>6</sup>", "10^    6      "),
        ("&minus;5", "      -5"),
        ("ℝ", "ℝ"),
    ],
)
def test_plain(text: str, spelled: str) -> None:
    assert plain(text) == spelled


@given(st.text(max_size=60) | st.text(alphabet="*_`<b>/&;su#x 12\n−—½\\", max_size=60))
def test_plain_keeps_every_position(text: str) -> None:
    assert len(plain(text)) == len(text)
