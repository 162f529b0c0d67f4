"""The value that a policy without a proxy released, measured afterwards, for the viewer."""

import json
from pathlib import Path
from typing import ClassVar

import torch

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.inputs import TRACES
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.models import Alignment, LanguageModel, align
from distillgame.records import Trace, read_traces

VALUES = "values.json"
"""The stage's result: v_gap of each trace in nats, null where it is not defined."""


class ValueStage(Stage):
    """v_gap = log pi_ref - log pi_stu of the first traces of a policy that evaluates no proxy.

    It is what the engine measures under a policy with a proxy: after temperature, over tokens that the proxy shares.

    Attributes:
        traces: The traces.
        proxy: The proxy.
        count: How many of them.
    """

    kind: ClassVar[str] = "value"

    traces: SampleStage
    proxy: Model
    count: int

    @property
    def label(self) -> str:
        """The traces, and whose value they have."""
        return f"value {self.count} of {self.traces.label.removeprefix('sample ')} by {self.proxy.spec.name}"

    def run(self, context: StageContext) -> None:
        """Write the values."""
        traces = read_traces(context.folder(self.traces) / TRACES)[: self.count]
        proxy = self.proxy.load(context.device)
        alignment = align(self.traces.model.load(context.device), proxy)
        temperature = self.traces.sampling.temperature
        values = [v_gap(trace, proxy, alignment, temperature) if temperature > 0 else None for trace in traces]
        (context.out / VALUES).write_text(json.dumps(values) + "\n")


@torch.no_grad()
def v_gap(trace: Trace, proxy: LanguageModel, alignment: Alignment, temperature: float) -> float | None:
    """Log pi_ref - log pi_stu of a sampled trace in nats, over the tokens that the proxy shares; None if there is none.

    Args:
        trace: The trace, with the log-probabilities of the reference teacher.
        proxy: The proxy.
        alignment: Its vocabulary against the teacher's.
        temperature: The temperature of both.
    """
    ids = proxy.prompt_ids(trace.messages[:-1])
    before = []
    for token in trace.token_ids:
        before.append(len(ids) - 1)
        ids += alignment.to_proxy(token)
    logits = proxy.model(input_ids=torch.tensor([ids], device=proxy.device), use_cache=False).logits[0]
    shared = logits[before][:, alignment.proxy_ids.to(proxy.device)].float()
    logprobs = torch.log_softmax(shared / temperature, -1).cpu()
    places = {int(token): place for place, token in enumerate(alignment.teacher_ids)}
    gaps = [
        reference - float(row[places[token]])
        for token, reference, row in zip(trace.token_ids, trace.token_logprob_reference, logprobs, strict=True)
        if token in places
    ]
    return sum(gaps) if gaps else None


def read_values(folder: Path) -> list[float | None]:
    """Return the values that a finished stage measured."""
    values: list[float | None] = json.loads((folder / VALUES).read_text(encoding="utf-8"))
    return values
