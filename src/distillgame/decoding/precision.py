"""The precision of networks on a CPU, chosen by timing their passes.

Without instructions for bfloat16 a CPU's half-precision products grow with the number of rows, while those in float32
wait for memory and hardly do: with few rows the one is faster, with many the other, often by a factor of three.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from distillgame.decoding.speculation import WIDTHS, Calibration, Drafter, pass_seconds
from distillgame.models import LanguageModel, ModelSpec, has_choice
from distillgame.strict import Strict

Precision = Literal["float32", "bfloat16"]

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")

GAIN = 1.1
"""Factor by which bfloat16 has to be faster to be chosen: below it timings might say otherwise the next time."""


class NetworkTiming(Strict):
    """A network's passes in either precision, and the one that was chosen.

    Attributes:
        rows: Number of rows of the timed passes.
        speculative: Whether passes of several tokens per row were taken into account.
        seconds: By precision, seconds of passes that read 1, 2, ... tokens per row.
        chosen: The precision.
    """

    rows: int
    speculative: bool
    seconds: dict[Precision, list[float]]
    chosen: Precision


def time_passes(model: LanguageModel, rows: int, speculative: bool) -> list[float]:
    """Return the seconds of a network's passes as far as :func:`choose_precision` needs them."""
    return pass_seconds(model, rows, WIDTHS if speculative else WIDTHS[:1])


def choose_precision(
    seconds: Mapping[Precision, Sequence[float]], rows: int, drafting: float | None = None
) -> NetworkTiming:
    """Choose the precision in which a network decides the most tokens per second.

    Args:
        seconds: By precision, seconds of passes that read 1, 2, ... tokens per row.
        rows: Number of rows of these passes.
        drafting: Seconds in which the proxies read one token of each row, if they draft for this network; each
            precision then counts with the number of drafts that is best for it.
    """
    timed = {precision: list(map(float, costs)) for precision, costs in seconds.items()}
    speeds = {precision: _speed(costs, rows, drafting) for precision, costs in timed.items()}
    half = "bfloat16" in speeds and speeds["bfloat16"] > GAIN * speeds.get("float32", 0.0)
    return NetworkTiming(
        rows=rows, speculative=drafting is not None, seconds=timed, chosen="bfloat16" if half else "float32"
    )


def settle_precisions(
    teacher: ModelSpec,
    proxies: Mapping[str, ModelSpec],
    rows: int,
    speculative: bool,
    load: Callable[[ModelSpec], LanguageModel],
    device: str = "cpu",
) -> dict[str, NetworkTiming]:
    """Time the networks whose precision is open (:func:`distillgame.models.has_choice`) in both precisions.

    One network is in memory at a time.

    Args:
        teacher: The teacher, called ``teacher`` in the result.
        proxies: The proxies by name.
        rows: Number of sequences that are decoded together.
        speculative: Whether the proxies draft for the teacher.
        load: Loads a network.
        device: Where networks run.

    Returns:
        The timings and the choice for each of them, proxies first; empty where nothing is open.
    """

    def time_both(spec: ModelSpec, wide: bool) -> dict[Precision, list[float]]:
        return {p: time_passes(load(spec.model_copy(update={"dtype": p})), rows, wide) for p in PRECISIONS}

    found = {
        name: choose_precision(time_both(spec, False), rows)
        for name, spec in proxies.items()
        if has_choice(spec, device)
    }
    if has_choice(teacher, device):
        drafting = 0.0
        for name, spec in proxies.items() if speculative else ():
            timing = found.get(name)
            drafting += timing.seconds[timing.chosen][0] if timing else time_passes(load(spec), rows, False)[0]
        drafts = speculative and bool(proxies)
        found["teacher"] = choose_precision(time_both(teacher, drafts), rows, drafting if drafts else None)
    return found


def _speed(costs: Sequence[float], rows: int, drafting: float | None) -> float:
    if drafting is None:
        return rows / costs[0]
    drafter = Drafter(Calibration(teacher={rows: list(costs)}, proxy={rows: drafting}))
    return float(np.max(drafter.speed([(0, 0)] * rows)))
