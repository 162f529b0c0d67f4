"""The precisions and the costs of passes with which a pair is timed at one batch."""

from dataclasses import dataclass
from typing import Any

from distillgame.arena.bench.cases import Case
from distillgame.arena.bench.pairs import POLICIES, Pair, ShapedPairs
from distillgame.decoding import Calibration, Engine, NetworkTiming, choose_precision, time_passes


@dataclass(frozen=True)
class Settings:
    """A pair as it is timed at one batch; plain and speculative sampling may want a teacher in different precisions.

    Attributes:
        batch: Sequences together.
        plain: The pair without speculation.
        ahead: The pair with it; the proxy is the same.
        costs: Costs of the passes of ``plain`` and of ``ahead``.
        timings: The timings by which precisions were chosen: the proxy's, the teacher's of either pair; none if given.
    """

    batch: int
    plain: Pair
    ahead: Pair
    costs: tuple[Calibration, Calibration]
    timings: dict[str, NetworkTiming]

    def of(self, case: Case) -> tuple[Pair, Calibration]:
        """Return the pair and the costs for a case."""
        return (self.ahead, self.costs[1]) if case.speculative else (self.plain, self.costs[0])

    @property
    def share(self) -> float:
        """c: the proxy's cost relative to the teacher's, one token a row."""
        return self.costs[0].proxy_seconds(self.batch) / self.costs[0].teacher_seconds(self.batch, 1)

    @property
    def passes(self) -> list[dict[str, Any]]:
        """The measured costs, a row for each precision of the teacher."""
        rows: list[dict[str, Any]] = []
        for pair, costs, sampling in (
            (self.plain, self.costs[0], "plain"), (self.ahead, self.costs[1], "speculative"),
        ):  # fmt: skip
            if sampling == "speculative" and pair.teacher is self.plain.teacher:
                rows[0]["sampling"] = "all"
                continue
            rows.append(
                {
                    "pair": pair.name,
                    "batch": self.batch,
                    "sampling": sampling,
                    "teacher_precision": _precision(pair.teacher),
                    "proxy_precision": _precision(pair.proxy),
                    "teacher_ms": [1e3 * seconds for seconds in costs.teacher[self.batch]],
                    "proxy_ms": 1e3 * costs.proxy_seconds(self.batch),
                    "c": costs.proxy_seconds(self.batch) / costs.teacher_seconds(self.batch, 1),
                }
            )
        return rows


def settings(pairs: Pair | ShapedPairs, batch: int) -> Settings:
    """Choose the precisions of a pair's networks at a batch, where there is a choice, and measure their passes."""
    if isinstance(pairs, Pair):
        costs = _costs(pairs, batch)
        return Settings(batch, pairs, pairs, (costs, costs), {})
    proxy = choose_precision(
        {p: time_passes(pairs.network(1, p), batch, False) for p in pairs.precisions}, batch
    )  # fmt: skip
    teacher = {p: time_passes(pairs.network(0, p), batch, True) for p in pairs.precisions}
    drafting = proxy.seconds[proxy.chosen][0]
    plain, ahead = choose_precision(teacher, batch), choose_precision(teacher, batch, drafting)
    found: list[Pair] = []
    measured: list[Calibration] = []
    for timing in (plain, ahead):
        known = Calibration(teacher={batch: timing.seconds[timing.chosen]}, proxy={batch: drafting})
        found.append(pairs.pair(timing.chosen, proxy.chosen))
        measured.append(
            _costs(found[-1], batch, known) if timing is plain or ahead.chosen != plain.chosen else measured[0]
        )
    timings = {"proxy": proxy, "teacher": plain, "teacher, speculative": ahead}
    return Settings(batch, found[0], found[1], (measured[0], measured[1]), timings)


def _costs(pair: Pair, batch: int, known: Calibration | None = None) -> Calibration:
    pair.requests("poe", 0)
    return Engine(pair.teacher, POLICIES["poe"], proxies={"proxy": pair.proxy}, batch_size=batch).calibrate(known, ())


def _precision(model: Any) -> str:
    return str(next(model.model.parameters()).dtype).removeprefix("torch.")
