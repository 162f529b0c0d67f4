"""``distillgame solve``."""

import json
from pathlib import Path

import click

from distillgame.errors import DistillgameError


@click.command()
@click.argument("game", required=False)
@click.option("--traces", type=click.Path(path_type=Path), help="Build the game from standard traces (Parquet).")
@click.option("--epsilon", type=float, help="The teacher's budget in nats; replaces the file's.")
@click.option("--rho", type=float, help="The student's budget in nats; replaces the file's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw V over the budgets and the teachers, as PNG.")
def solve(
    game: str | None, traces: Path | None, epsilon: float | None, rho: float | None, as_json: bool, plot: Path | None
) -> None:
    """Solve a GAME: both best responses, the equilibrium, and a certificate.

    GAME is a JSON or CSV file, or the name of a shipped example, such as two_problems.
    """
    from distillgame.game import read_game
    from distillgame.game import solve as run

    if (game is None) == (traces is None):
        raise DistillgameError("give either a GAME or --traces, and not both")
    if traces is not None:
        from distillgame.arena.solve import empirical_game

        if epsilon is None or rho is None:
            raise DistillgameError("--traces needs --epsilon and --rho")
        chosen = empirical_game(traces, epsilon, rho)
    else:
        assert game is not None
        chosen = read_game(game, epsilon, rho)
    solution = run(chosen)
    if plot is not None:
        from distillgame.report import draw_solution

        draw_solution(solution, plot)
    if as_json:
        click.echo(json.dumps(solution.as_json(), allow_nan=False))
    else:
        from distillgame.report import render_solution

        click.echo(render_solution(solution), nl=False)
