"""Settle a game's ``dtype: auto`` before it is planned, so that its stages name the precision that they ran in."""

from pathlib import Path

from distillgame.arena.config import DEFAULT, GameConfig
from distillgame.arena.plan import Planner
from distillgame.arena.run import Run
from distillgame.arena.stages import PrecisionStage, read_precisions
from distillgame.models import ModelSpec, has_choice, pick_device


def settled(config: GameConfig, root: Path, progress: bool = True) -> GameConfig:
    """Return the game with ``bfloat16`` written where it is open and was faster; whatever stays ``auto`` is float32.

    Where vLLM samples, the game is left as it is.

    What was measured stays in the run's folder, and the next call reads it there. A proxy that is read only for its
    derivative runs in float32 anyway and is left as it is.

    Args:
        config: The game.
        root: The run's folder; nothing is written where no precision is open.
        progress: Whether to show progress on standard error.

    Raises:
        DistillgameError: If an input is bad.
    """
    if config.sampling.engine is not None:
        return config  # vLLM has one precision for all networks, which is not ours to time.
    device = pick_device(config.compute.device, "compute.device")
    plain = {name for each in config.policies if not each.policy.needs_delta for name in each.policy.proxy_names}
    proxies = {name: spec for name, spec in config.all_proxies.items() if name in plain}
    if not any(has_choice(spec, device) for spec in (config.teacher, *proxies.values())):
        return config
    planner = Planner(config)
    stage = PrecisionStage(
        teacher=planner.model("teacher"),
        proxies={name: planner.proxy(name) for name in proxies},
        rows=min(config.sampling.batch_size, max(config.splits.values())),
        speculative=config.sampling.speculative,
    )
    with Run(root, config, progress) as run:
        run.compute([stage])
        chosen = {name: timing.chosen for name, timing in read_precisions(run.folder(stage)).items()}

    def written(name: str, spec: ModelSpec) -> ModelSpec:
        return spec.model_copy(update={"dtype": "bfloat16"}) if chosen.get(name) == "bfloat16" else spec

    return config.model_copy(
        update={
            "teacher": written("teacher", config.teacher),
            "proxy": None if config.proxy is None else written(DEFAULT, config.proxy),
            "proxies": {name: written(name, spec) for name, spec in config.proxies.items()},
        }
    )
