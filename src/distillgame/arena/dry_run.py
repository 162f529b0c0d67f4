"""The size and cost of a game, without downloading or running anything."""

from collections import Counter
from collections.abc import Sequence

from distillgame.arena.config import GameConfig
from distillgame.arena.hours import Hours
from distillgame.arena.memory import memory
from distillgame.arena.operations import operations
from distillgame.arena.plan import Lineup, Planner
from distillgame.arena.run.scheduler import in_order
from distillgame.arena.stages import (
    JudgeStage,
    RewriteStage,
    SampleStage,
    Stage,
    WrittenFormStage,
)
from distillgame.models import Endpoint, count_parameters, load_without_weights, locate
from distillgame.vllm.vocabulary import draft_model, require_drafting, shared_tokens


def estimate(config: GameConfig, queries: Sequence[int] = (), choose: bool = False) -> str:
    """Describe stages, sizes, memory and cost of a game.

    Args:
        config: The game.
        queries: Numbers of queries, for a sweep.
        choose: Whether the strongest student is chosen on the validation split, as in a sweep.

    Costs are upper bounds (:func:`distillgame.arena.operations.operations`).
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
        flops = sum(operations(stage, config, sizes) for stage in group)
        totals["flops"] += int(flops)
        lines.append(f"  {len(group):>4} {kind:<10} {flops:9.2e} operations at most")
    lines += [f"  {len(stages):>4} in all     {totals['flops']:9.2e} operations at most", "", *_endpoint_lines(stages)]
    lines += ["memory at most, weights and optimiser only (key-value caches and activations come on top)"]
    lines += [f"  {what:<8} {text}" for what, text in memory(config, sizes).items()]
    lines += _stand_ins(config)
    hours = Hours(stages, config, sizes)
    lines += ["", *hours.lines(), "", *hours.preemption(), "", "nothing was downloaded or run"]
    return "\n".join(lines)


def _groups(stages: Sequence[Stage]) -> dict[str, list[Stage]]:
    groups: dict[str, list[Stage]] = {}
    for stage in stages:
        evaluating = isinstance(stage, SampleStage) and stage.trained is not None
        groups.setdefault("evaluate" if evaluating else stage.kind, []).append(stage)
    return groups


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


def _stand_ins(config: GameConfig) -> list[str]:
    """Say what proxies in vLLM read for tokens that they lack, as far as the tokenizers are in folders here.

    Raises:
        DistillgameError: If a start of vLLM would refuse the tokens of a policy's proxies or a draft model.
    """
    if (engine := config.sampling.engine) is None:
        return []
    drafter = draft_model(engine.arguments)
    if not locate(config.teacher.source).local:
        return []
    teacher = load_without_weights(config.teacher)
    if drafter is not None and locate(drafter).local:
        require_drafting(teacher, engine.arguments)
    # A start has one policy's proxies, which have to share tokens with each other.
    together = {defense.policy.proxy_names for defense in config.policies}
    specs = {name: config.all_proxies[name] for names in together for name in names}
    here = {name: load_without_weights(spec) for name, spec in specs.items() if locate(spec.source).local}
    lines: dict[str, None] = {}
    for names in sorted(together):
        proxies = {name: here[name] for name in names if name in here}
        lines |= dict.fromkeys(shared_tokens(teacher, proxies).notices(teacher, proxies))
    return ["", "to know", *(f"  {line}" for line in lines)] if lines else []


def _size(parameters: float | None) -> str:
    if parameters is None:
        return "(size unknown)"
    return f"({parameters / 1e9:.2f}B parameters)" if parameters >= 1e8 else f"({parameters / 1e6:.2f}M parameters)"
