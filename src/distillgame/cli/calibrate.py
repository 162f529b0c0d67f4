"""``distillgame calibrate``."""

from pathlib import Path
from typing import Any, Literal

import click

from distillgame.cli.options import assignments, config_argument, overrides_option, quick_option


@click.command()
@config_argument
@click.option("--policy", required=True, help="Release policy.")
@click.option(
    "--strength", "-p", multiple=True, metavar="NAME=VALUE",
    help="The policy's other parameters, as in eta=0.5 or proxies=[proxy, large].",
)  # fmt: skip
@click.option("--epsilon", type=float, help="Meet this expected KL, in nats.")
@click.option("--unit", type=click.Choice(["trace", "token"]), help="What epsilon is for [default: trace].")
@click.option("--teacher-accuracy", type=float, help="Or leave this accuracy, between 0 and 1.")
@click.option("--rho", type=float, help="Or find the eta at which an adaptive student of the policy spends this KL.")
@click.option("--pilot", type=click.IntRange(2), help="Traces to search on [default: 500].")
@click.option("--fresh", type=click.IntRange(2), help="Traces to verify with [default: 2000].")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME].")
@quick_option
@overrides_option
def calibrate(
    config: str | None,
    policy: str,
    strength: tuple[str, ...],
    epsilon: float | None,
    unit: Literal["trace", "token"] | None,
    teacher_accuracy: float | None,
    rho: float | None,
    pilot: int | None,
    fresh: int | None,
    out: Path | None,
    quick: bool,
    overrides: dict[str, Any],
) -> None:
    """Find the strength at which a policy meets a budget, and verify it on fresh samples.

    Nothing of the test split is looked at. An interrupted search goes on where it was.
    """
    from distillgame.arena import load_config
    from distillgame.arena.config import default_folder

    if sum(goal is not None for goal in (epsilon, teacher_accuracy, rho)) != 1:
        raise click.UsageError("give one of --epsilon, --teacher-accuracy and --rho")
    if unit is not None and epsilon is None:
        raise click.UsageError("--unit goes with --epsilon")
    if rho is not None and (pilot or fresh):
        raise click.UsageError("--pilot and --fresh do not go with --rho, whose trials are whole trainings")
    from distillgame.arena.calibrate import AccuracyLoss, Budget, KLBudget, as_yaml, calibrate_policy, calibrate_student
    from distillgame.policies import PolicyChoice

    choice = PolicyChoice(name=policy, options=assignments(strength, "NAME=VALUE"))
    game = load_config(config, quick=quick, overrides=overrides)
    folder = out or default_folder(config, quick)

    def report(text: str) -> None:
        click.echo(text, err=True)

    if rho is not None:
        student = calibrate_student(game, choice, rho, folder, report=report)
        others = ", ".join(f"{value:.4g}" for value in student.fresh) or "none"
        click.echo(f"{as_yaml(student.choice)}\nrho {student.pilot:.4g} nats; with other seeds: {others}")
        return
    meets_kl = epsilon is not None
    budget: Budget = KLBudget(epsilon or 0.0, unit or "trace") if meets_kl else AccuracyLoss(teacher_accuracy or 0.0)
    found = calibrate_policy(game, choice, budget, folder, pilot or 500, fresh or 2000, report=report)
    verdict = "within" if found.met else "NOT within"
    click.echo(
        f"{as_yaml(found.choice)}\npilot: {budget.describe(found.pilot)}\nfresh: {budget.describe(found.fresh)}\n"
        f"the budget is {verdict} the fresh samples' interval"
    )
