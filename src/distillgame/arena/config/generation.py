"""Sampling of completions in a game: its parameters, and the engine's settings."""

from pydantic import Field

from distillgame.decoding import TOKEN_BUDGET, DerivativeName, SamplingParams


class Generation(SamplingParams):
    """Sampling parameters, and the settings of the engine that samples.

    Attributes:
        batch_size: Most sequences decoded together.
        token_budget: Bound on sequences x longest sequence, in tokens, and so on the memory of keys and values.
        speculative: Under policies that have a proxy, let it draft where that is faster; traces are the same but for
            rounding of the logits.
        derivative: How the proxy's derivative is computed: ``low_rank``, ``jvp`` or ``central``.
    """

    batch_size: int = Field(64, ge=1)
    token_budget: int = Field(TOKEN_BUDGET, ge=1)
    speculative: bool = False
    derivative: DerivativeName = "low_rank"

    def params(self) -> SamplingParams:
        """The part that the engine takes for each request."""
        return SamplingParams(**self.model_dump(include=set(SamplingParams.model_fields)))
