"""The engine that a stage samples with, its proxies and directions loaded."""

from collections.abc import Mapping

from safetensors.torch import load_file

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import GRADIENT, GradientStage
from distillgame.arena.stages.model import Model
from distillgame.decoding import Calibration, Engine
from distillgame.models import LanguageModel
from distillgame.policies import PolicyChoice


def make_engine(
    teacher: LanguageModel,
    choice: PolicyChoice,
    proxies: Mapping[str, Model],
    gradients: Mapping[str, GradientStage],
    sampling: Generation,
    context: StageContext,
    calibration: Calibration | None = None,
) -> Engine:
    """Return the engine that releases ``teacher`` under a policy; it speculates only where the policy has proxies.

    Args:
        teacher: The reference teacher.
        choice: The release policy.
        proxies: Proxies by name; those that the policy uses are loaded.
        gradients: The defender's gradient at each, read where the policy needs it.
        sampling: How it samples.
        context: The running stage.
        calibration: Costs of the networks' passes, where they were measured before.
    """
    policy = choice.policy
    names = policy.proxy_names
    directions = {name: context.folder(gradients[name]) / GRADIENT for name in names if policy.needs_delta}
    return Engine(
        teacher,
        policy,
        proxies={name: proxies[name].load(context.device) for name in names},
        directions={name: load_file(path) for name, path in directions.items()},
        derivative=sampling.derivative,
        batch_size=sampling.batch_size,
        token_budget=sampling.token_budget,
        speculative=sampling.speculative and bool(names),
        calibration=calibration,
    )
