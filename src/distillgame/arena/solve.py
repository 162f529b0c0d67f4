"""Empirical games: the outputs of a prompt are its standard traces, with their measured values."""

from pathlib import Path

from distillgame.errors import DistillgameError
from distillgame.game import Game, make_game
from distillgame.records import read_traces

LEAST = 4
"""Traces of a prompt below which there is no distribution to speak of."""


def empirical_game(path: Path, epsilon: float, rho: float) -> Game:
    """Build a game from traces of the undefended teacher: pi_ref is uniform over a prompt's traces, v their v_gap.

    Probabilities of whole traces are never compared with each other: samples stand for their own frequency.

    Args:
        path: A trace file; traces of policies other than ``standard`` are left out.
        epsilon: The teacher's budget in nats per trace.
        rho: The student's budget in nats per trace.

    Raises:
        DistillgameError: If there are no standard traces, fewer than :data:`LEAST` of a prompt, or no measured values.
    """
    prompts: dict[str, list[float]] = {}
    for trace in read_traces(path):
        if trace.policy != "standard":
            continue
        if trace.v_gap is None:
            raise DistillgameError(f"{path}: v_gap was not measured for '{trace.problem_id}'; sample with a proxy")
        prompts.setdefault(trace.problem_id, []).append(trace.v_gap)
    if not prompts:
        raise DistillgameError(f"{path}: holds no traces of the policy 'standard'")
    few = min(prompts, key=lambda problem: len(prompts[problem]))
    if len(prompts[few]) < LEAST:
        found = len(prompts[few])
        raise DistillgameError(f"{path}: needs {LEAST} standard traces of every prompt (found {found} of '{few}')")
    pi_ref = [[1 / len(values)] * len(values) for values in prompts.values()]
    return make_game({"pi_ref": pi_ref, "v": list(prompts.values()), "epsilon": epsilon, "rho": rho})
