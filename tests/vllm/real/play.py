"""Samples inside a real vLLM, in a process of its own: reads a JSON object on standard input, writes one at its end.

The input has ``arguments`` for vLLM, ``policies`` with their names and options, ``requests`` as pairs of a policy's
number and a list of prompt tokens, and ``params``. The line of output after ``SAMPLES:`` has a sample per request, that
after ``CACHED:`` how many tokens of how many requests were found in the cache of prefixes, and the one after ``STEPS:``
how many steps vLLM took.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from distillgame.decoding import Request, SamplingParams
from distillgame.models import ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm.core import VllmCore
from distillgame.vllm.engine import VllmEngine
from distillgame.vllm.launching import plain_settings


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    policies = [PolicyChoice(name=name, options=options) for name, options in asked["policies"]]
    proxies = {name: ModelSpec(source=source) for name, source in asked["proxies"].items()}
    settings = plain_settings(policies[0], ModelSpec(source=asked["teacher"]), proxies, asked["directions"])
    defaults = {"enforce_eager": True, "max_model_len": 256, "max_num_seqs": 64, "gpu_memory_utilization": 0.1}
    core = VllmCore(ModelSpec(source=asked["teacher"]), settings, defaults | asked["arguments"])
    seen = watched(core)
    engines = [VllmEngine(core, policy.policy) for policy in policies]
    params = SamplingParams(**asked["params"])
    sequences = []
    for i, (policy, prompt) in enumerate(asked["requests"]):
        request = Request(f"r{i}", forced_answer=asked["forced_answer"], prompt=tuple(prompt))
        sequences.append(engines[policy].prepare(request, params, asked["seed"], stream=False))
        engines[policy].enqueue(sequences[-1])
    while any(engine.busy for engine in engines):
        for engine in engines:
            if engine.busy:
                engine.step()
    print(f"\nCACHED: {sum(seen.cached.values())} of {len(seen.cached)}\nSTEPS: {seen.steps}")
    print(f"\nSAMPLES: {json.dumps([asdict(sequence.sample) for sequence in sequences])}", flush=True)


@dataclass
class Seen:
    """What vLLM's steps told: their number, and the tokens of every request's prompt that were in its cache."""

    steps: int = 0
    cached: dict[str, int] = field(default_factory=dict)


def watched(core: VllmCore) -> Seen:
    """Return a record that will be of all steps from now on."""
    seen, step = Seen(), core._engine.step

    def counted() -> Any:
        outputs = step()
        seen.steps += 1
        seen.cached.update({output.request_id: output.num_cached_tokens or 0 for output in outputs})
        return outputs

    core._engine.step = counted
    return seen


if __name__ == "__main__":
    main()
