"""A mix-in for workers of vLLM: they can be asked for the costs of the tokens that it sampled."""

from typing import Any

from distillgame.vllm.costs import SampledToken
from distillgame.vllm.runners import defended_model


class CostReader:
    """A mix-in of the worker (``--worker-extension-cls distillgame.vllm.extension.CostReader``)."""

    model_runner: Any

    def distillgame_costs(self, accounts: list[str]) -> dict[str, list[SampledToken]]:
        """Return the tokens in some accounts since they were last asked for.

        Args:
            accounts: Names of accounts.

        Raises:
            RuntimeError: If the model is not a defended one.
        """
        model = defended_model(self.model_runner)
        if model is None:
            raise RuntimeError("distillgame: the model is not defended; was it loaded by the plugin?")
        found: dict[str, list[SampledToken]] = model.releaser.costs.take(accounts)
        return found
