"""The gradient of the green-list statistic at a proxy: the direction of a fingerprint."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from safetensors.torch import save_file

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import GRADIENT, TRACES, GradientStage
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, load_model, training_example
from distillgame.policies import Fingerprint, PolicyChoice
from distillgame.policies.seeds import Marking, context_seed, uniform_numbers
from distillgame.records import read_released
from distillgame.values import trainable


class GreenGradientStage(GradientStage):
    """Unit-norm gradient of the mean probability of green tokens (arXiv 2602.03812).

    Attributes:
        proxy: The proxy, which has the teacher's vocabulary.
        policy: The fingerprint, whose key makes the lists.
        teacher: The teacher, of whose tokens contexts are made.
        traces: Undefended traces of the defender's holdout, whose contexts count.
    """

    kind: ClassVar[str] = "green gradient"

    proxy: Model
    policy: PolicyChoice
    teacher: Model
    traces: SampleStage

    @property
    def label(self) -> str:
        """The fingerprint's owner, and the proxy."""
        return f"gradient of the green tokens of {self.policy.label} at {self.proxy.spec.name} seed={self.traces.seed}"

    def run(self, context: StageContext) -> None:
        """Write ``gradient.safetensors``, one tensor per parameter."""
        fingerprint = self.policy.policy
        assert isinstance(fingerprint, Fingerprint)
        assert fingerprint.marking is not None
        proxy = load_model(self.proxy.spec.model_copy(update={"dtype": "float32"}), context.device)
        if proxy.tokenizer.get_vocab() != self.teacher.load(context.device).tokenizer.get_vocab():
            raise DistillgameError(
                f"policy 'fingerprint': the vocabulary of proxy '{self.proxy.spec.name}' is not the teacher's, of "
                "whose tokens green lists are made"
            )
        traces = read_released(context.folder(self.traces) / TRACES)
        total = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in trainable(proxy.model).items()}
        for place, trace in enumerate(traces):
            example = training_example(proxy.tokenizer, trace.messages, trace.finish_reason == "stop")
            ids = [*example.prompt, *example.target]
            for name, gradient in _gradients(proxy, ids, len(example.prompt), fingerprint.marking, fingerprint.green):
                total[name] += gradient
            context.progress(place + 1, len(traces))
        norm = torch.sqrt(sum((g.square().sum() for g in total.values()), torch.zeros(())))
        if not torch.isfinite(norm) or norm == 0:
            raise DistillgameError(f"the fingerprint's gradient has norm {norm.item()}: it would mark nothing")
        save_file({name: (g / norm).cpu().contiguous() for name, g in total.items()}, context.out / GRADIENT)


def green_share(model: LanguageModel, ids: list[int], start: int, marking: Marking, green: float) -> torch.Tensor:
    """Return the summed probability of green tokens over the positions of a completion, a differentiable scalar.

    Args:
        model: The model.
        ids: Prompt and completion.
        start: Number of tokens of the prompt.
        marking: The rule of the lists.
        green: The share of green tokens.
    """
    logits = model.model(input_ids=torch.tensor([ids], device=model.device)).logits[0, start - 1 : -1].float()
    contexts = (ids[max(0, end - marking.width) : end] for end in range(start, len(ids)))
    seeds = torch.tensor([context_seed(marking.key, context) for context in contexts], device=model.device)
    lists = uniform_numbers(seeds, torch.arange(logits.shape[-1], device=model.device)) < green
    return (torch.softmax(logits, -1) * lists).sum()


def _gradients(
    model: LanguageModel, ids: list[int], start: int, marking: Marking, green: float
) -> Iterator[tuple[str, torch.Tensor]]:
    if len(ids) <= start:
        return
    parameters = trainable(model.model)
    share = green_share(model, ids, start, marking, green)
    found = torch.autograd.grad(share, list(parameters.values()), allow_unused=True)
    for name, gradient in zip(parameters, found, strict=True):
        if gradient is not None:
            yield name, gradient.float()
