"""``distillgame bench --engine vllm``: the cost of defenses inside vLLM, next to vLLM as it is.

vLLM with the teacher alone, and the plugin with the teacher and a proxy, hold their weights at the same time and are
timed by turns. The proxies read along under every policy, an undefended one too. With drafts tokens are taken greedily:
vLLM 0.32 for CPUs draws wrongly when it speculates at a temperature.
"""

import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from distillgame.arena.bench.machine import machine
from distillgame.arena.bench.pairs import TEMPERATURE, shaped_sizes
from distillgame.arena.bench.parts import Parts
from distillgame.arena.bench.shaped import SHAPES, VOCABULARY, save_shape
from distillgame.arena.bench.vllm_server import serving
from distillgame.arena.stages.base import library_versions, vllm_version
from distillgame.arena.store import write_text
from distillgame.models import locate
from distillgame.report import render_vllm_bench
from distillgame.vllm.launching import require_device
from distillgame.vllm.padding import HeadPadding

POLICIES: dict[str, dict[str, Any]] = {
    "standard": {},
    "poe": {"gamma": 0.5},
    "equilibrium_gap": {"eta": 0.3, "kappa": 1.66},
}
"""The policies that are timed, with their options."""

DRAFTS = 4
"""Tokens that a proxy drafts."""

LARGE_REPETITIONS = 2

Row = dict[str, Any]


@dataclass(frozen=True)
class VllmPlan:
    """The extent of a bench of vLLM.

    Attributes:
        batches: Sequences together.
        repetitions: Of each case, at most :data:`LARGE_REPETITIONS` at batches of 32 and more.
        length: Tokens of a completion.
    """

    batches: tuple[int, ...] = (1, 8, 32, 128)
    repetitions: int = 4
    length: int = 48


FULL_VLLM = VllmPlan()
QUICK_VLLM = VllmPlan(batches=(1, 8), repetitions=2, length=24)


@dataclass(frozen=True)
class FolderPair:
    """A teacher and a proxy as vLLM loads them.

    Attributes:
        name: The pair's name.
        teacher: The teacher's folder.
        proxy: The proxy's.
        draft: The proxy once more, with heads for which vLLM has a kernel; None where there are no weights, so that
            vLLM makes random ones, and drafts would be refused.
    """

    name: str
    teacher: str
    proxy: str
    draft: str | None


@dataclass(frozen=True)
class Setup:
    """One engine that is timed.

    Attributes:
        name: Its name.
        plain: Whether it is vLLM as it is, with the teacher alone.
        drafts: Whether the proxy drafts.
        memory: Share of a GPU's memory that it may claim.
    """

    name: str
    plain: bool
    drafts: bool
    memory: float


PLAIN = Setup("vllm", True, False, 0.22)
"""What all are compared with."""

SAMPLED = (PLAIN, Setup("defended", False, False, 0.45))
GREEDY = (PLAIN, Setup("vllm, drafts", True, True, 0.3), Setup("defended, drafts", False, True, 0.36))


