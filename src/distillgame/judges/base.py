"""The interface of judges: what they are shown of a trace, and what they say about it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, ModelSpec
from distillgame.registry import Registry

AUDITABILITY = "auditability"
"""The criterion that every judge scores from 1 to 5: can a reader follow the trace and check it?"""


@dataclass(frozen=True)
class Scale:
    """The scale of one criterion.

    Attributes:
        low: Its lowest score.
        high: Its highest score, which is the best.
    """

    low: float
    high: float


@dataclass(frozen=True)
class Exhibit:
    """A trace as a judge sees it: nothing tells which policy released it.

    Attributes:
        id: A name that says nothing; random streams are keyed by it.
        question: The problem.
        text: The trace.
        turn: A number by whose parity a judge may vary how it asks. Exhibits of one problem share it, so that what is
            compared was asked alike, and half of the problems have an even one.
    """

    id: str
    question: str
    text: str
    turn: int = 0


@dataclass(frozen=True)
class Mark:
    """A statement in a trace that a judge checked.

    Attributes:
        start: Where it begins in the text.
        end: Where it ends.
        true: Whether it holds.
    """

    start: int
    end: int
    true: bool


@dataclass(frozen=True)
class Judgement:
    """A judge's word on one exhibit.

    Attributes:
        scores: Scores by criterion; a criterion that does not apply, or on which the judge failed, is missing.
        reasons: Reasons by criterion, where the judge gives some.
        marks: The statements that were checked.
        failure: ``refused``, ``truncated`` or ``malformed``, if the judge said nothing that counts.
        prompt_tokens: Number of tokens that were read.
        tokens: Number of tokens that were written.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    failure: str | None = None
    prompt_tokens: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Tools:
    """The means of a judge.

    Attributes:
        seed: Seed of its random streams.
        models: The models that it named, loaded when they are first asked for.
        journal: A file in which answers may be kept that were paid for; it outlives the run that wrote it, and grows.
        progress: Told how many exhibits were judged, and their number.
    """

    seed: int = 0
    models: Mapping[str, Callable[[], LanguageModel]] = field(default_factory=dict)
    journal: Path | None = None
    progress: Callable[[int, int], None] = lambda done, total: None


class Judge(ABC):
    """A judge. Whatever it is, it scores :data:`AUDITABILITY` from 1 to 5, beside criteria of its own.

    Attributes:
        name: Its name in the registry.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def scales(self) -> Mapping[str, Scale]:
        """The scales of its criteria, :data:`AUDITABILITY` among them."""

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        """The models that it runs here, by a name of its own."""
        return {}

    @property
    def material(self) -> str:
        """The text on which its judgements depend beside its options: that of a rubric in a file, say."""
        return ""

    def calls(self, exhibits: int) -> int:
        """Return the least number of calls of a model that is not run here.

        Args:
            exhibits: Number of exhibits.
        """
        return 0

    @property
    def injections(self) -> Sequence[str]:
        """Texts by which a trace may try to talk to it; a program has none to fear."""
        return ()

    @abstractmethod
    def judge(self, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
        """Return a judgement per exhibit, in their order.

        A judgement depends on its exhibit, the judge's settings and the seed, and on no other exhibit.

        Args:
            exhibits: What is judged.
            tools: What it works with.

        Raises:
            DistillgameError: If the judge cannot be asked at all.
        """


judges: Registry[Judge] = Registry("judge", "distillgame.judges")


def judge_all(judge: Judge, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
    """Return a judge's judgements, its scores checked against its scales.

    Args:
        judge: The judge.
        exhibits: What is judged.
        tools: What it works with.

    Raises:
        DistillgameError: If the judge cannot be asked, or gives a score that is on none of its scales.
    """
    said = judge.judge(exhibits, tools)
    if len(said) != len(exhibits):
        raise DistillgameError(f"judge '{judge.name}': {len(said)} judgements of {len(exhibits)} exhibits")
    for judgement in said:
        for criterion, score in judgement.scores.items():
            scale = judge.scales.get(criterion)
            if scale is None or not scale.low <= score <= scale.high:
                raise DistillgameError(f"judge '{judge.name}': {score!r} is no score on its scale of '{criterion}'")
    return said


def make_judge(choice: NamedChoice) -> Judge:
    """Make the judge that ``choice`` names.

    Raises:
        DistillgameError: If the name or an option is not acceptable.
    """
    return judges.make(choice.name, choice.options)


class JudgeChoice(NamedChoice):
    """A judge and its options: ``checked``, or ``rubric: {model: openai/gpt-4o}`` in YAML."""

    @cached_property
    def judge(self) -> Judge:
        """The judge itself.

        Raises:
            DistillgameError: If the name, an option's name or its value is not acceptable.
        """
        return make_judge(self)
