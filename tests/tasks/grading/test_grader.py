import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import Grade, grade

RIGHT = [
    # markers
    (r"So \boxed{5}.", "5"),
    (r"\boxed{5}, as wanted. Text after it, with 7 and 8.", "5"),
    (r"First \boxed{4}, no: \boxed{5}", "5"),
    (r"\boxed{\frac{\sqrt{3}}{\sqrt{2}}}", r"\boxed{\frac{\sqrt{6}}{2}}"),
    (r"\boxed 5", "5"),
    (r"$\boxed 18$.", "18"),
    (r"\fbox{5}", "5"),
    (r"\[\boxed{ 5 }\]", "5"),
    (r"\boxed{5", "5"),
    ("#### 84", "84"),
    ("#### 1,234", "1234"),
    ("#### $18", "#### 18"),
    ("#### 18.", "#### 18"),
    ("#### 18\n\nQuestion: how many?", "18"),
    ("The answer is 42.", "42"),
    ("the answer to the problem is: **42**", "42"),
    (r"The final answer is \boxed{42}.", "42"),
    (r"Therefore, the final answer is $42$. I hope it is correct.", "42"),
    ("Answer: 42", "42"),
    ("**Answer:** 42 dollars", "42"),
    ("**Final Answer**\n\n42", "42"),
    ("<think>5 or 6</think><answer>42</answer>", "42"),
    ("<answer>\n42\n</answer>", "42"),
    ("4 cockroach : 4 x 6 = 24 total 24 . #### 24\n\nThe final answer is 84", "84"),
    (r"I guess \boxed{7}. Wait, 3 + 4 is" + "\n\nThe final answer is 84", "84"),
    (r"I guess \boxed{\text{Tuesday}}. But" + "\n\nThe final answer is Monday", r"\boxed{\text{Monday}}"),
    ("She has 3 + 4 = 7 eggs, which makes 14 dollars.", "14"),
    (r"\boxed{18}. We check our answer: 9 + 9 = 18. So this answer is correct.", "18"),
    (r"\boxed{18} holds for every length; the answer is positive.", "18"),
    (r"\boxed{18}" + "\n\n#### Verification\nIt holds.", "18"),
    ("42", "42"),
    (r"\frac12", "0.5"),
    ("The answer is 12 + 6 = 18.", "18"),
    ("The answer is 18 (nine twice), and that is all.", "18"),
    ("The answer is: Janet makes $18 every day.", "18"),
    ("The answer is probably 18.", "18"),
    ("The answer is 18, and nothing else.", "18"),
    ("The answer is:\n\n$$\n42\n$$\n", "42"),
    ("The answer is:\n- 42", "42"),
    (r"The answer is $\frac12$ or $0.5$.", "1/2"),
    ("Answer: Janet sells 16 - 3 - 4 = 9 eggs a day and thus earns this much\nShe makes 9 * 2 = $18", "18"),
    # units
    (r"\boxed{18 dollars}", "18"),
    ("The answer is 18 dollars.", "#### 18"),
    ("The answer is $18.", "#### 18"),
    (r"\boxed{\$18}", "18"),
    (r"\boxed{-\$0.50}", r"\boxed{-\$0.50}"),
    (r"\boxed{5\text{ cm}}", "5"),
    (r"\boxed{5}", r"\boxed{5\text{ cm}}"),
    (r"\boxed{5 cm}", r"\boxed{5\,\text{ centimeters}}"),
    (r"\boxed{45 square feet}", r"\boxed{45\text{ square feet}}"),
    (r"\boxed{440 \text{ cm}^2}", r"\boxed{440\text{ cm}^2}"),
    (r"\boxed{9\pi}", r"\boxed{9\pi\text{ square inches}}"),
    (r"\boxed{9\pi \text{ cm}}", r"\boxed{9\pi}"),
    (r"\boxed{18 \text{ ways.}}", r"\boxed{18\text{ ways}}"),
    ("The answer is 18 apples in total.", "18"),
    ("The answer is 3 million dollars.", "3000000"),
    (r"\boxed{60^\circ}", "60"),
    (r"\boxed{60}", r"\boxed{60^{\circ}}"),
    (r"\boxed{60°}", r"\boxed{60\text{ degrees}}"),
    (r"\boxed{50\%}", r"\boxed{50\%}"),
    (r"\boxed{50}", r"\boxed{50\%}"),
    (r"\boxed{0.5}", r"\boxed{50\%}"),
    (r"\boxed{50\%}", "0.5"),
    ("The answer is 50%.", "That is 50/100 or 50%.\n#### 50"),
    ("The answer is 50 percent.", "Half of them, so 50 percent.\n#### 50"),
    ("The answer is 5%.", "#### 5"),
    # numbers
    ("The answer is 1,234,567.", "1234567"),
    (r"\boxed{15,\!000}", "15000"),
    (r"\boxed{15{,}000}", "15000"),
    ("The answer is 18.00", "18"),
    ("The answer is .5", "1/2"),
    (r"\boxed{0.5}", r"\frac{1}{2}"),
    (r"\boxed{\dfrac12}", "0.5"),
    (r"\boxed{\tfrac{2}{4}}", "1/2"),
    (r"\boxed{6\frac15}", "6.2"),
    ("The answer is 6 1/5 cups.", "31/5"),
    (r"\boxed{-\frac{3}{4}}", r"\frac{-3}{4}"),
    (r"\boxed{\frac{3}{-4}}", r"-\frac{3}{4}"),
    ("The answer is −3", "-3"),
    (r"\boxed{2.5 \times 10^3}", "2500"),
    (r"\boxed{2^{10}}", "1024"),
    # lists, sets, tuples, intervals, matrices
    (r"\boxed{(2, \infty)}", r"\boxed{(2,\infty)}"),
    (r"\boxed{(-\infty, +\infty)}", r"(-\infty,\infty)"),
    (r"\boxed{[1,3)}", r"\boxed{\left[1,3\right)}"),
    (r"\boxed{\left[\frac12, 3\right]}", "[0.5,3]"),
    (r"\boxed{x < 3}", r"(-\infty,3)"),
    (r"\boxed{-2 \le x \le 7}", r"x \in [-2,7]"),
    (r"\boxed{\{2,1\}}", r"\{1,2\}"),
    (r"\boxed{2, 1}", r"\{1,2\}"),
    (r"\boxed{1} and \boxed{2}", "2, 1"),
    (r"\boxed{3 \text{ and } 5}", "3,5"),
    (r"\boxed{1+\sqrt{19}, 1-\sqrt{19}}", r"1 \pm \sqrt{19}"),
    (r"\boxed{x = 5, y = 3}", "y=3, x=5"),
    (r"\boxed{(3, \frac{\pi}{2})}", r"\left( 3, \frac{\pi}{2} \right)"),
    (r"\boxed{(-\infty,-8)\cup (8,\infty)}", r"(8,\infty) \cup (-\infty,-8)"),
    (r"\boxed{x < -8 \text{ or } x > 8}", r"(8,\infty) \cup (-\infty,-8)"),
    (r"\boxed{\begin{bmatrix} .2 & 1 \\ 3 & x \end{bmatrix}}", r"\begin{pmatrix}1/5&1\\3&x\end{pmatrix}"),
    (r"\boxed{\left(\begin{array}{c} 1 \\ 2 \end{array}\right)}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    # words
    (r"\boxed{\text{Evelyn}}", r"\boxed{\text{Evelyn}}"),
    (r"\boxed{Evelyn}", r"\boxed{\text{Evelyn}}"),
    ("The answer is Monday.", "Monday"),
    ("The answer is monday. That is all.", r"\text{Monday}"),
    (r"\boxed{\text{an ellipse}}", r"\text{ellipse}"),
    ("The answer is (C).", "C"),
    (r"\boxed{C}", r"\text{(C)}"),
    (r"\boxed{\text{(C)}\ 5}", r"\text{(C)}"),
    (r"\boxed{\text{C, A}}", r"\text{A,C}"),
    (r"\boxed{4:30 PM}", r"\text{4:30 p.m.}"),
    (r"\boxed{9 a.m.}", r"9\text{ a.m.}"),
    # equations and algebra
    (r"\boxed{x=5}", "5"),
    (r"\boxed{5}", "x=5"),
    (r"\boxed{f(2) = 5}", "5"),
    (r"\boxed{2+3=5}", "5"),
    (r"\boxed{x = 2 + 3 = 5}", "5"),
    (r"\boxed{a+b = 7}", "7"),
    (r"\boxed{\frac{x}{y} = \frac34}", "0.75"),
    (r"\boxed{m\angle ABC = 30^\circ}", r"30^\circ"),
    (r"\boxed{x_1 = 7}", "7"),
    (r"\boxed{x \approx 3.14}", "3.14"),
    (r"\boxed{5\pi \approx 15.7}", r"5\pi"),
    (r"\boxed{x < \infty}", r"(-\infty,\infty)"),
    (r"\boxed{2x+3}", "y = 2x+3"),
    (r"\boxed{5y - 4x = 50}", "4x-5y=-50"),
    (r"\boxed{x^2+3x+2}", "(x+1)(x+2)"),
    (r"\boxed{(1+i)^2}", "2i"),
    (r"\boxed{\sin 32^\circ}", r"\cos 58^\circ"),
    (r"\boxed{\frac{1}{\sqrt{3}}}", r"\frac{\sqrt3}3"),
    (r"\boxed{15\frac{39}{40} \text{ or } \frac{639}{40}}", r"\frac{639}{40}"),
    (r"\boxed{2112_{6}}", "2112_6"),
    (r"\boxed{3:1}", "6 : 2"),
    (r"\boxed{x=-2 \text{ or } x=3}", "3, -2"),
    ("She made 18!", "18"),
]  # fmt: skip

WRONG = [
    ("", "5"),
    ("I do not know.", "5"),
    (r"\boxed{}", "5"),
    (r"It is 5, so \boxed{}", "5"),
    (r"\boxed{1}", "(1, 2)"),
    (r"\boxed{(1, 2)}", "1"),
    (r"The area is $4\sqrt{3}$", "4"),
    (r"The area is $4\sqrt{3}$", "3"),
    (r"It is $\frac{1}{2}$", "2"),
    ("It is 5x", "5"),
    ("so 10 - 3", "3"),
    ("She has 18 of them.\n\n### 1. Why", "18"),
    (r"\boxed{1,2}", "12"),
    (r"\boxed{12}", "1,2"),
    (r"\boxed{1,2}", "(1,2)"),
    (r"\boxed{(2,1)}", "(1,2)"),
    (r"\boxed{[1,2]}", "(1,2)"),
    (r"\boxed{[1,3]}", "[1,3)"),
    (r"\boxed{\{1,2,3\}}", r"\{1,2\}"),
    (r"\boxed{\{\}}", "5"),
    (r"\boxed{5\%}", "5"),
    (r"\boxed{0.33}", "1/3"),
    (r"\boxed{0.3333333333333}", r"\frac13"),
    (r"\boxed{1.41421356}", r"\sqrt{2}"),
    (r"\boxed{3.14159265358979}", r"\pi"),
    (r"\boxed{-3}", "3"),
    (r"\boxed{3}", "-3"),
    (r"\boxed{x=5,y=3}", "5"),
    (r"\boxed{2x=10}", "10"),
    (r"\boxed{3=5}", "5"),
    (r"\boxed{x=5}", "y=5"),
    (r"\boxed{x \ne 5}", "5"),
    (r"\boxed{x > 5}", "5"),
    (r"\boxed{x > 5}", "x < 5"),
    (r"\boxed{x^2=-1}", "x^2=-2"),
    ("not 5", "5"),
    ("The answer is not 5.", "5"),
    ("The answer is not going to be 5.", "5"),
    ("The answer is either 5 or 6.", "6"),
    (r"\boxed{5 or 6}", "5"),
    (r"\boxed{\pi = 5}", "5"),
    (r"\boxed{x + 5 = 5}", "5"),
    (r"\boxed{5} or \boxed{6}", "6"),
    ("It is 5 or 6", "6"),
    (r"\boxed{\pm 5}", "5"),
    (r"\boxed{15}", "5"),
    (r"\boxed{50}", "5"),
    ("5 apples, so the answer is 6", "5"),
    (r"\boxed{5}" + "\n\nThe final answer is 6", "5"),
    ("The answer is 5 more than 7.", "5"),
    ("The answer is 5 times 6.", "5"),
    ("The answer is 3 million.", "3"),
    (r"\boxed{5!}", "5"),
    (r"\boxed{5x}", "5"),
    (r"\boxed{5m}", "5"),
    (r"\boxed{3 5}", "8"),
    (r"\boxed{5 \text{ cents}}", r"\$5"),
    (r"\boxed{9 \text{ p.m.}}", r"9\text{ a.m.}"),
    (r"\boxed{3r^2}", "3R^2"),
    (r"\boxed{\frac{1}{2005!}}", r"\frac{1}{2004!}"),
    (r"\boxed{2^{2006}}", "2^{2005}"),
    (r"\boxed{2112_7}", "2112_6"),
    (r"\boxed{2112}", "2112_6"),
    (r"\boxed{1:3}", "3:1"),
    (r"\boxed{\text{Even}}", r"\text{Evelyn}"),
    (r"\boxed{\text{(C) 5 or (D) 6}}", "C"),
    (r"\boxed{\text{B}}", r"\text{(C)}"),
    (r"\boxed{A}", "a"),
    (r"\boxed{\text{WV}}", r"\text{VW}"),
    (r"\boxed{\begin{pmatrix} 1 & 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 2 \\ 1 \end{pmatrix}"),
    (r"\boxed{(-\infty,8)}", r"(-\infty,-8)\cup (8,\infty)"),
    (r"\boxed{\pi}", "5"),
    ("9" * 2000, "9"),
    (r"\boxed{5 \text{ is wrong}}", "5"),
    (r"\boxed{x+1 \text{ is wrong}}", "x+1"),
]  # fmt: skip


@pytest.mark.parametrize(("completion", "solution"), RIGHT)
def test_right(completion: str, solution: str) -> None:
    assert grade(completion, solution).correct


@pytest.mark.parametrize(("completion", "solution"), WRONG)
def test_wrong(completion: str, solution: str) -> None:
    assert not grade(completion, solution).correct


def test_several_golds_of_one_solution() -> None:
    solution = r"so the values are $a = \boxed{-1}$ and $a = \boxed{2}.$"
    assert grade("The answer is 2, -1", solution).correct
    assert grade(r"\boxed{2}", solution).correct
    assert not grade(r"\boxed{-1}", solution).correct


def test_the_extracted_answer_is_reported() -> None:
    assert grade(r"so \boxed{x = 7}", "5") == Grade(correct=False, extracted="x = 7")


def test_no_answer_is_reported() -> None:
    assert grade("Let me think about it first.\nThen", "5").extracted is None


def test_a_solution_that_is_too_long_is_refused() -> None:
    with pytest.raises(DistillgameError, match="has no answer"):
        grade("5", "9" * 5000)


def test_a_solution_without_answer_is_refused() -> None:
    with pytest.raises(DistillgameError, match="has no answer"):
        grade("5", "Some text\nwithout an answer")
