"""Release inside vLLM: the policy objects of the game, asked about the rows of many requests at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from distillgame.decoding import DERIVATIVE_STEP
from distillgame.policies import Experts, ReleasePolicy, release
from distillgame.vllm.costs import Costs, Measured
from distillgame.vllm.rows import NextRows, RequestRows, StepRows
from distillgame.vllm.settings import DefenseSettings
from distillgame.vllm.vocabulary import Shared

Common = tuple[torch.Tensor | None, dict[str, torch.Tensor | None]]
"""What :meth:`distillgame.vllm.vocabulary.Shared.common` returns."""


class Releaser:
    """Turns the logits of all networks into released logits.

    Args:
        settings: The owner's settings.
        shared: The tokens that all models share.

    Attributes:
        rows: The rows of the step in progress.
        costs: The costs of the requests that keep them.
    """

    def __init__(self, settings: DefenseSettings, shared: Shared):
        self._settings, self._shared = settings, shared
        self._common: dict[tuple[str, ...], Common] = {}
        self.rows = NextRows()
        self.costs = Costs()

    @torch.no_grad()
    def release(self, teacher: torch.Tensor, networks: Mapping[str, Sequence[torch.Tensor]]) -> torch.Tensor:
        """Return released logits before temperature, float32, shape (N, V).

        Args:
            teacher: The teacher's logits, float32, shape (N, V).
            networks: The logits of each proxy's networks, float32, over its own vocabulary.
        """
        rows = self.rows.take(len(teacher))
        if rows is None:
            # Nobody's: the strictest policy, at the temperature at which nothing is sharpened.
            rows = StepRows([RequestRows(self._settings.policy.policy, 1.0, len(teacher))])
        released = torch.empty_like(teacher)
        parts = []
        for policy, temperature, places in rows.groups():
            index = torch.tensor(places, device=teacher.device)
            experts, shared = self._experts(policy, temperature, teacher, networks, index)
            if policy.control:
                keys = rows.keys
                experts = replace(experts, keys=tuple(keys[place] for place in places))
            result = release(policy, experts, shared)
            released[index] = result.released.logits
            parts.append(Measured(index, result, experts, policy, shared))
        self.costs.note(rows, parts)
        return released

    def _experts(
        self,
        policy: ReleasePolicy,
        temperature: float,
        teacher: torch.Tensor,
        networks: Mapping[str, Sequence[torch.Tensor]],
        index: torch.Tensor,
    ) -> tuple[Experts, torch.Tensor | None]:
        """Return what a policy is asked about, and the tokens that its own proxies share.

        Proxies that it names but does not need serve for its tokens' values.
        """
        names = tuple(name for name in policy.proxies if name in networks)
        if names not in self._common:
            tokens, columns = self._shared.common(names)
            self._common[names] = (
                _on(tokens, teacher.device),
                {name: _on(table, teacher.device) for name, table in columns.items()},
            )
        shared, columns = self._common[names]
        proxies = [_aligned([output[index] for output in networks[name]], columns[name]) for name in names]
        deltas = tuple(proxy[1] for proxy in proxies) if policy.needs_delta else ()
        return Experts(teacher[index], temperature, tuple(proxy[0] for proxy in proxies), deltas), shared


def _aligned(outputs: Sequence[torch.Tensor], columns: torch.Tensor | None) -> list[torch.Tensor]:
    """Return a proxy's logits, and its derivative where it has one, over the shared tokens."""
    if columns is not None:
        outputs = [output[:, columns] for output in outputs]
    if len(outputs) == 1:
        return [outputs[0]]
    plus, minus = (torch.log_softmax(output, -1) for output in outputs)
    return [(plus + minus) / 2, (plus - minus) / (2 * DERIVATIVE_STEP)]


def _on(table: torch.Tensor | None, device: torch.device) -> torch.Tensor | None:
    return None if table is None else table.to(device)
