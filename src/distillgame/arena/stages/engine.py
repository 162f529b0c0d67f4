"""The engine that a stage samples with, its models and directions loaded: our own, or vLLM in a process of its own."""

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import GRADIENT, GradientStage, TrainingStage
from distillgame.arena.stages.model import Model, forget_models
from distillgame.decoding import Calibration, Engine
from distillgame.models import ADAPTER, LanguageModel, ModelSpec, load_without_weights
from distillgame.policies import PolicyChoice
from distillgame.vllm.launching import adapter_arguments, plain_settings, require_device
from distillgame.vllm.remote import Launch, RemoteEngine, VllmProcess

Answerer = Model | TrainingStage
"""Whoever answers: a model, or the result of a training."""

PROCESSORS = "DISTILLGAME_PROCESSORS"
"""The environment variable with the numbers of the processors on which a worker's vLLM runs, separated by commas."""

_held: list[VllmProcess] = []


def make_engine(
    answerer: Answerer,
    choice: PolicyChoice,
    proxies: Mapping[str, Model],
    gradients: Mapping[str, GradientStage],
    sampling: Generation,
    context: StageContext,
    calibration: Calibration | None = None,
) -> Engine | RemoteEngine:
    """Return the engine that releases a model under a policy; our own speculates only where the policy has proxies.

    Args:
        answerer: The reference teacher, or another model that answers.
        choice: The release policy.
        proxies: Proxies by name; those that the policy uses are loaded.
        gradients: The defender's gradient at each, read where the policy needs it.
        sampling: How it samples, and whether vLLM does.
        context: The running stage.
        calibration: Costs of the networks' passes, where they were measured before.
    """
    policy = choice.policy
    names = policy.proxy_names
    directions = {name: context.folder(gradients[name]) / GRADIENT for name in names if policy.needs_delta}
    if sampling.engine is not None:
        require_device(context.device)
        arguments = sampling.engine.together(sampling.batch_size)
        teacher, adapter = _without_adapter(answerer, context)
        # Every request names its policy, so this one is nobody's.
        specs = {name: proxies[name].spec for name in names}
        settings = plain_settings(PolicyChoice(name="standard"), teacher, specs, directions)
        if adapter is not None:
            arguments |= adapter_arguments(adapter)
        process = _process(Launch(teacher, settings, arguments, _processors()))
        return RemoteEngine(process, choice, adapter)
    return Engine(
        load_answerer(answerer, context),
        policy,
        proxies={name: proxies[name].load(context.device) for name in names},
        directions={name: load_file(path) for name, path in directions.items()},
        derivative=sampling.derivative,
        batch_size=sampling.batch_size,
        token_budget=sampling.token_budget,
        speculative=sampling.speculative and bool(names),
        calibration=calibration,
    )


def load_answerer(answerer: Answerer, context: StageContext) -> LanguageModel:
    """Return whoever answers, with weights."""
    return answerer.load(context.device) if isinstance(answerer, Model) else answerer.load(context)


def answering_tokenizer(answerer: Answerer, context: StageContext, sampling: Generation) -> LanguageModel:
    """Return whoever answers, for its tokenizer: without weights where vLLM holds them."""
    if sampling.engine is None:
        return load_answerer(answerer, context)
    return load_without_weights(_without_adapter(answerer, context)[0])


def close_vllm() -> None:
    """End the process with vLLM that this one has kept for further stages, if there is one."""
    while _held:
        _held.pop().close()


def _process(launch: Launch) -> VllmProcess:
    """Return a process with an engine, the last one if it has the same."""
    if not any(held.alive and held.launch == launch for held in _held):
        close_vllm()
        forget_models()  # vLLM wants most of a GPU's memory.
        _held.append(VllmProcess(launch))
    return _held[-1]


def _without_adapter(answerer: Answerer, context: StageContext) -> tuple[ModelSpec, str | None]:
    """Return the model that vLLM holds, and the folder of the adapter with which it answers as this one does."""
    if isinstance(answerer, Model):
        return answerer.spec, None
    spec = answerer.trained_spec(context)
    if (Path(spec.source) / ADAPTER).is_file():
        return answerer.base_spec, spec.source
    return spec, None


def _processors() -> frozenset[int]:
    listed = os.environ.get(PROCESSORS, "")
    return frozenset(int(number) for number in listed.split(",") if number)
