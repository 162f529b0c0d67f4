"""The defender's gradient g at its proxy, on a holdout of its own."""

from typing import ClassVar, Literal

from safetensors.torch import save_file

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import GRADIENT, TRACES, GradientStage
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.errors import DistillgameError
from distillgame.models import load_model, training_example
from distillgame.records import ReleasedTrace, read_released
from distillgame.values import collate, objective_gradient

BATCH = 8
"""Examples in one backward pass; the gradient is the same for any number."""


class ProxyGradientStage(GradientStage):
    """Unit-norm gradient of the proxy's mean negative log-likelihood.

    Attributes:
        proxy: The proxy.
        objective: ``clean`` or ``reference``.
        problems: The defender's holdout.
        traces: Undefended traces of it, for ``clean``; those whose answer is right are used.
    """

    kind: ClassVar[str] = "gradient"

    proxy: Model
    objective: Literal["clean", "reference"]
    problems: ProblemSet
    traces: SampleStage | None = None

    @property
    def label(self) -> str:
        """The objective, and the proxy."""
        seed = "" if self.traces is None else f" seed={self.traces.seed}"
        return f"gradient {self.objective} of {self.proxy.spec.name}{seed}"

    def run(self, context: StageContext) -> None:
        """Write ``gradient.safetensors``, one tensor per parameter."""
        proxy = load_model(self.proxy.spec.model_copy(update={"dtype": "float32"}), context.device)
        examples = [
            training_example(proxy.tokenizer, example.messages, example.finish_reason == "stop")
            for example in self._examples(context)
        ]
        examples = [example for example in examples if example.target]
        if not examples:
            raise DistillgameError("the defender's holdout has no trace with a right answer: use objective 'reference'")
        batches = []
        for start in range(0, len(examples), BATCH):
            batches.append(collate(examples[start : start + BATCH], proxy.tokenizer.pad_token_id, context.device))
            context.progress(start, len(examples))
        gradient = objective_gradient(proxy.model, batches)
        save_file({name: g.cpu().contiguous() for name, g in gradient.items()}, context.out / GRADIENT)

    def _examples(self, context: StageContext) -> list[ReleasedTrace]:
        if self.traces is None:
            return self.problems.reference_solutions()
        return read_released(context.folder(self.traces) / TRACES, correct_only=True)
