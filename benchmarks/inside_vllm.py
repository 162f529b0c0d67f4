"""The cost of a defense inside vLLM: `build/vllm/bin/python benchmarks/inside_vllm.py` (`make vllm` makes that).

Completions of one length are sampled under every policy by turns from one copy of the weights, at several batch sizes.
The proxies read along under every policy, an undefended one too, so the teacher alone is timed apart for comparison.
Printed are tokens per second, the median of the rounds, and the ratio to the same engine's undefended policy.
"""

import argparse
import statistics
import subprocess
import sys
import time
from typing import Any

POLICIES: dict[str, dict[str, Any]] = {
    "standard": {},
    "poe": {"gamma": 0.4},
    "equilibrium_gap": {"eta": 0.3, "kappa": 1.66},
}


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="embedded:bestiary-teacher")
    parser.add_argument("--proxy", default="embedded:bestiary-proxy")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=48, help="length of every completion")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draft", default="", help="a draft model, a folder; greedy decoding then")
    parser.add_argument("--plain", action="store_true", help="the teacher alone, without the plugin")
    parser.add_argument("--vllm", default="{}", help="further arguments of vLLM's engine, as YAML")
    return parser.parse_args()


def plain(asked: argparse.Namespace, extra: dict[str, Any]) -> None:
    """Time the teacher alone."""
    from vllm import LLM, SamplingParams

    from distillgame.models import locate

    llm = LLM(model=locate(asked.teacher).name, dtype="float32", disable_log_stats=True, **extra)
    params = SamplingParams(temperature=0.6, max_tokens=asked.tokens, ignore_eos=True, detokenize=False)
    for batch in asked.batches:
        prompts = [{"prompt_token_ids": [3 + i, 4, 5]} for i in range(batch)]
        speeds = []
        for _ in range(asked.rounds + 1):
            start = time.perf_counter()
            llm.generate(prompts, params, use_tqdm=False)
            speeds.append(batch * asked.tokens / (time.perf_counter() - start))
        print(f"| {batch} | teacher alone | {statistics.median(speeds[1:]):,.0f} | |", flush=True)


def defended(asked: argparse.Namespace, extra: dict[str, Any]) -> None:
    """Time every policy by turns."""
    from distillgame.decoding import Request, SamplingParams
    from distillgame.models import ModelSpec
    from distillgame.policies import PolicyChoice, make_policy
    from distillgame.vllm.core import VllmCore
    from distillgame.vllm.engine import VllmEngine
    from distillgame.vllm.launching import plain_settings

    strict = PolicyChoice(name="poe", options={"gamma": 0.5})
    teacher = ModelSpec(source=asked.teacher, dtype="float32")
    settings = plain_settings(strict, teacher, {"proxy": ModelSpec(source=asked.proxy)}, {})
    if asked.draft:
        extra["speculative_config"] = {"method": "draft_model", "model": asked.draft, "num_speculative_tokens": 3}
    core = VllmCore(teacher, settings, extra)
    engines = {name: VllmEngine(core, make_policy(name, options)) for name, options in POLICIES.items()}
    params = SamplingParams(temperature=0.0 if asked.draft else 0.6, max_new_tokens=asked.tokens, ignore_end=True)
    for batch in asked.batches:
        speeds: dict[str, list[float]] = {name: [] for name in engines}
        for turn in range(asked.rounds + 1):
            for name, engine in engines.items():
                requests = [Request(f"{turn}/{i}", prompt=(3 + i, 4, 5)) for i in range(batch)]
                start = time.perf_counter()
                engine.generate(requests, params, seed=turn)
                speeds[name].append(batch * asked.tokens / (time.perf_counter() - start))
        medians = {name: statistics.median(found[1:]) for name, found in speeds.items()}
        for name, median in medians.items():
            print(f"| {batch} | {name} | {median:,.0f} | {medians['standard'] / median:.2f} |", flush=True)


def main() -> None:
    """Print the table."""
    import yaml

    asked = arguments()
    extra = {"enforce_eager": True, "max_model_len": 512, "max_num_seqs": max(asked.batches)} | yaml.safe_load(
        asked.vllm
    )
    if asked.plain:
        plain(asked, extra)
        return
    print("| batch | policy | tokens per second | cost relative to standard |\n|---:|---|---:|---:|", flush=True)
    # vLLM holds its memory until the process ends.
    subprocess.run([sys.executable, __file__, *sys.argv[1:], "--plain"], check=True)
    defended(asked, extra)


if __name__ == "__main__":
    main()