def bench_vllm(
    out: Path, plan: VllmPlan = FULL_VLLM, device: str = "cpu", progress: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Time every case and write ``bench.vllm.json`` and ``bench.vllm.md`` to ``out``.

    Interrupted and called again, it goes on with the part that it was at.

    Args:
        out: A folder; it is made if it does not exist.
        plan: How much is timed.
        device: Where networks run. On a GPU the shaped pair is the largest that fits its memory, elsewhere 135M/16M.
        progress: Told what is being timed.

    Raises:
        DistillgameError: If vLLM is missing, runs elsewhere or does not start, or ``out`` cannot be written to.
    """
    require_device(device)
    circumstances = {"machine": machine(device), "versions": library_versions() | vllm_version(), "plan": vars(plan)}
    parts = Parts(out / "bench.vllm.parts.json", circumstances)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in _pairs(Path(folder), device):
            for temperature, setups in ((TEMPERATURE, SAMPLED), (0.0, GREEDY)):
                if pair.draft is None and setups is GREEDY:
                    continue

                def measure(pair: FolderPair = pair, t: float = temperature, setups: Any = setups) -> list[Row]:
                    return timed(pair, setups, t, plan, device, progress)

                rows += parts.get(f"{pair.name}, temperature {temperature}", measure)
    result = {
        **circumstances, "command": "distillgame bench --engine vllm" + (" --quick" if plan == QUICK_VLLM else ""),
        "rows": rows,
    }  # fmt: skip
    write_text(out / "bench.vllm.json", json.dumps(result, indent=1) + "\n")
    write_text(out / "bench.vllm.md", render_vllm_bench(result))
    parts.finish()
    return result


def timed(
    pair: FolderPair,
    setups: Sequence[Setup],
    temperature: float,
    plan: VllmPlan,
    device: str,
    progress: Callable[[str], None],
) -> list[Row]:
    """Time the policies of several engines by turns, and return a row per engine, policy and batch.

    Args:
        pair: Teacher and proxy.
        setups: The engines, the first of which the others are compared with.
        temperature: The sampling temperature.
        plan: How much is timed.
        device: Where networks run.
        progress: Told what is being timed.

    Raises:
        DistillgameError: If an engine does not start, or ends.
    """
    cases = [(setup, policy) for setup in setups for policy in (["standard"] if setup.plain else POLICIES)]
    rows = []
    with ExitStack() as stack:
        servers = {}
        for setup in setups:
            progress(f"{pair.name}: starting {setup.name}")
            servers[setup] = stack.enter_context(serving(setup.name, _launch(pair, setup, plan, device)))
        for batch in plan.batches:
            found: dict[tuple[Setup, str], list[float]] = {case: [] for case in cases}
            repetitions = plan.repetitions if batch < 32 else min(LARGE_REPETITIONS, plan.repetitions)
            # The first turn warms up.
            for turn in range(repetitions + 1):
                for setup, policy in cases:
                    progress(f"{pair.name}, batch {batch}, {setup.name}, {policy}, turn {turn} of {repetitions}")
                    asked = {"policy": policy, "options": POLICIES[policy], "count": batch, "tokens": plan.length}
                    seconds = float(servers[setup].ask(asked | {"temperature": temperature}))
                    if turn:
                        found[setup, policy].append(seconds)
            base = found[cases[0]]
            rows += [_row(pair, case, batch, temperature, found[case], base, plan.length) for case in cases]
    return rows


def _row(
    pair: FolderPair, case: tuple[Setup, str], batch: int, temperature: float, seconds: Sequence[float],
    base: Sequence[float], length: int,
) -> Row:  # fmt: skip
    setup, policy = case
    costs = [ours / theirs for ours, theirs in zip(seconds, base, strict=True)]
    speed = batch * length / statistics.median(seconds)
    return {
        "pair": pair.name, "engine": setup.name, "policy": policy, "batch": batch, "temperature": temperature,
        "tokens_per_second": speed, "cost": statistics.median(costs), "cost_min": min(costs), "cost_max": max(costs),
    }  # fmt: skip


def _pairs(folder: Path, device: str) -> list[FolderPair]:
    large, small = shaped_sizes(device, VOCABULARY)
    for size in (large, small):
        save_shape(SHAPES[size], VOCABULARY, folder / size)
    name = f"shaped {large}/{small}, vocabulary {VOCABULARY:,}"
    teacher, proxy = (locate(f"embedded:bestiary-{role}").name for role in ("teacher", "proxy"))
    HeadPadding(AutoConfig.from_pretrained(proxy)).save(Path(proxy), folder / "draft")
    shaped = FolderPair(name, str(folder / large), str(folder / small), None)
    return [FolderPair("embedded", teacher, proxy, str(folder / "draft")), shaped]


def _launch(pair: FolderPair, setup: Setup, plan: VllmPlan, device: str) -> Mapping[str, Any]:
    arguments: dict[str, Any] = {
        "dtype": "float32" if device == "cpu" else "bfloat16",
        "max_model_len": plan.length + 16,
        "max_num_seqs": max(plan.batches),
        # A prompt that was read before would cost nothing.
        "enable_prefix_caching": False,
    }
    if device == "cpu":
        arguments |= {"kv_cache_memory_bytes": 2**31, "enforce_eager": True, "enable_chunked_prefill": False}
    else:
        arguments["gpu_memory_utilization"] = setup.memory
    if pair.draft is None:
        arguments["load_format"] = "dummy"
    if setup.drafts:
        arguments["speculative_config"] = {
            "method": "draft_model", "model": pair.draft, "num_speculative_tokens": DRAFTS,
        }  # fmt: skip
    return {
        "teacher": pair.teacher, "proxies": None if setup.plain else {"proxy": pair.proxy}, "arguments": arguments,
    }  # fmt: skip
