"""Probe a student for a task's private facts, one by one, free and forced."""

import json
from collections import defaultdict
from pathlib import Path
from typing import ClassVar

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.engine import answering_tokenizer, make_engine
from distillgame.arena.stages.inputs import TrainingStage
from distillgame.arena.stages.model import Model
from distillgame.decoding import Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import PolicyChoice
from distillgame.tasks import Probe, TaskChoice

PROBES = "probes.json"
"""The stage's result: for ``free`` and ``forced`` the share of each fact's probes that show it."""

FORCED_TOKENS = 24
"""Greedy tokens after a forced beginning: enough for one fact in any embedded tokenizer."""

ProbedFacts = dict[str, dict[str, float]]
"""Shares of probes that show a fact, by fact, under ``free`` and ``forced``."""


class ProbeStage(Stage):
    """Ask a student greedily about every private fact of a task.

    Attributes:
        task: The task.
        model: Who answers, or the base model of ``trained``.
        trained: The training whose result answers, if it was trained.
        sampling: Length and batches of its answers.
    """

    kind: ClassVar[str] = "probe"

    task: TaskChoice
    model: Model
    trained: TrainingStage | None = None
    sampling: Generation

    @property
    def label(self) -> str:
        """The student that is probed."""
        who = self.model.spec.name if self.trained is None else self.trained.label.removeprefix("distill ")
        return f"probe {who}"

    def run(self, context: StageContext) -> None:
        """Write the shares."""
        knowledge = self.task.task.knowledge()
        if knowledge is None:
            raise DistillgameError(f"task '{self.task.name}': it has no private facts to probe")
        who = self.trained or self.model
        engine = make_engine(who, PolicyChoice(name="standard"), {}, {}, self.sampling, context)
        student = answering_tokenizer(who, context, self.sampling)
        params = self.sampling.params().model_copy(update={"temperature": 0.0, "top_logprobs": 0})
        probes = knowledge.probes()
        requests = [_request(student, str(i), probe, params) for i, probe in enumerate(probes)]
        found: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
        for kind in ("free", "forced"):
            chosen = [i for i, probe in enumerate(probes) if bool(probe.beginning) == (kind == "forced")]
            samples = engine.generate([requests[i] for i in chosen], params)
            for i, sample in zip(chosen, samples, strict=True):
                found[kind, probes[i].fact].append(knowledge.shows(probes[i], sample.completion))
            context.progress(len(chosen) if kind == "free" else len(probes), len(probes))
        shares: ProbedFacts = {"free": {}, "forced": {}}
        for (kind, fact), shown in found.items():
            shares[kind][fact] = sum(shown) / len(shown)
        (context.out / PROBES).write_text(json.dumps(shares, indent=1) + "\n", encoding="utf-8")


def read_probes(folder: Path) -> ProbedFacts:
    """Return what a finished stage found."""
    found: ProbedFacts = json.loads((folder / PROBES).read_text(encoding="utf-8"))
    return found


def _request(student: LanguageModel, name: str, probe: Probe, params: SamplingParams) -> Request:
    messages = [dict(message) for message in probe.messages]
    if not probe.beginning:
        return Request(name, messages)
    beginning = student.tokenizer.encode(probe.beginning, add_special_tokens=False)
    cut = {"max_new_tokens": FORCED_TOKENS, "forced_answer_tokens": 0, "stop": probe.stop}
    prompt = (*student.prompt_ids(messages), *beginning)
    return Request(name, messages, params=params.model_copy(update=cut), prompt=prompt)
