import pytest

from distillgame.tasks.grading.agreement import Matcher
from distillgame.tasks.grading.structure import read


class _NoAlgebra:
    """Fails where structure should have decided."""

    def equal(self, gold: str, answer: str) -> bool:
        raise AssertionError((gold, answer))

    def proportion(self, gold: str, answer: str) -> int:
        raise AssertionError((gold, answer))


@pytest.mark.parametrize(
    ("gold", "answer", "agree"),
    [
        ("1, 2, 3", "3,1,2", True),
        ("1, 2", "1, 2, 3", False),
        ("1, 2", "1, 1, 2", True),
        ("1, 1/2", "0.5, 1", True),
        ("(1, 2)", "(1.0, 2.0)", True),
        ("(1, 2)", "(2, 1)", False),
        ("(1, 2)", "1, 2", False),
        ("(1,234)", "1234", False),
        ("[0,1)", "[0,1]", False),
        (r"(0,1)\cup(2,3)", r"(2,3)\cup(0,1)", True),
        (r"(0,1)\cup(2,3)", "(0,1)", False),
        ("x > 5", r"(5,\infty)", True),
        (r"[5,\infty)", r"x \ge 5", True),
        (r"(-1,5]", r"-1 < x \le 5", True),
        (r"(-1,5]", "x<5", False),
        ("5 > x", "x < 5", True),
        ("f(2) < f(1) < f(4)", "f(4) > f(1) > f(2)", True),
        ("C", "(C)", True),
        ("(C)", "D", False),
        (r"\text{Monday}", "monday", True),
        ("June 20", "june 20", True),
        ("June 20", "20", False),
        ("12_5", "12_{5}", True),
        ("12_5", "12_{6}", False),
        ("2:1", "4:2", True),
        ("2:1", "1:2", False),
        ("4:30", "2:15", False),
        ("5", r"\text{five}", False),
        (r"5\text{ cm}", "5", True),
    ],
)
def test_structure_decides(gold: str, answer: str, agree: bool) -> None:
    assert Matcher(_NoAlgebra()).agree(read(gold), read(answer)) == agree


@pytest.mark.parametrize("text", ["", "(", r"\{\}", ",", "=", r"\pm", "x=", "(,)", r"\begin{pmatrix}\end{pmatrix}"])
def test_degenerate_answers_are_not_five(text: str) -> None:
    class Never(_NoAlgebra):
        def equal(self, gold: str, answer: str) -> bool:
            return False

    assert not Matcher(Never()).agree(read("5"), read(text))
