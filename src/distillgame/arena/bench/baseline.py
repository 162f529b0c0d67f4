"""The code that a user would write today: ``transformers.generate`` with a logits processor that holds cached proxies.

Static batches, padded on the left, that run until their longest row ends.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from distillgame.arena.bench.pairs import POLICIES, TEMPERATURE, Pair
from distillgame.decoding import DERIVATIVE_STEP, Request
from distillgame.policies import Experts
from distillgame.values import moved_copy


class Baseline:
    """Samples under one of the timed policies.

    Args:
        pair: Teacher and proxy.
        policy: The policy's name.
    """

    def __init__(self, pair: Pair, policy: str):
        self.pair, self.policy = pair, POLICIES[policy]
        self.networks: list[Any] = []
        if self.policy.needs_delta:
            self.networks = [moved_copy(pair.proxy.model, pair.direction, s * DERIVATIVE_STEP) for s in (1, -1)]
        elif self.policy.needs_proxy:
            self.networks = [pair.proxy.model]

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request], lengths: Sequence[int], batch: int) -> None:
        """Sample in batches.

        Args:
            requests: What to sample.
            lengths: How many tokens of each.
            batch: Rows of a batch.
        """
        for start in range(0, len(requests), batch):
            self._batch(requests[start : start + batch], lengths[start : start + batch])

    def _batch(self, requests: Sequence[Request], lengths: Sequence[int]) -> torch.Tensor:
        teacher = self.pair.teacher
        prompts = [teacher.prompt_ids(request.messages) for request in requests]
        width = max(map(len, prompts))
        pad = teacher.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=teacher.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=teacher.device)
        processors = LogitsProcessorList([_Mixture(self.policy, self.networks, mask)] if self.networks else [])
        stopping = StoppingCriteriaList([_Lengths(width, lengths)])
        output: torch.Tensor = teacher.model.generate(
            input_ids=ids, attention_mask=mask, do_sample=True, temperature=TEMPERATURE, top_k=0, top_p=1.0,
            max_new_tokens=max(lengths), pad_token_id=pad, eos_token_id=None, logits_processor=processors,
            stopping_criteria=stopping,
        )  # fmt: skip
        return output[:, width:]


class _Mixture(LogitsProcessor):  # type: ignore[misc]
    def __init__(self, policy: Any, networks: Sequence[Any], mask: torch.Tensor):
        self.policy, self.networks, self.mask = policy, networks, mask
        self.caches = [DynamicCache() for _ in networks]
        self.read = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        new = input_ids[:, self.read :]
        if self.read:
            self.mask = torch.cat([self.mask, torch.ones_like(new)], -1)
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, self.read :]
        self.read = input_ids.shape[1]
        logits = [
            network(
                input_ids=new, attention_mask=self.mask, position_ids=positions, past_key_values=cache, use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1].float()
            for network, cache in zip(self.networks, self.caches, strict=True)
        ]  # fmt: skip
        if len(logits) == 1:
            return self.policy.logits(Experts(scores, TEMPERATURE, (logits[0],)))  # type: ignore[no-any-return]
        plus, minus = (torch.log_softmax(part, -1) for part in logits)
        delta = (plus - minus) / (2 * DERIVATIVE_STEP)
        return self.policy.logits(Experts(scores, TEMPERATURE, ((plus + minus) / 2,), (delta,)))  # type: ignore[no-any-return]


class _Lengths(StoppingCriteria):  # type: ignore[misc]
    def __init__(self, width: int, lengths: Sequence[int]):
        self.ends = torch.tensor([width + length for length in lengths])

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **keywords: Any) -> torch.Tensor:
        return (input_ids.shape[1] >= self.ends).to(input_ids.device)
