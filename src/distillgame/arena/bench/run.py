"""``distillgame bench``: every case, interleaved and paired, and what comes of it."""

import gc
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import distillgame
from distillgame.arena.bench.cases import CASES, Case, Timing, prepare
from distillgame.arena.bench.machine import machine
from distillgame.arena.bench.pairs import Pair, ShapedPairs, embedded_pair, lengths, shaped_sizes
from distillgame.arena.bench.parts import Parts
from distillgame.arena.bench.settings import Settings, settings
from distillgame.arena.bench.shaped import VOCABULARY
from distillgame.arena.stages.base import library_versions
from distillgame.arena.store import write_text
from distillgame.process import keep_freed_memory, multiply_exactly
from distillgame.report import draw_bench, render_bench

TAIL_REPETITIONS = 2

LEAST_SEQUENCES = 12
"""Completions of the embedded pair that are timed, whose passes take so little time."""

LEAST_TOKENS = 16
"""Tokens of a sequence of the embedded pair, whose passes take little time."""

LEAST_REPETITIONS = 2
"""Repetitions of a case that are made however long they take."""

Row = dict[str, Any]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The extent of a bench.

    Attributes:
        batches: Sequences together.
        repetitions: Of each case, fewer at the largest batches.
        length: Tokens of a sequence of a shaped pair.
        tail: Sequences, batch and median length of the long-tailed run.
        growth: Vocabularies and trace lengths for which PoE is timed.
        seconds: Time for all batches together: where it is short, cases are repeated less; None is no limit.
    """

    batches: tuple[int, ...] = (1, 8, 32)
    repetitions: int = 4
    length: int = 64
    tail: tuple[int, int, int] = (256, 32, 16)
    growth: tuple[tuple[int, int], ...] = (
        (VOCABULARY, 32), (VOCABULARY, 384), (12_288, 32), (151_936, 32),
    )  # fmt: skip
    seconds: float | None = None


FULL = Plan()
QUICK = Plan(batches=(1, 8), repetitions=3, length=16, tail=(64, 8, 4), growth=(), seconds=210)


def bench(out: Path, plan: Plan = FULL, device: str = "cpu", progress: Progress = lambda text: None) -> dict[str, Any]:
    """Time every case and write ``bench.json``, ``bench.md`` and ``bench.png`` to ``out``.

    Interrupted and called again, it goes on with the part that it was at.

    Args:
        out: A folder; it is made if it does not exist.
        plan: How much is timed; :data:`QUICK` takes 4 to 6 minutes on two cores.
        device: Where networks run. On a GPU the shaped pair is the largest that fits its memory, elsewhere 135M/16M.
        progress: Told what is being timed.

    Raises:
        DistillgameError: If ``out`` cannot be written to.
    """
    sizes = shaped_sizes(device, max([VOCABULARY, *(vocabulary for vocabulary, _ in plan.growth)]))
    circumstances = {
        "machine": machine(device), "versions": library_versions(), "code": _code(), "plan": vars(plan),
        "sizes": sizes,
    }  # fmt: skip
    parts = Parts(out / ("bench.quick.parts.json" if plan == QUICK else "bench.parts.json"), circumstances)
    keep_freed_memory()
    multiply_exactly()
    end = None if plan.seconds is None else time.monotonic() + plan.seconds
    pairs: list[Pair | ShapedPairs] = [embedded_pair(device), ShapedPairs(*sizes, VOCABULARY, device)]
    planned = [(pair, batch) for pair in pairs for batch in plan.batches]
    timed = []
    for place, (pair, batch) in enumerate(planned):
        # Large batches of large networks come last and take longest.
        share = (
            None if end is None else (end - time.monotonic()) * (place + 1) / sum(range(place + 1, len(planned) + 1))
        )
        timed.append(parts.get(f"{pair.name}, batch {batch}", partial(_one_batch, pair, batch, plan, share, progress)))
    tail = parts.get("long tail", partial(_long_tail, pairs[0 if plan == QUICK else 1], plan.tail, progress))
    del pairs
    growth = [
        parts.get(f"vocabulary {v}, length {n}", partial(_growth, v, n, sizes, device, progress))
        for v, n in plan.growth
    ]
    result: dict[str, Any] = {
        "machine": circumstances["machine"],
        "versions": circumstances["versions"],
        "command": "distillgame bench" + (" --quick" if plan == QUICK else ""),
        "rows": [row for part in timed for row in part["rows"]],
        "passes": [row for part in timed for row in part["passes"]],
        "long_tail": tail,
        "growth": [row for rows in growth for row in rows],
    }
    write_text(out / "bench.json", json.dumps(result, indent=1) + "\n")
    (out / "bench.md").write_text(render_bench(result))
    draw_bench(result, out / "bench.png")
    parts.finish()
    return result


def _one_batch(
    pair: Pair | ShapedPairs, batch: int, plan: Plan, seconds: float | None, progress: Progress
) -> dict[str, Any]:
    """Return the timings of all cases at one batch, and the costs of passes."""
    end = None if seconds is None else time.monotonic() + seconds
    progress(f"{pair.name}, batch {batch}, passes")
    chosen = settings(pair, batch)
    repetitions = plan.repetitions if batch < 32 else min(3, plan.repetitions)
    timed = _timed(chosen, CASES, repetitions, plan.length, end, progress)
    return {
        "passes": chosen.passes,
        "rows": _rows(chosen, timed),
        "precisions": {name: timing.model_dump() for name, timing in chosen.timings.items()},
    }


def _timed(
    chosen: Settings, cases: Sequence[Case], repetitions: int, length: int, end: float | None, progress: Progress
) -> dict[Case, list[Timing]]:
    """Time cases one after the other, again and again, so that what disturbs the machine disturbs all of them."""
    gc.collect()  # the networks of the cases before
    batch, quick = chosen.batch, chosen.plain.quick
    # Completions have one length under all policies: shorter ones would pay for their prompts over fewer tokens.
    # Of one batch the row that speculates with the least luck would run alone at the end.
    count = max(LEAST_SEQUENCES, 4 * batch) if quick else 2 * batch if batch > 1 else 1
    wanted = [max(length // 2, LEAST_TOKENS) if quick else length] * count
    runs = {}
    for case in cases:
        pair, costs = chosen.of(case)
        runs[case] = prepare(pair, case, batch, wanted, costs)
    timings: dict[Case, list[Timing]] = {case: [] for case in cases}
    for repetition in range(repetitions):
        start = time.monotonic()
        for case, run in runs.items():
            progress(f"{chosen.plain.name}, batch {batch}, {case.label}, repetition {repetition + 1} of {repetitions}")
            timings[case].append(run())
        now = time.monotonic()
        if end is not None and repetition + 1 >= LEAST_REPETITIONS and now + (now - start) > end:
            break
    return timings


def _rows(chosen: Settings, timed: dict[Case, list[Timing]]) -> list[Row]:
    standard = timed[Case("standard")]
    baselines = {case.policy: found for case, found in timed.items() if case.engine == "transformers"}
    c = chosen.share
    floors = {"standard": 1.0, "poe": 1 + c, "ads": 1 + 2 * c}
    rows = []
    for case, found in timed.items():
        paired = list(zip(found, standard, baselines[case.policy], strict=True))
        rows.append(
            {
                "pair": chosen.plain.name,
                "policy": case.policy,
                "engine": case.engine,
                "speculative": case.speculative,
                "derivative": case.derivative or None,
                "batch": chosen.batch,
                "tokens_per_second": _range([t.tokens / t.seconds for t in found]),
                "time_cost": _range([_each(t) / _each(base) for t, base, _ in paired]),
                "speedup_over_transformers": _range([_each(theirs) / _each(t) for t, _, theirs in paired]),
                "acceptance": _range([t.acceptance for t in found if t.acceptance is not None]),
                "floor": None if case.speculative else floors[case.policy],
            }
        )
    return rows


def _long_tail(pairs: Pair | ShapedPairs, tail: tuple[int, int, int], progress: Progress) -> list[Row]:
    """Throughput where lengths have a long tail: finished rows make room for waiting ones, or all wait for the last."""
    count, batch, median = tail
    pair = pairs if isinstance(pairs, Pair) else settings(pairs, batch).plain
    wanted = list(lengths(count, median))
    rows = []
    for policy in ("standard", "poe"):
        found: dict[str, list[float]] = {"distillgame": [], "transformers": []}
        cases = [Case(policy), Case(policy, engine="transformers")]
        runs = {case: prepare(pair, case, batch, wanted) for case in cases}
        for repetition in range(TAIL_REPETITIONS):
            for case, run in runs.items():
                progress(f"{pair.name}, long-tailed lengths, batch {batch}, {case.label}, repetition {repetition + 1}")
                timing = run()
                found[case.engine].append(timing.tokens / timing.seconds)
        rows.append(
            {
                "pair": pair.name,
                "policy": policy,
                "batch": batch,
                "sequences": count,
                "median_length": median,
                "tokens": sum(wanted),
                "tokens_per_second": _range(found["distillgame"]),
                "tokens_per_second_transformers": _range(found["transformers"]),
                "speedup": _range([a / b for a, b in zip(found["distillgame"], found["transformers"], strict=True)]),
            }
        )
    return rows


def _growth(vocabulary: int, length: int, sizes: tuple[str, str], device: str, progress: Progress) -> list[Row]:
    """Return the cost of PoE at batch 8 with such a vocabulary and such traces."""
    cases = (Case("standard"), Case("poe"), Case("poe", speculative=True))
    chosen = settings(ShapedPairs(*sizes, vocabulary, device), 8)
    timed = _timed(chosen, cases, 2, length, None, progress)
    return [
        {
            "pair": chosen.plain.name,
            "policy": case.policy,
            "speculative": case.speculative,
            "batch": 8,
            "vocabulary": vocabulary,
            "trace_length": length,
            "c": chosen.share,
            "time_cost": _range([_each(t) / _each(base) for t, base in zip(found, timed[cases[0]], strict=True)]),
        }
        for case, found in timed.items()
    ]


def _each(timing: Timing) -> float:
    return timing.seconds / timing.tokens


def _range(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"min": None, "median": None, "max": None}
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def _code() -> str:
    """A digest of the package's code: what is timed is it."""
    digest = hashlib.sha256()
    for path in sorted(Path(distillgame.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
