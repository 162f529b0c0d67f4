"""Reasoning-gym: about a hundred kinds of generated problems with exact scoring."""

from collections.abc import Mapping
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.seeding import derive_seed
from distillgame.tasks.base import Problem, Task, tasks
from distillgame.tasks.grading import TIME_LIMIT, Grade, extract_answer
from distillgame.tasks.knowledge import Message
from distillgame.tasks.sandbox import CallFailedError, OverLimitError, sandbox

GENERATION_LIMIT = 600.0
"""Seconds that generating all problems may take."""


@tasks.register("reasoning_gym")
class ReasoningGym(Task):
    """One of reasoning-gym's data sets, generated and scored in a worker process.

    Args:
        dataset: The data set's name, ``"leg_counting"``.
        config: Its own options, without ``seed`` and ``size``.
        train: Number of problems in the train pool.
        test: Number of problems in the test pool.
        seed: Seed of the generator; the same options always generate the same problems.
    """

    forced_answer = "\n\n<answer>"

    def __init__(
        self,
        dataset: str,
        config: Mapping[str, Any] | None = None,
        train: int = 2000,
        test: int = 500,
        seed: int = 0,
    ):
        self.dataset = dataset
        self.config = dict(config or {})
        self.train = train
        self.test = test
        self.seed = seed

    def pools(self) -> dict[str, list[Problem]]:
        """Return the generated problems; the first ones are the test pool.

        Raises:
            DistillgameError: If the data set or an option is unknown, if no problem is asked for, or if generating
                them takes too long.
        """
        if min(self.train, self.test) < 0 or self.train + self.test == 0:
            sizes = f"{self.train} train and {self.test} test problems"
            raise DistillgameError(f"reasoning_gym: cannot make {sizes}")
        try:
            found = self._call("generate", limit=GENERATION_LIMIT)
        except CallFailedError as error:
            raise DistillgameError(f"reasoning_gym: '{self.dataset}' fails: {error}") from error
        except OverLimitError as error:
            limit = f"{GENERATION_LIMIT:g} seconds or too much memory"
            raise DistillgameError(
                f"reasoning_gym: '{self.dataset}' takes more than {limit}: ask for fewer problems"
            ) from error
        if "error" in found:
            raise DistillgameError(f"reasoning_gym: {found['error']}")
        problems = [self._problem(index, *entry) for index, entry in enumerate(found["entries"])]
        pools = {"train": problems[self.test :], "test": problems[: self.test]}
        return {pool: found for pool, found in pools.items() if found}

    def messages(self, problem: Problem) -> list[Message]:
        """Return the question with a line on where to put the answer, whatever its form."""
        text = f"{problem.question}\n\nGive your final answer between <answer> and </answer>."
        return [{"role": "user", "content": text}]

    def grade(self, completion: str, problem: Problem) -> Grade:
        """Grade with the data set's own scorer; only a full score counts as right."""
        answer = extract_answer(completion)
        if answer is None:
            return Grade(False, None)
        try:
            score = self._call("score", problem.metadata["index"], answer, limit=TIME_LIMIT)
        except CallFailedError:
            return Grade(False, answer)
        except OverLimitError:
            return Grade(False, answer, timed_out=True)
        return Grade(score >= 1.0, answer)

    def _call(self, function: str, *arguments: object, limit: float) -> Any:
        # The generators add an entry's index to the seed, so that neighbouring seeds would share almost all entries.
        seed = derive_seed("reasoning_gym", self.seed, bits=31)
        recipe = (self.dataset, self.config, seed, self.train + self.test)
        return sandbox.call(
            f"distillgame.tasks.benchmarks.generators:{function}", recipe, *arguments, limit=limit
        ).value

    def _problem(self, index: int, question: str, answer: str | None) -> Problem:
        solution = "" if answer is None else f"<answer>{answer}</answer>"
        return Problem(f"reasoning_gym/{self.dataset}/{self.seed}/{index}", question, solution, {"index": index})
