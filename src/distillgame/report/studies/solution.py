"""A solved game, as text and as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distillgame.errors import DistillgameError

if TYPE_CHECKING:
    from distillgame.game import Game, Solution

SHOWN = 8
"""The largest number of contexts, and of outputs per context, that is printed or drawn."""


def render_solution(solution: "Solution") -> str:
    """Return both best responses, the equilibrium and its certificate as Markdown."""
    game, found = solution.game, solution.equilibrium
    certificate = found.certificate
    lines = [
        f"{len(game.contexts.lengths)} contexts, epsilon {game.epsilon:g} nats, rho {game.rho:g} nats. V is what the",
        "best responding student makes of a teacher: lower is better for the teacher.",
        "",
        "| teacher | tilt | V |",
        "| --- | --- | ---: |",
        f"| reference | none (the student's eta {_number(solution.student.dual)}) | {solution.student.value:.6g} |",
        f"| one-sided | lambda {_number(solution.teacher.dual)} | {solution.teacher_value:.6g} |",
        f"| equilibrium | kappa {_number(found.kappa)}, eta {_number(found.eta)} | {found.value:.6g} |",
        "",
        *_mass(solution),
        "",
        f"Certificate: {certificate.agreeing} of {certificate.starts} starts ended at this value; inner duality gap",
        f"{certificate.inner_gap:.1e}, KKT residual {_number(certificate.kkt_residual)}; spent epsilon "
        f"{certificate.epsilon_spent:.4g} ({_active(certificate.epsilon_active)}),",
        f"rho {certificate.rho_spent:.4g} ({_active(certificate.rho_active)}). {_reach(solution)}",
    ]
    return "\n".join(lines) + "\n"


def draw_solution(solution: "Solution", path: Path) -> None:
    """Draw V over both budgets and the probability mass of the three teachers, as PNG."""
    from matplotlib.figure import Figure

    game = solution.game
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_values(left, game)
    _draw_mass(right, solution)
    try:
        figure.savefig(path, dpi=130, format="png")
    except OSError as error:
        raise DistillgameError(f"{path}: cannot be written to ({error.strerror}); choose another file") from error


def _draw_values(axes: Any, game: "Game") -> None:
    from distillgame.game import largest_epsilon, value_grid

    most = max(min(game.epsilon, largest_epsilon(game.contexts)), 0.05)
    epsilons = np.linspace(0, 2 * most, 13)
    is_usual = 0 < game.rho < np.inf
    rhos = np.array([game.rho / 4, game.rho, 4 * game.rho] if is_usual else [0.0, 0.05, 0.2])
    grid = value_grid(game, epsilons, rhos)
    for j, rho in enumerate(rhos):
        axes.plot(epsilons, grid["teacher"][:, j], "--", color=f"C{j}")
        axes.plot(epsilons, grid["equilibrium"][:, j], "-", color=f"C{j}", label=f"rho {rho:g}")
    axes.plot([], [], "--", color="grey", label="one-sided teacher")
    axes.plot([], [], "-", color="grey", label="equilibrium")
    axes.axvline(game.epsilon, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("epsilon, the teacher's budget (nats)")
    axes.set_ylabel("V against the best responding student")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


def _draw_mass(axes: Any, solution: "Solution") -> None:
    contexts = solution.game.contexts
    order = [(i, j) for i in range(len(contexts.lengths)) for j in range(contexts.lengths[i])][: 3 * SHOWN]
    order.sort(key=lambda place: (place[0], -contexts.v[place]))
    places = np.arange(len(order), dtype=float) + [0.6 * i for i, _ in order]
    teachers = _teachers(solution)
    for k, (name, pi) in enumerate(teachers.items()):
        axes.bar(places + 0.25 * (k - 1.5), [pi[place] for place in order], 0.25, label=name, color=f"C{k}")
    axes.set_xticks(places, [f"{contexts.v[place]:.2g}" for place in order], fontsize=8)
    axes.set_xlabel("value of each output, by context")
    axes.set_ylabel("probability")
    axes.legend(fontsize=8)


def _teachers(solution: "Solution") -> dict[str, Any]:
    found = solution.equilibrium
    return {
        "reference": solution.game.contexts.pi,
        "one-sided": solution.teacher.pi,
        "equilibrium": found.pi_rel,
        "student, adapted": found.pi_eff,
    }


def _mass(solution: "Solution") -> list[str]:
    contexts = solution.game.contexts
    lines = [
        "| context | value | reference | one-sided | equilibrium | student, adapted |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for i, length in enumerate(contexts.lengths[:SHOWN]):
        for j in sorted(range(length), key=lambda j: -contexts.v[i, j])[:SHOWN]:
            shares = " | ".join(f"{pi[i, j]:.4f}" for pi in _teachers(solution).values())
            lines.append(f"| {i} | {contexts.v[i, j]:.4g} | {shares} |")
    left_out = sum(contexts.lengths) - (len(lines) - 2)
    return [*lines, *([f"({left_out} further outputs are in --json)"] if left_out else [])]


def _reach(solution: "Solution") -> str:
    certificate = solution.equilibrium.certificate
    if certificate.lower_bound is None:
        return "The game is too large for a lower bound: a better teacher may exist."
    if certificate.is_global:
        return f"No teacher within its budget is below {certificate.lower_bound:.6g}: global."
    return f"No teacher within its budget is below {certificate.lower_bound:.6g}; one between there and V may exist."


def _active(active: bool) -> str:
    return "active" if active else "not active"


def _number(x: float) -> str:
    return f"{x:.4g}" if np.isfinite(x) else "infinite" if np.isinf(x) else "undefined"
