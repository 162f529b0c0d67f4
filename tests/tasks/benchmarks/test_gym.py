import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import tasks
from distillgame.tasks.benchmarks import gym
from distillgame.tasks.benchmarks.gym import ReasoningGym


@pytest.fixture(scope="module")
def legs() -> ReasoningGym:
    return ReasoningGym(dataset="leg_counting", config={"max_animals": 4}, train=6, test=3)


def test_it_is_registered() -> None:
    assert tasks.get("reasoning_gym") is ReasoningGym


def test_sizes_and_ids(legs: ReasoningGym) -> None:
    pools = legs.pools()
    assert [problem.id for problem in pools["test"]] == [f"reasoning_gym/leg_counting/0/{i}" for i in range(3)]
    assert [problem.id for problem in pools["train"]] == [f"reasoning_gym/leg_counting/0/{i}" for i in range(3, 9)]


@pytest.mark.parametrize("dataset", ["leg_counting", "isomorphic_strings", "word_ladder"])
def test_problems_are_the_same_every_time(dataset: str) -> None:
    first, second = (ReasoningGym(dataset=dataset, train=4, test=2).pools() for _ in range(2))
    assert first == second


def test_another_seed_gives_other_problems(legs: ReasoningGym) -> None:
    other = ReasoningGym(dataset="leg_counting", config={"max_animals": 4}, train=6, test=3, seed=1)
    assert {p.question for p in other.pools()["train"]}.isdisjoint(p.question for p in legs.pools()["train"])


def test_solutions_are_graded_right_and_others_wrong(legs: ReasoningGym) -> None:
    one, other = legs.pools()["train"][:2]
    assert legs.grade(one.solution, one).correct
    assert not legs.grade(other.solution, one).correct


def test_the_usual_markers_are_read(legs: ReasoningGym) -> None:
    problem = legs.pools()["test"][0]
    answer = problem.solution.removeprefix("<answer>").removesuffix("</answer>")
    assert legs.grade(f"4 x 6 = 24, and so on.\n#### {answer}", problem).correct
    assert legs.grade(f"I ran out of tokens{legs.forced_answer}{answer}", problem).correct


def test_an_answer_of_several_lines_is_graded() -> None:
    task = ReasoningGym(dataset="rotate_matrix", train=1, test=0)
    (problem,) = task.pools()["train"]
    assert "\n" in problem.solution
    assert task.grade(f"Rotating it gives {problem.solution}", problem).correct


def test_no_answer_is_wrong(legs: ReasoningGym) -> None:
    assert legs.grade("", legs.pools()["test"][0]).extracted is None


def test_a_partial_score_is_wrong() -> None:
    task = ReasoningGym(dataset="letter_jumble", train=1, test=0)
    (problem,) = task.pools()["train"]
    assert not task.grade(problem.solution.replace("</answer>", " and more</answer>"), problem).correct


def test_the_question_says_where_the_answer_goes(legs: ReasoningGym) -> None:
    problem = legs.pools()["test"][0]
    (message,) = legs.messages(problem)
    assert message["content"].startswith(problem.question)
    assert "</answer>" in message["content"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "leg_count"}, "there is no data set 'leg_count'.*leg_counting"),
        (
            {"dataset": "leg_counting", "config": {"legs": 3}},
            "has no option 'legs': choose one of.*max_animals",
        ),
        ({"dataset": "leg_counting", "config": {"seed": 3}}, "has no option 'seed'"),
        ({"dataset": "leg_counting", "config": {"max_animals": 0}}, "refuses its options"),
        ({"dataset": "leg_counting", "train": -1}, "cannot make -1 train"),
        ({"dataset": "leg_counting", "train": 0, "test": 0}, "cannot make 0 train"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(DistillgameError, match=message) as caught:
        ReasoningGym(**options).pools()  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_generating_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gym, "GENERATION_LIMIT", 0.05)
    with pytest.raises(DistillgameError, match="more than"):
        ReasoningGym(dataset="sudoku", train=500, test=500).pools()
