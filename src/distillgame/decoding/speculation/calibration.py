"""Measured costs of the teacher's and the proxies' passes on this machine."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from pydantic import Field, ValidationError

from distillgame.decoding.drawing.chooser import Chooser
from distillgame.decoding.networks.context import Context
from distillgame.decoding.networks.proxy import Proxies
from distillgame.decoding.request import SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import Experts
from distillgame.strict import Strict

WIDTHS = (1, 2, 3, 5, 9)
"""Numbers of tokens per row for which a pass of the teacher is timed; those between lie on lines."""

WIDEST = WIDTHS[-1]

PROMPT = 64
"""Number of tokens that every row has read before the timed pass."""


class Calibration(Strict):
    """The costs of passes of teacher and proxies on one machine, in seconds.

    They decide how many tokens are drafted ahead, and so how long sampling takes, never which tokens are sampled.

    Attributes:
        teacher: By number of rows, seconds of a pass that reads 1, 2, ... tokens per row.
        proxy: By number of rows, seconds of a pass of all proxies that reads one token per row.
        draft: Seconds of drafting one token of one sequence.
        decide: Seconds of deciding one position of one sequence.
    """

    teacher: dict[int, list[float]] = Field(min_length=1)
    proxy: dict[int, float] = Field(min_length=1)
    draft: float = Field(0.0, ge=0)
    decide: float = Field(0.0, ge=0)

    def teacher_seconds(self, rows: int, width: int) -> float:
        """Return the seconds of a pass of the teacher, by linear interpolation between measured numbers of rows."""
        return _between({n: costs[min(width, len(costs)) - 1] for n, costs in self.teacher.items()}, rows)

    def proxy_seconds(self, rows: int) -> float:
        """Return the seconds of a pass of all proxies, likewise."""
        return _between(self.proxy, rows)

    def save(self, path: Path) -> None:
        """Write it as JSON; the file appears whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a file that :meth:`save` wrote.

        Raises:
            DistillgameError: If the file is missing or does not hold a calibration.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValidationError, ValueError) as error:
            raise DistillgameError(f"calibration {path}: cannot be read; delete it to measure again") from error


@torch.inference_mode()
def calibrate(
    teacher: LanguageModel,
    proxies: Proxies,
    chooser: Chooser,
    sizes: Sequence[int],
    known: Calibration | None = None,
) -> Calibration:
    """Time all networks and the choice of tokens at batches of several sizes.

    Args:
        teacher: The teacher.
        proxies: The proxies.
        chooser: Chooses tokens under the policy.
        sizes: Numbers of rows.
        known: A calibration of the same teacher, whose passes are not timed again where it has them.
    """
    token = next(iter(teacher.stop_ids))
    teachers: dict[int, list[float]] = {}
    drafting: dict[int, float] = {}
    params = SamplingParams()
    any_logits = Context(teacher.model).admit([[token]])
    draft = decide = 0.0
    for rows in sizes:
        expert = proxies.start()
        expert.admit([[[token] * PROMPT] * rows] * len(proxies.members))
        teachers[rows] = known.teacher[rows] if known and rows in known.teacher else pass_seconds(teacher, rows)
        uniforms = torch.full((rows, 3), 0.5, dtype=torch.float64, device=teacher.device)
        logits = any_logits.expand(rows, -1).contiguous()
        tokens = [[[token]] * rows] * len(proxies.members)
        outputs = [output for output in expert.read(tokens) if output is not None]
        deltas = tuple(output.delta for output in outputs if output.delta is not None)
        experts = Experts(logits, params.temperature, tuple(o.logits for o in outputs), deltas, (0,) * rows)

        def propose(experts: Experts = experts, uniforms: torch.Tensor = uniforms) -> None:
            chooser.draft(experts, params, uniforms, False)

        def choose(experts: Experts = experts, uniforms: torch.Tensor = uniforms) -> None:
            chooser.choose(experts, params, uniforms, False)

        drafting[rows] = _seconds(lambda expert=expert, tokens=tokens: expert.read(tokens))  # type: ignore[misc]
        draft, decide = _seconds(propose) / rows, _seconds(choose) / rows
    return Calibration(teacher=teachers, proxy=drafting, draft=draft, decide=decide)


@torch.inference_mode()
def pass_seconds(model: LanguageModel, rows: int, widths: Sequence[int] = WIDTHS) -> list[float]:
    """Return the seconds of passes that read 1, 2, ... tokens of each of ``rows`` rows behind a prompt.

    Args:
        model: The network.
        rows: Number of rows.
        widths: Tokens per row that are timed, ascending from 1; those between them lie on lines.
    """
    token, context = next(iter(model.stop_ids)), Context(model.model)
    context.admit([[token] * PROMPT] * rows)

    def read(width: int) -> None:
        context.read([[token] * width] * rows)
        for row in range(rows):
            context.truncate(row, PROMPT)

    timed = {width: _seconds(partial(read, width)) for width in widths}
    costs = [_between(timed, width) for width in range(1, widths[-1] + 1)]
    # Reading fewer tokens never costs more, and noise only adds time.
    return [min(costs[i:]) for i in range(len(costs))]


def _seconds(run: Callable[[], object], repetitions: int = 3) -> float:
    """Return the shortest of several times, after one run that pays for one-time setup."""
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _between(points: dict[int, float], at: int) -> float:
    known = sorted(points)
    if len(known) == 1 or at <= known[0]:
        return points[known[0]]
    above = next((n for n in known if n >= at), known[-1])
    below = known[known.index(above) - 1]
    return points[below] + (points[above] - points[below]) * (at - below) / (above - below)
