"""Record the logits of a trained pair along its own traces."""

from collections.abc import Sequence

import torch

from distillgame.arena.bench.shaped import Recording
from distillgame.decoding import DERIVATIVE_STEP, Engine, Request, SamplingParams
from distillgame.models import LanguageModel
from distillgame.policies import Experts, ReleasePolicy
from distillgame.values import Direction, moved_copy


@torch.no_grad()
def record(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    policy: ReleasePolicy,
    requests: Sequence[Request],
    params: SamplingParams,
) -> Recording:
    """Sample ``requests`` under ``policy`` and note the pair's logits at every position.

    Under a policy with a derivative the tilt is recorded as part of the teacher's logits and of the drafts': a shaped
    network's own derivative is computed, and is nothing on what is replayed.
    """
    engine = Engine(teacher, policy, proxies={"proxy": proxy}, directions={"proxy": direction})
    samples = engine.generate(requests, params)
    prompts = [teacher.prompt_ids(request.messages) for request in requests]
    copies = [moved_copy(proxy.model, direction, sign * DERIVATIVE_STEP) for sign in (1, -1)]
    length = max(len(sample.token_ids) for sample in samples)
    rows: list[tuple[torch.Tensor, torch.Tensor]] = []
    for prompt, sample in zip(prompts, samples, strict=True):
        ids = torch.tensor([[*prompt, *sample.token_ids]], device=teacher.device)
        ours, theirs, plus, minus = (
            torch.log_softmax(model(ids).logits[0, len(prompt) - 1 : -1].float(), -1)
            for model in (teacher.model, proxy.model, *copies)
        )
        if policy.needs_delta:
            delta = (plus - minus) / (2 * DERIVATIVE_STEP)
            experts = Experts(ours, params.temperature, (theirs,), (delta,), (0,) * len(ours))
            ours, theirs = policy.logits(experts), policy.draft(experts)
        again = torch.arange(length) % len(ours)
        rows.append((ours[again], theirs[again]))
    return Recording(prompts, torch.stack([r[0] for r in rows]), torch.stack([r[1] for r in rows]))
