"""Checks of a game whose samples come from vLLM, which would refuse the same hours later."""

from collections.abc import Mapping

from distillgame.arena.config.generation import Generation
from distillgame.models import ModelSpec
from distillgame.vllm.arguments import COLDEST, LARGEST_RANK


def require_engine(section: str, sampling: Generation, specs: Mapping[str, ModelSpec], rank: int = 0) -> None:
    """Check what a section of a game asks of vLLM, if it does.

    Args:
        section: The section's name.
        sampling: The section.
        specs: The models that are sampled, by their fields.
        rank: Rank of their adapters; 0 without any.

    Raises:
        ValueError: Naming the field, if vLLM would not do it.
    """
    if sampling.engine is None:
        return
    _require_sampling(section, sampling)
    for name, spec in specs.items():
        if spec.source.startswith("init:") or spec.source.endswith(".gguf"):
            raise ValueError(f"{name}: '{spec.source}': vLLM needs a folder or a hub name")
        if spec.tokenizer is not None:
            raise ValueError(f"{name}.tokenizer: not honoured in vLLM; make a folder that has it")
    if rank > LARGEST_RANK:
        raise ValueError(f"training.lora.rank: vLLM takes adapters of rank {LARGEST_RANK} at most")


def _require_sampling(section: str, sampling: Generation) -> None:
    assert sampling.engine is not None
    if 0 < sampling.temperature < COLDEST:
        raise ValueError(f"{section}.temperature: vLLM samples at no temperature between 0 and {COLDEST}")
    longest, growth = sampling.engine.max_model_len, sampling.max_new_tokens + sampling.forced_answer_tokens
    if longest is not None and growth >= longest:
        raise ValueError(
            f"{section}: completions of up to {growth} tokens leave no room for a prompt in max_model_len, {longest}"
        )


def require_precision(teacher: ModelSpec, proxies: Mapping[str, ModelSpec], derivatives: bool) -> None:
    """Check that one precision is meant for all networks of an engine, and one that resolves derivatives.

    Args:
        teacher: The teacher.
        proxies: The proxies by name.
        derivatives: Whether a policy needs them.

    Raises:
        ValueError: If not.
    """
    if derivatives and teacher.dtype not in ("auto", "float32"):
        raise ValueError(
            "sampling.engine: through vLLM a policy with derivatives needs float32; say 'teacher.dtype: float32' or "
            "leave such policies to a game with our own engine"
        )
    for name, spec in proxies.items():
        if spec.dtype != teacher.dtype:
            raise ValueError(
                f"sampling.engine: vLLM has one precision for all networks; '{name}' has dtype '{spec.dtype}', the "
                f"teacher '{teacher.dtype}'"
            )
