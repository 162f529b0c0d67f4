"""Starting vLLM with a defended model."""

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from distillgame.errors import DistillgameError
from distillgame.models import ADAPTER, Location, ModelSpec, locate, pick_device
from distillgame.policies import PolicyChoice
from distillgame.vllm.arguments import LARGEST_RANK, RANKS
from distillgame.vllm.settings import ARCHITECTURE, FIELD, DefenseSettings

EXTENSION = "distillgame.vllm.extension.CostReader"
"""The mix-in of vLLM's workers that reports costs."""

ENVIRONMENT = {
    # In this process: costs are read between two steps, and what samples is a process of its own already.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}
"""The environment that vLLM needs here."""

CPU = {"enable_chunked_prefill": False, "enforce_eager": True}
"""Arguments on a CPU, unless the owner gives others: :func:`may_seed` explains the first; compiling takes minutes."""

CPU_CACHE = 2**31
"""Memory of keys and values on a CPU in bytes, unless the owner says otherwise; vLLM would claim the machine's."""

DEFAULTS = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
"""What the environment says if the owner says nothing else."""


def start_engine(teacher: ModelSpec, settings: DefenseSettings, arguments: Mapping[str, Any]) -> Any:
    """Return vLLM's engine with a defended model.

    Args:
        teacher: The reference teacher, a folder or a hub name.
        settings: The proxies, and the policy of requests that name none.
        arguments: Further arguments of vLLM's engine, by the names of its flags.

    Raises:
        DistillgameError: If vLLM is not installed, or refuses the models or the arguments.
    """
    os.environ.update(ENVIRONMENT)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine
    except ImportError as error:
        raise DistillgameError(f"vLLM is not installed ({error}): see docs/vllm.md") from error
    location = _place(_plain_teacher(teacher))
    known = {field.name for field in fields(EngineArgs)}
    if unknown := sorted(arguments.keys() - known):
        raise DistillgameError(f"vllm.arguments: vLLM's engine has no argument '{unknown[0]}'")
    overrides = {"architectures": [ARCHITECTURE], FIELD: settings.model_dump(mode="json")}
    chosen: dict[str, Any] = {
        "model": location,
        "dtype": _dtype(teacher, settings),
        "hf_overrides": overrides,
        "worker_extension_cls": EXTENSION,
        "disable_log_stats": True,
        "seed": 0,
        # Otherwise a step may be under way whose tokens nobody has asked for the costs of.
        "async_scheduling": False,
    }
    if pick_device("auto", "vllm") == "cpu":
        own = arguments.keys() & {"gpu_memory_utilization", "kv_cache_memory_bytes"}
        arguments = CPU | ({} if own else {"kv_cache_memory_bytes": CPU_CACHE}) | dict(arguments)
    try:
        return LLMEngine.from_engine_args(EngineArgs(**chosen, **arguments))
    except DistillgameError:
        raise
    except ValidationError as error:
        raise DistillgameError(f"vLLM: {error.errors()[0]['msg']}") from error
    except Exception as error:  # vLLM raises any error for models and arguments that it cannot serve
        raise DistillgameError(f"vLLM: {' '.join(str(error).split())[:300]}") from error


def require_device(device: str) -> None:
    """Check that vLLM is there, and runs on the device that is meant.

    Args:
        device: ``cpu`` or ``cuda``.

    Raises:
        DistillgameError: If it is not installed, or there is a GPU, which vLLM would take, and it is not meant.
    """
    if importlib.util.find_spec("vllm") is None:
        raise DistillgameError("vLLM is not installed in this environment: see docs/vllm.md")
    if device != pick_device("auto", "vllm"):
        raise DistillgameError(
            f"vLLM runs on the GPU where there is one, not on '{device}': leave the device at 'auto'"
        )


def may_seed(engine: Any) -> bool:
    """Return whether requests to an engine may have random streams of their own.

    Not on a CPU if prompts are read in parts: vLLM's first model runner then asks a generator for an offset that those
    of a CPU do not have, and dies (https://github.com/RBLN-SW/vllm-rbln/pull/1025 describes it).
    """
    return pick_device("auto", "vllm") != "cpu" or not engine.vllm_config.scheduler_config.enable_chunked_prefill


def _dtype(teacher: ModelSpec, settings: DefenseSettings) -> str:
    """Return the precision: the owner's; otherwise what differences of passes need, or what is exact on a CPU."""
    if teacher.dtype != "auto":
        return teacher.dtype
    return "float32" if settings.directions or pick_device("auto", "vllm") == "cpu" else "auto"


def plain_settings(
    policy: PolicyChoice, teacher: ModelSpec, proxies: Mapping[str, ModelSpec], directions: Mapping[str, Any]
) -> DefenseSettings:
    """Return the settings of a defended model whose proxies are given as sources of ours.

    Args:
        policy: The policy of requests that name none.
        teacher: The reference teacher, whose precision is that of all networks.
        proxies: The proxies by name.
        directions: Files of their directions.

    Raises:
        DistillgameError: If a proxy's specification says more than vLLM honours.
    """
    places = {name: _place(_plain_proxy(name, spec, teacher)) for name, spec in proxies.items()}
    return DefenseSettings(policy=policy, proxies=places, directions=dict(directions))


def require_plain(teacher: ModelSpec, proxies: Mapping[str, ModelSpec]) -> None:
    """Check that vLLM honours all that is said of the teacher and its proxies; nothing is asked of the hub.

    Raises:
        DistillgameError: If a specification says more than vLLM honours.
    """
    _plain_teacher(teacher)
    for name, spec in proxies.items():
        _plain_proxy(name, spec, teacher)


def require_context(name: str, config: Any, longest: int) -> None:
    """Check that a proxy can read as far as the teacher: what lies beyond would be no numbers.

    Args:
        name: Its name.
        config: Its configuration.
        longest: Longest sequence in tokens.

    Raises:
        DistillgameError: If it cannot.
    """
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    if most is not None and most < longest:
        raise DistillgameError(f"proxy '{name}' reads {most} tokens, fewer than --max-model-len {longest}: lower that")


def adapter_arguments(folder: str) -> dict[str, Any]:
    """Return the arguments with which vLLM's engine takes adapters like the one in a folder.

    Raises:
        DistillgameError: If its rank is larger than vLLM's largest.
    """
    rank = int(json.loads((Path(folder) / ADAPTER).read_text(encoding="utf-8"))["r"])
    for each in RANKS:
        if rank <= each:
            return {"enable_lora": True, "max_lora_rank": each}
    raise DistillgameError(f"training.lora.rank: vLLM takes adapters of rank {LARGEST_RANK} at most (found {rank})")


def _plain_teacher(spec: ModelSpec) -> Location:
    return _plain("teacher", spec, {"dtype", "chat_template"})


def _plain_proxy(name: str, spec: ModelSpec, teacher: ModelSpec) -> Location:
    return _plain(f"proxy '{name}'", spec, {"dtype"} if spec.dtype == teacher.dtype else set())


def _plain(role: str, spec: ModelSpec, honoured: set[str]) -> Location:
    """Return the location of a model, a folder or a hub name.

    Raises:
        DistillgameError: If it says more than that and what is honoured, or is no folder or hub name.
    """
    location = locate(spec.source)
    if location.gguf_file is not None or spec.source.startswith("init:"):
        raise DistillgameError(f"{role} '{spec.source}': vLLM needs a folder or a hub name")
    if (Path(location.name) / ADAPTER).is_file():
        raise DistillgameError(f"{role} '{spec.source}': adapters have to be merged into their base model first")
    said = {name for name in spec.model_fields_set - {"source", "parameters", "cache", "seed"} if _says(spec, name)}
    if more := sorted(said - honoured):
        raise DistillgameError(f"{role}: '{more[0]}' is not honoured in vLLM; make a folder that says it")
    return location


def _place(location: Location) -> str:
    """Return the folder or the hub name that vLLM is given."""
    return location.name if location.revision is None else _snapshot(location.name, location.revision)


def _says(spec: ModelSpec, name: str) -> bool:
    return bool(getattr(spec, name) != ModelSpec.model_fields[name].default)


def _snapshot(name: str, revision: str) -> str:
    """Return the folder of a hub model's files at a revision: vLLM takes one for the teacher alone.

    Raises:
        DistillgameError: If it is neither in the cache nor within reach.
    """
    from huggingface_hub import snapshot_download

    files = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
    try:
        return snapshot_download(name, revision=revision, allow_patterns=files)
    except Exception as error:  # What the hub's client raises without a network differs between its versions.
        raise DistillgameError(
            f"model '{name}@{revision}': not in the cache, and the hub is out of reach or does not have it"
        ) from error
