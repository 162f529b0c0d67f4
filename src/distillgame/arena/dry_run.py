"""The size and cost of a game, without downloading or running anything."""

from collections import Counter
from collections.abc import Sequence

from distillgame.arena.config import GameConfig
from distillgame.arena.memory import memory
from distillgame.arena.plan import Lineup, Planner
from distillgame.arena.run.scheduler import in_order
from distillgame.arena.stages import (
    CostStage,
    DistillStage,
    FormStage,
    InverterStage,
    JudgeStage,
    ProbeStage,
    ProxyGradientStage,
    RewriteStage,
    SampleStage,
    Stage,
    ValueStage,
    WrittenFormStage,
)
from distillgame.models import Endpoint, count_parameters
from distillgame.policies.forms import WrittenForm, make_form

PROMPT_TOKENS = 256
"""Assumed length of a prompt."""


def estimate(config: GameConfig, queries: Sequence[int] = (), choose: bool = False) -> str:
    """Describe stages, sizes, memory and cost of a game.

    Args:
        config: The game.
        queries: Numbers of queries, for a sweep.
        choose: Whether the strongest student is chosen on the validation split, as in a sweep.

    Costs are upper bounds in floating-point operations: every completion is counted at its full length, two
    operations per parameter and token for a forward pass, six for a training step (ten with values).
    """
    stages = in_order(Lineup(Planner(config, resolve=False), None, queries, choose).expected())
    specs = {"teacher": config.teacher, **config.all_proxies, "student": config.student}
    sizes = {role: count_parameters(spec) for role, spec in specs.items()}
    lines = [f"task {config.task.label}, seeds {', '.join(map(str, config.seeds))}", "", "splits"]
    lines += [f"  {name:<11} {size:>7,} problems" for name, size in config.splits.items()]
    lines += ["", "models"]
    for role, size in sizes.items():
        lines.append(f"  {role:<8} {specs[role].source}  {_size(size)}")
    lines += ["", "stages"]
    totals: Counter[str] = Counter()
    for kind, group in _groups(stages).items():
        flops = sum(_flops(stage, config, sizes) for stage in group)
        totals["flops"] += int(flops)
        lines.append(f"  {len(group):>4} {kind:<10} {flops:9.2e} operations at most")
    lines += [f"  {len(stages):>4} in all     {totals['flops']:9.2e} operations at most", "", *_endpoint_lines(stages)]
    lines += ["memory at most, weights and optimiser only (key-value caches and activations come on top)"]
    lines += [f"  {what:<8} {text}" for what, text in memory(config, sizes).items()]
    hours = totals["flops"] / 1e14 / 3600
    lines += ["", f"at 100 teraFLOP/s that would be {hours:.2g} hours; nothing was downloaded or run"]
    return "\n".join(lines)


def _groups(stages: Sequence[Stage]) -> dict[str, list[Stage]]:
    groups: dict[str, list[Stage]] = {}
    for stage in stages:
        evaluating = isinstance(stage, SampleStage) and stage.trained is not None
        groups.setdefault("evaluate" if evaluating else stage.kind, []).append(stage)
    return groups


def _flops(stage: Stage, config: GameConfig, sizes: dict[str, float | None]) -> float:
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


def _endpoint_lines(stages: Sequence[Stage]) -> list[str]:
    """Say what will be asked of endpoints, which may cost money."""
    texts: Counter[tuple[str, str]] = Counter()
    tokens: Counter[tuple[str, str]] = Counter()
    for stage in stages:
        if isinstance(stage, WrittenFormStage):
            author, sampling, tries = stage.writer, stage.traces.sampling, stage.tries
        elif isinstance(stage, RewriteStage):
            author, sampling, tries = stage.base, stage.sampling, 1
        else:
            continue
        if isinstance(author, Endpoint):
            place = (author.model, author.endpoint)
            texts[place] += tries * stage.count
            tokens[place] += tries * stage.count * sampling.max_new_tokens
    lines = [
        f"  {texts[place]:,} requests to {place[0]} at {place[1]}, at most {tokens[place]:,} tokens written"
        for place in sorted(texts)
    ]
    for stage in stages:
        if isinstance(stage, JudgeStage) and (calls := stage.judge.judge.calls(stage.exhibits)):
            lines.append(f"  {calls:,} calls of {stage.judge.label}, which judges up to {stage.exhibits:,} exhibits")
    return ["endpoints", *lines, ""] if lines else []


def _proxy_passes(stage: SampleStage) -> int:
    policy = stage.policy.policy
    return 2 if policy.needs_delta else int(policy.needs_proxy)


def _size(parameters: float | None) -> str:
    if parameters is None:
        return "(size unknown)"
    return f"({parameters / 1e9:.2f}B parameters)" if parameters >= 1e8 else f"({parameters / 1e6:.2f}M parameters)"
