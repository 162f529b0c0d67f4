import pytest

from distillgame.tasks.grading.symbolic import equal, proportion


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x+1", "1+x"),
        (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
        (r"\sin 3x", r"3\sin x-4\sin^3 x"),
        ("2i", "(1+i)^2"),
        (r"\cos 60^\circ", r"\frac{1}{2}"),
        (r"\frac{1}{2004!}", r"\frac{1}{2004 \cdot 2003!}"),
        ("0.25x", r"\frac{x}{4}"),
        (r"\overline{CD}", r"\overline{CD}"),
    ],
)
def test_equal_expressions(gold: str, answer: str) -> None:
    assert equal(gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x+1", "x-1"),
        ("x^2", "y^2"),
        ("R^2", "r^2"),
        (r"\frac{1}{2004!}", r"\frac{1}{2005!}"),
        ("2^{100}", "2^{100}+1"),
        (r"\sqrt{2}", "1.41421356237309504880"),
        ("8", "3 5"),
        (r"\infty", r"-\infty"),
        ("5", r"\infty"),
        (r"\frac{1}{0}", r"\frac{2}{0}"),
        ("5", "5 ] 6"),
        ("5", "5_2"),
        (r"\frac{5}{12}", r"\frac{5}{12}9&"),
        (r"\frac{7}{9}", r"(\frac{7}{9}9"),
        ("5", ""),
        ("5", r"\frac"),
        ("(1,2)", "(1,2)"),
    ],
)
def test_different_or_unreadable_expressions(gold: str, answer: str) -> None:
    assert not equal(gold, answer)


@pytest.mark.parametrize(
    ("gold", "answer", "sign"),
    [
        ("(4x-5y)-(-50)", "(5y-4x)-(50)", -1),
        ("x-3z", "2x-6z", 1),
        ("x-3z", "2x-6z-1", 0),
        ("x-5", "y-5", 0),
        ("0", "x", 0),
    ],
)
def test_proportion(gold: str, answer: str, sign: int) -> None:
    assert proportion(gold, answer) == sign
