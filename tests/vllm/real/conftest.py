"""A real vLLM, if this environment has one (``make vllm`` builds one that has)."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from distillgame.decoding import Sample
from distillgame.models import LanguageModel, load_model, locate
from distillgame.values import Direction
from distillgame.worlds.bestiary.task import Bestiary

MARK = "SAMPLES: "
HERE = Path(__file__).parent
TEACHER = "embedded:bestiary-teacher"
PROXIES = {"proxy": "embedded:bestiary-proxy", "half": "embedded:bestiary-proxy-half"}

Player = Callable[..., list[Sample]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            if importlib.util.find_spec("vllm") is None:
                item.add_marker(pytest.mark.skip(reason="needs vLLM: make vllm"))


@pytest.fixture(scope="session", autouse=True)
def working() -> None:
    """Skip where vLLM itself, without the plugin's model, does not run: where it does not know the processors, say."""
    script = (
        "from vllm import LLM, SamplingParams\n"
        f"llm = LLM({locate(TEACHER).name!r}, dtype='float32', enforce_eager=True, max_model_len=64, "
        "gpu_memory_utilization=0.1)\n"
        "llm.generate([{'prompt_token_ids': [3, 4]}], SamplingParams(max_tokens=2))\n"
    )
    env = environment(VLLM_ENABLE_V1_MULTIPROCESSING="0")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        pytest.skip(f"vLLM does not run on this machine: {done.stderr.strip().splitlines()[-1][:200]}")


@pytest.fixture(scope="session")
def teacher() -> LanguageModel:
    return load_model(TEACHER)


@pytest.fixture(scope="session")
def proxies() -> dict[str, LanguageModel]:
    return {name: load_model(source) for name, source in PROXIES.items()}


@pytest.fixture(scope="session")
def directions(proxies: dict[str, LanguageModel], prompts: list[list[int]]) -> dict[str, Direction]:
    """A gradient, on which logits depend much more than on noise, and as much of noise, which no low rank has."""
    network, ids = proxies["proxy"].model, torch.tensor([prompts[0]])
    named = dict(network.named_parameters())
    with torch.enable_grad():
        loss = network(ids, labels=ids).loss
        gradient = dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))
    generator = torch.Generator().manual_seed(0)
    noise = {name: torch.randn(parameter.shape, generator=generator) for name, parameter in named.items()}
    parts = [(part, direction_norm(part)) for part in (gradient, noise)]
    return {
        "proxy": {name: sum((part[name] / norm / 2**0.5 for part, norm in parts), torch.tensor(0.0)) for name in named}
    }


def direction_norm(direction: Direction) -> float:
    return float(torch.stack([each.square().sum() for each in direction.values()]).sum().sqrt())


@pytest.fixture(scope="session")
def prompts(teacher: LanguageModel) -> list[list[int]]:
    """64 prompts of different lengths."""
    problems = Bestiary().pools()["test"][:64]
    return [teacher.prompt_ids([{"role": "user", "content": problem.question}]) for problem in problems]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_CI_ENV": "1", **more}


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory, directions: dict[str, Direction]) -> Player:
    """Sample inside vLLM."""
    folder = tmp_path_factory.mktemp("directions")
    files = {name: str(folder / f"{name}.safetensors") for name in directions}
    for name, direction in directions.items():
        save_file(direction, files[name])

    def run(
        policies: Sequence[tuple[str, dict[str, Any]]],
        requests: Sequence[tuple[int, list[int]]],
        params: dict[str, Any],
        directed: bool = False,
        seed: int = 0,
        env: dict[str, str] | None = None,
        models: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> list[Sample]:
        asked = {
            "teacher": TEACHER, "proxies": PROXIES, "directions": files if directed else {}, "policies": policies,
            "requests": requests, "params": params, "seed": seed, "forced_answer": "\n#### ", "arguments": arguments,
            **(models or {}),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tests.vllm.real.play"], input=json.dumps(asked), text=True, capture_output=True,
            cwd=HERE.parents[2], env=environment(**(env or {})), timeout=600, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-3000:])
        log, found = done.stdout.split(MARK)
        print(log)
        return [Sample(**fields) for fields in json.loads(found.splitlines()[0])]

    return run
