"""The floating-point operations of a stage, estimated without running it."""

from distillgame.arena.config import GameConfig
from distillgame.arena.stages import (
    CostStage,
    DistillStage,
    FormStage,
    InverterStage,
    ProbeStage,
    ProxyGradientStage,
    RewriteStage,
    SampleStage,
    Stage,
    ValueStage,
)
from distillgame.models import Endpoint, count_parameters
from distillgame.policies.forms import WrittenForm, make_form

PROMPT_TOKENS = 256
"""Assumed length of a prompt."""


def operations(stage: Stage, config: GameConfig, sizes: dict[str, float | None]) -> float:
    """Return an upper bound of a stage's operations.

    Every completion is counted at its full length, two operations per parameter and token for a forward pass, six for a
    training step (ten with values).

    Args:
        stage: The stage.
        config: Its game.
        sizes: Numbers of parameters by role or proxy; None where they are unknown.
    """
    teacher, student = sizes["teacher"] or 0, sizes["student"] or 0
    proxies = {name: sizes[name] or 0 for name in config.all_proxies}
    length = PROMPT_TOKENS + config.sampling.max_new_tokens
    if isinstance(stage, SampleStage):
        answering = student if stage.model.spec == config.student else teacher
        passes = answering + _proxy_passes(stage) * sum(proxies[name] for name in stage.proxies)
        return 2 * passes * stage.count * (PROMPT_TOKENS + stage.sampling.max_new_tokens)
    if isinstance(stage, ProxyGradientStage):
        proxy = next(sizes[name] or 0 for name, spec in config.all_proxies.items() if spec == stage.proxy.spec)
        return 6 * proxy * stage.problems.size * length
    if isinstance(stage, DistillStage):
        operations = 10 if stage.student.student.needs_values else 6
        examples = stage.queries + (stage.references.size if stage.references is not None else 0)
        tokens = examples * min(length, stage.training.max_length)
        return operations * student * stage.training.epochs * tokens
    if isinstance(stage, InverterStage):
        return 6 * student * stage.training.epochs * stage.examples * min(2 * length, stage.training.max_length)
    if isinstance(stage, CostStage):
        repeated = stage.settings.prompts * stage.settings.repetitions * (len(stage.policies) + 1)
        return 2 * (teacher + 2 * sum(proxies.values())) * repeated * length
    return _reading_flops(stage, length, teacher, student, max(proxies.values(), default=0))


def _reading_flops(stage: Stage, length: int, teacher: float, student: float, proxy: float) -> float:
    """Of stages that read or rewrite traces which are there already."""
    if isinstance(stage, FormStage):
        return _writing_flops(stage, length, teacher)
    if isinstance(stage, RewriteStage):
        here = not isinstance(stage.base, Endpoint)
        return 2 * student * stage.count * (length + stage.sampling.max_new_tokens) * here
    if isinstance(stage, ProbeStage):
        knowledge = stage.task.task.knowledge()
        return 2 * student * length * (0 if knowledge is None else len(knowledge.probes()))
    if isinstance(stage, ValueStage):
        return 2 * proxy * stage.count * length
    return 0.0


def _writing_flops(stage: FormStage, length: int, teacher: float) -> float:
    """Of a form, if a model that is run here writes it."""
    form = make_form(stage.form)
    if not isinstance(form, WrittenForm) or isinstance(form.writer, Endpoint):
        return 0.0
    size = teacher if form.writer is None else count_parameters(form.writer) or 0
    return 2 * size * form.tries * stage.count * (length + stage.traces.sampling.max_new_tokens)


def _proxy_passes(stage: SampleStage) -> int:
    policy = stage.policy.policy
    return 2 if policy.needs_delta else int(policy.needs_proxy)
