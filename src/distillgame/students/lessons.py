"""Lessons, the training examples of a student, and the desk at which it prepares them before training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from distillgame.models import Example, LanguageModel, training_example
from distillgame.records import ReleasedTrace
from distillgame.students.supplies import Supplies
from distillgame.values import IGNORED, collate, token_logprobs


@dataclass(frozen=True)
class Soft:
    """Targets that are distributions: K tokens and their log-probabilities at each target position.

    Both are of shape (T, K), int32 and float32: a trace of a thousand tokens and twenty likeliest takes 160 kB.
    """

    tokens: torch.Tensor
    logprobs: torch.Tensor


@dataclass(frozen=True)
class Lesson:
    """One training example as its student prepared it.

    Attributes:
        example: Prompt and target tokens.
        cut: Whether it had to be cut to the trainer's length.
        log_weight: Log of its weight, up to a constant.
        keep: Which target tokens are trained on; None for all.
        soft: Distributions to be learnt instead of the target tokens.
        rejected: The same prompt with another target, which is to become less likely than this one.
    """

    example: Example
    cut: bool = False
    log_weight: float = 0.0
    keep: tuple[bool, ...] | None = None
    soft: Soft | None = None
    rejected: Example | None = None


@dataclass(frozen=True)
class Preference:
    """A student's preference for targets over rejected ones.

    It adds strength · -log sigma(beta · (log pi(target) - log pi(rejected))) to a lesson's loss, log pi being a mean
    over tokens: SimPO's loss without its margin (Meng, Xia and Chen, "SimPO: Simple Preference Optimization with a
    Reference-Free Reward"), that is, DPO's without a reference model.

    Attributes:
        beta: Its sharpness.
        strength: Its weight beside the likelihood.
    """

    beta: float
    strength: float


@dataclass(frozen=True)
class Phase:
    """A part of a training, with a schedule of its own.

    Attributes:
        lessons: What it trains on.
        rate: Its peak learning rate, as a share of the settings'.
    """

    lessons: Sequence[Lesson]
    rate: float = 1.0


def encode(model: LanguageModel, trace: ReleasedTrace, max_length: int) -> Lesson | None:
    """Encode released text for a student, cut to ``max_length``; None if nothing would be left to learn."""
    example = training_example(model.tokenizer, trace.messages, trace.finish_reason == "stop")
    room = max_length - len(example.prompt)
    if not example.target or room <= 0:
        return None
    return Lesson(Example(example.prompt, example.target[:room]), len(example.target) > room)


def collate_lessons(
    lessons: Sequence[Lesson], pad_id: int, device: torch.device | str = "cpu"
) -> dict[str, torch.Tensor]:
    """Pad lessons into a batch.

    Returns:
        The batch from :func:`distillgame.values.collate`, in which tokens that are not kept are ignored; ``log_weight``
        of shape (B,); if lessons have soft targets, ``soft_tokens`` and ``soft_probabilities`` of shape (B, T, K); and
        if some have rejected targets, a batch of those under names that begin with ``rejected_``, among which
        ``rejected_rows`` says whose they are.
    """
    batch = collate([lesson.example for lesson in lessons], pad_id, device)
    batch["log_weight"] = torch.tensor([lesson.log_weight for lesson in lessons], device=device)
    for row, lesson in enumerate(lessons):
        if lesson.keep is not None:
            start = len(lesson.example.prompt)
            dropped = ~torch.tensor(lesson.keep, device=device)
            batch["labels"][row, start : start + len(lesson.keep)][dropped] = IGNORED
    if lessons[0].soft is not None:
        shape = (*batch["labels"].shape, lessons[0].soft.tokens.shape[-1])
        batch["soft_tokens"] = torch.zeros(shape, dtype=torch.long)
        batch["soft_probabilities"] = torch.zeros(shape)
        for row, lesson in enumerate(lessons):
            assert lesson.soft is not None
            start = len(lesson.example.prompt)
            place = slice(start, start + len(lesson.example.target))
            batch["soft_tokens"][row, place] = lesson.soft.tokens
            batch["soft_probabilities"][row, place] = lesson.soft.logprobs.exp()
        batch |= {name: batch[name].to(device) for name in ("soft_tokens", "soft_probabilities")}
    rejected = {row: lesson.rejected for row, lesson in enumerate(lessons) if lesson.rejected is not None}
    if rejected:
        batch |= {f"rejected_{name}": part for name, part in collate(list(rejected.values()), pad_id, device).items()}
        batch["rejected_rows"] = torch.tensor(list(rejected), device=device)
    return batch


@dataclass
class Desk:
    """The place where a student prepares: its base model, its supplies and its validation objective.

    Attributes:
        model: The student's base model; it must not be changed.
        supplies: Released traces and everything else it asked for.
        objective: Lessons of the validation objective; empty if the student needs none.
        max_length: Most tokens of prompt and completion together.
        batch_size: Examples in a forward pass.
        value_step: Finite-difference step along the unit-norm g.
        trace_rate: Peak learning rate of the training to come, divided by the traces of an optimiser step.
    """

    model: LanguageModel
    supplies: Supplies
    objective: Sequence[Lesson]
    max_length: int
    batch_size: int
    value_step: float
    trace_rate: float

    def lessons(self, traces: Sequence[ReleasedTrace]) -> list[Lesson]:
        """Encode traces, dropping those of which nothing would be left."""
        encoded = (encode(self.model, trace, self.max_length) for trace in traces)
        return [lesson for lesson in encoded if lesson is not None]

    def lesson(self, trace: ReleasedTrace) -> Lesson | None:
        """Encode one trace."""
        return encode(self.model, trace, self.max_length)

    @torch.no_grad()
    def token_logprobs(self, lessons: Sequence[Lesson]) -> list[torch.Tensor]:
        """Return the base model's log-probabilities of each lesson's target tokens, (T,) each."""
        found = []
        for start, batch in zip(range(0, len(lessons), self.batch_size), self.batches(lessons), strict=True):
            rows = token_logprobs(self.model.model, batch)
            for lesson, row in zip(lessons[start : start + self.batch_size], rows, strict=True):
                first = len(lesson.example.prompt) - 1
                found.append(row[first : first + len(lesson.example.target)].cpu())
        return found

    def batches(self, lessons: Sequence[Lesson]) -> Iterator[dict[str, torch.Tensor]]:
        """Yield lessons as padded batches, in their order."""
        pad = self.model.tokenizer.pad_token_id
        for start in range(0, len(lessons), self.batch_size):
            yield collate_lessons(lessons[start : start + self.batch_size], pad, self.model.device)


def reweighed(lessons: Sequence[Lesson], log_weights: Sequence[float]) -> list[Lesson]:
    """Return the same lessons with other weights."""
    return [replace(lesson, log_weight=weight) for lesson, weight in zip(lessons, log_weights, strict=True)]
