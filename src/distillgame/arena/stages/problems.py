"""One split of a task, as a stage refers to it."""

import hashlib
from functools import lru_cache

from distillgame.arena.config import GameConfig
from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.strict import Strict
from distillgame.tasks import Problem, TaskChoice, split


class ProblemSet(Strict):
    """The problems of one split, with a digest that notices when their source has changed.

    Attributes:
        task: The task and its options.
        sizes: Sizes of all splits: they are drawn together, disjoint.
        seed: Seed of the splits.
        name: Which split.
        digest: Hash of the problems.
        span: The first of them and the one after the last, or None for all.
    """

    task: TaskChoice
    sizes: tuple[tuple[str, int], ...]
    seed: int
    name: str
    digest: str
    span: tuple[int, int] | None = None

    @classmethod
    def of(cls, config: GameConfig, name: str, resolve: bool = True) -> "ProblemSet":
        """Return the split ``name`` of a game; without ``resolve`` it can be described but not used."""
        sizes = tuple(sorted(config.splits.items()))
        plain = cls(task=config.task, sizes=sizes, seed=config.split_seed, name=name, digest="")
        if not resolve:
            return plain
        return plain.model_copy(update={"digest": _drawn(config.task.model_dump_json(), sizes, plain.seed, name)})

    @property
    def size(self) -> int:
        """Number of problems."""
        whole = dict(self.sizes).get(self.name, 0)
        return whole if self.span is None else len(range(whole)[slice(*self.span)])

    @property
    def label(self) -> str:
        """The split, and which of its problems."""
        return self.name if self.span is None else f"{self.name} {self.span[0]}-{self.span[1] - 1}"

    def part(self, start: int, end: int) -> "ProblemSet":
        """Return some of the problems."""
        return self.model_copy(update={"span": (start, end)})

    def draw(self) -> list[Problem]:
        """Draw the problems from their source as it is now."""
        return _splits(self.task.model_dump_json(), self.sizes, self.seed)[self.name]

    def load(self) -> list[Problem]:
        """Return the problems.

        Raises:
            DistillgameError: If the source no longer gives the problems that the digest stands for.
        """
        problems = self.draw()
        if _digest(problems) != self.digest:
            raise DistillgameError(
                f"task '{self.task.name}': its data changed while the game was running; start it again"
            )
        return problems if self.span is None else problems[slice(*self.span)]

    def reference_solutions(self) -> list[ReleasedTrace]:
        """Return the public worked solutions, as conversations."""
        task = self.task.task
        return [
            ReleasedTrace([*task.messages(problem), {"role": "assistant", "content": problem.solution}])
            for problem in self.load()
        ]


@lru_cache(maxsize=4)
def _splits(task: str, sizes: tuple[tuple[str, int], ...], seed: int) -> dict[str, list[Problem]]:
    return split(TaskChoice.model_validate_json(task).task, dict(sizes), seed)


@lru_cache(maxsize=32)
def _drawn(task: str, sizes: tuple[tuple[str, int], ...], seed: int, name: str) -> str:
    """Return the digest of a split as it was when it was first drawn; a game asks for it once per stage."""
    return _digest(_splits(task, sizes, seed)[name])


def _digest(problems: list[Problem]) -> str:
    text = "\0".join(part for p in problems for part in (p.id, p.question, p.solution))
    return hashlib.sha256(text.encode()).hexdigest()
