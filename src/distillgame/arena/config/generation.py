"""Sampling of completions in a game: its parameters, and the settings of the engine that samples."""

from typing import Any

from pydantic import Field, field_serializer, field_validator

from distillgame.choices import expanded
from distillgame.decoding import TOKEN_BUDGET, DerivativeName, SamplingParams
from distillgame.vllm.arguments import VllmArguments


class Generation(SamplingParams):
    """Sampling parameters, and the settings of the engine that samples.

    Attributes:
        batch_size: Most sequences decoded together.
        token_budget: Bound on sequences x longest sequence, in tokens, and so on the memory of keys and values.
        speculative: Under policies that have a proxy, let it draft where that is faster; traces are the same but for
            rounding of the logits.
        derivative: How the proxy's derivative is computed: ``low_rank``, ``jvp`` or ``central``.
        engine: ``vllm``, or ``vllm: {tensor_parallel_size: 2}`` with any of its arguments, if vLLM samples;
            ``distillgame`` is the engine of :mod:`distillgame.decoding`. vLLM has its own memory, its own drafts (its
            argument ``speculative_config``) and central differences, whatever ``token_budget``, ``speculative`` and
            ``derivative`` say.
    """

    batch_size: int = Field(64, ge=1)
    token_budget: int = Field(TOKEN_BUDGET, ge=1)
    speculative: bool = False
    derivative: DerivativeName = "low_rank"
    # Left out where it is the own one: results that were computed before there was another are the same.
    engine: VllmArguments | None = Field(None, exclude_if=lambda engine: engine is None)

    @field_validator("engine", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if value is None or isinstance(value, VllmArguments):
            return value
        chosen = expanded(value)
        name, options = (chosen.get("name"), chosen.get("options", {})) if isinstance(chosen, dict) else (None, {})
        if name == "vllm":
            return options or {}
        if name == "distillgame" and not options:
            return None
        raise ValueError("choose 'distillgame' or 'vllm', or 'vllm: {...}' with its arguments")

    @field_serializer("engine")
    def _with_name(self, engine: VllmArguments | None) -> dict[str, Any] | None:
        return None if engine is None else {"vllm": engine.model_dump(mode="json")}

    def params(self) -> SamplingParams:
        """The part that the engine takes for each request."""
        return SamplingParams(**self.model_dump(include=set(SamplingParams.model_fields)))
