"""Distributions and measures by the models themselves, without an engine: whole sequences in one pass."""

import torch

from distillgame.decoding import DERIVATIVE_STEP
from distillgame.models import LanguageModel
from distillgame.policies import Experts, Release, ReleasePolicy, release, weighted_mean
from distillgame.values import Direction, moved_copy


class Scorer:
    """Puts sequences to all models."""

    def __init__(
        self,
        teacher: LanguageModel,
        proxies: dict[str, LanguageModel],
        directions: dict[str, Direction],
        temperature: float,
    ):
        self.teacher, self.proxies, self.temperature = teacher, proxies, temperature
        self.sides = {
            name: [moved_copy(proxies[name].model, direction, sign * DERIVATIVE_STEP) for sign in (1, -1)]
            for name, direction in directions.items()
        }

    @torch.no_grad()
    def released(self, policy: ReleasePolicy, prompt: list[int], tokens: list[int]) -> tuple[Release, Experts]:
        """The distributions of every token, and what the policy was asked about."""
        ids = torch.tensor([prompt + tokens])
        places = slice(len(prompt) - 1, len(prompt) - 1 + max(len(tokens), 1))
        teacher = self.teacher.model(ids).logits[0, places].float()
        proxies = tuple(self.proxies[name].model(ids).logits[0, places].float() for name in policy.proxies)
        deltas: tuple[torch.Tensor, ...] = ()
        if policy.needs_delta:
            sides = [
                [torch.log_softmax(side(ids).logits[0, places].float(), -1) for side in self.sides[name]]
                for name in policy.proxies
            ]
            deltas = tuple((plus - minus) / (2 * DERIVATIVE_STEP) for plus, minus in sides)
        experts = Experts(teacher, self.temperature, proxies, deltas)
        return release(policy, experts), experts

    def score(self, policy: ReleasePolicy, prompt: list[int], tokens: list[int]) -> dict[str, list[float]]:
        """The measures of every token, by the names of a sample's columns."""
        found, experts = self.released(policy, prompt, tokens)
        chosen = torch.tensor(tokens)
        theirs = [
            torch.log_softmax(proxy / self.temperature, -1).gather(-1, chosen[:, None]) for proxy in experts.proxies
        ]
        return {
            "logprob_released": found.released.logprob(chosen).tolist(),
            "logprob_reference": found.reference.logprob(chosen).tolist(),
            "logprob_proxy": weighted_mean(theirs, policy.weights).squeeze(-1).tolist(),
            "kl": found.kl.tolist(),
            "kl_reverse": found.kl_reverse.tolist(),
        }
