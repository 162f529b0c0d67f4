"""A bench that takes seconds, here or in a process on a node."""

from collections.abc import Callable
from typing import Any

from distillgame.arena.bench import anywhere, pairs, run, shaped
from distillgame.arena.bench.run import Plan
from distillgame.arena.bench.shaped import Shape


def shrink(put: Callable[[Any, str, Any], None]) -> None:
    """Let shaped networks be small and timings few."""
    put(pairs, "SHAPES", {name: Shape(name, 16, 1, 2, 1, 32) for name in shaped.SHAPES})
    put(pairs, "TRACES", 8)
    put(run, "VOCABULARY", 4096)
    put(run, "TAIL_REPETITIONS", 1)
    put(run, "LEAST_SEQUENCES", 1)
    put(run, "LEAST_TOKENS", 2)


def main() -> None:
    """Time what an order asks for."""
    shrink(setattr)
    run.QUICK = Plan(batches=(1,), repetitions=1, length=3, tail=(4, 2, 2), growth=())
    anywhere.main()
