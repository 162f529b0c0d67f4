"""Is anticipating the student worth it? All defenses at one teacher accuracy and at one KL, in the embedded world.

Run ``python benchmarks/comparison.py FOLDER``: it takes about an hour on two cores, and continues if interrupted.
Strengths, the equilibrium's eta and the student's eta are chosen on the halves of the validation split: strengths are
searched on the first half and verified on the second, and students are chosen on the second at the first goal. The test
split is read only to report what was chosen. Writes ``comparison.json``, ``comparison.md`` and a figure.
"""

import json
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from distillgame.arena import load_config
from distillgame.arena.calibrate import AccuracyLoss, Budget, Calibrated, KLBudget, calibrate_policy
from distillgame.arena.config import GameConfig
from distillgame.arena.plan import STANDARD, DefenseTarget, PlannedStudent, PlannedTeacher, Planner
from distillgame.arena.results import ScoreReader, student_rows, teacher_row
from distillgame.arena.run import Run
from distillgame.arena.store import write_text
from distillgame.models import quiet
from distillgame.policies import Defense, PolicyChoice
from distillgame.stats import standard_error
from distillgame.students import StudentChoice

CHANGES = {"splits.validation": 2000, "proxies": {"olmo2": "embedded:proxy-olmo2"}}
AT = (0.82, 0.83)
"""Teacher accuracies on the test split at which the frontiers are read off."""

GOALS: tuple[Budget, ...] = (AccuracyLoss(0.83), KLBudget(3.0))
PILOT = FRESH = 2000
INTRODUCTION = """# Is anticipating the student worth it?

`python benchmarks/comparison.py FOLDER` in the embedded world, on the test split, in percent ± standard error over
problems and seeds. KL is in nats per trace. *Strongest* is the student that did best on validation, *adaptive* the best
adaptive one (eta 4, 8 or 16) there; the last column is paired by problem and seed. The conclusions are in
[lab.md](lab.md). [The suite](world.md#the-suite) has stronger students than these.
"""
BOTH = {"proxies": ["proxy", "olmo2"]}
FAMILIES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "temperature": ("temperature", [{}]),
    "permutation": ("permutation", [{}]),
    "PoE": ("poe", [{}]),
    "ADS": ("ads", [{}]),
    "PoE, two proxies": ("poe", [BOTH]),
    "equilibrium (gap)": ("equilibrium_gap", [{"eta": eta} for eta in (0.1, 0.3, 1.0)]),
    "equilibrium (grad)": ("equilibrium_grad", [{"eta": eta} for eta in (0.05, 0.15, 0.5)]),
}
PASSIVE = StudentChoice(name="passive")
STUDENTS = [PASSIVE, *(StudentChoice(name="adaptive", options={"eta": eta}) for eta in (4.0, 8.0, 16.0))]


def main(folder: str) -> None:
    quiet()
    out = Path(folder)
    config = load_config("leg_counting", overrides=CHANGES)
    families, chosen, rows = FAMILIES, None, []
    for goal in GOALS:
        found = {name: candidates(config, *family, goal, out) for name, family in families.items()}
        with Run(out, config) as run:
            chosen = chosen or choose(config, found, run)
            rows += report(config, found, chosen, goal, run)
        if families is FAMILIES:  # What was chosen at the first goal is kept at the others.
            families = {name: (family[0], [family[1][chosen[name].variant]]) for name, family in FAMILIES.items()}
            chosen = {name: replace(choice, variant=0) for name, choice in chosen.items()}
        result = {"command": "python benchmarks/comparison.py FOLDER", "seeds": config.seeds, "rows": rows}
        write_text(out / "comparison.json", json.dumps(result, indent=1) + "\n")
        write_text(out / "comparison.md", page(rows))
        draw(rows, out / "comparison.png")


@dataclass(frozen=True)
class Chosen:
    """The choice within a family, made on the validation split.

    Attributes:
        variant: The index of its variant.
        strongest: The student that learnt the most from it.
        adaptive: The adaptive student that learnt the most from it.
        validation: The accuracies of every variant's students.
    """

    variant: int
    strongest: StudentChoice
    adaptive: StudentChoice
    validation: dict[str, dict[str, float]]


def candidates(
    config: GameConfig, policy: str, variants: list[dict[str, Any]], goal: Budget, out: Path
) -> list[Calibrated]:
    """Calibrate a family's variants, each to the strength that meets the goal."""
    found = []
    for options in variants:
        choice = PolicyChoice(name=policy, options=options)
        print(f"{choice.label} at {goal.label}", file=sys.stderr)
        calibrated = calibrate_policy(
            config, choice, goal, out, PILOT, FRESH, report=lambda t: print(t, file=sys.stderr)
        )
        print(goal.describe(calibrated.fresh), file=sys.stderr)
        found.append(calibrated)
    return found


def choose(config: GameConfig, found: dict[str, list[Calibrated]], run: Run) -> dict[str, Chosen]:
    """Choose, on validation with the first seed, the variants that taught least, and their strongest students."""
    planner, half = Planner(config), config.splits["validation"] // 2
    groups = {"standard": [STANDARD.without_form]} | {name: [c.choice for c in group] for name, group in found.items()}
    stages = {}
    for choice in (choice for group in groups.values() for choice in group):
        for student in STUDENTS:
            stage = planner.evaluate(target_of(choice), student, "validation", config.seeds[0])
            part = stage.problems.part(half, 2 * half)
            stages[choice.label, student.label] = stage.model_copy(update={"problems": part})
    run.compute(list(stages.values()))
    reader = ScoreReader(run.store)
    accuracy = {key: float(reader.read([stage]).correct.mean()) for key, stage in stages.items()}
    result = {}
    for name, group in groups.items():
        tried = {choice.label: {s.label: accuracy[choice.label, s.label] for s in STUDENTS} for choice in group}
        best = min(range(len(group)), key=lambda k: max(tried[group[k].label].values()))
        students = tried[group[best].label]
        strongest, adaptive = (max(some, key=lambda s: students[s.label]) for some in (STUDENTS, STUDENTS[1:]))
        result[name] = Chosen(best, strongest, adaptive, tried)
    return result


def report(
    config: GameConfig, found: dict[str, list[Calibrated]], chosen: dict[str, Chosen], goal: Budget, run: Run
) -> list[dict[str, Any]]:
    """Measure on the test split what was chosen."""
    planner = Planner(config)
    policies = {"standard": STANDARD.without_form}
    policies |= {name: group[chosen[name].variant].choice for name, group in found.items()}
    teachers = {name: plan_teacher(planner, choice) for name, choice in policies.items()}
    students = {
        name: [plan_student(planner, choice, s) for s in (PASSIVE, chosen[name].adaptive, chosen[name].strongest)]
        for name, choice in policies.items()
    }
    run.compute([stage for teacher in teachers.values() for stage in teacher.releases])
    run.compute([stage for group in students.values() for student in group for stage in student.evaluations])
    reader = ScoreReader(run.store)
    baseline = reader.read(students["PoE"][-1].evaluations).correct
    rows = []
    for name, choice in policies.items():
        scores = reader.read(students[name][-1].evaluations)
        passive, adaptive = student_rows(students[name][:2], config, run.store, reader)
        gap = scores.correct - baseline
        row = {
            "goal": goal.label,
            "family": name,
            "policy": choice.model_dump(),
            "fresh": None if name == "standard" else _fresh(found[name], choice),
            "validation": chosen[name].validation,
            "teacher": teacher_row(teachers[name], config.seeds, run.store, {}).model_dump(),
            "passive": passive.model_dump(),
            "adaptive": adaptive.model_dump(),
            "strongest": {"student": chosen[name].strongest.label, **_plain(scores.summary(config.seeds))},
            "over_poe": {"value": float(gap.mean()), "standard_error": standard_error(gap)},
        }
        rows.append(row)
    return rows


def target_of(choice: PolicyChoice) -> DefenseTarget:
    return DefenseTarget.of(Defense(name=choice.name, options=choice.options))


def plan_teacher(planner: Planner, choice: PolicyChoice) -> PlannedTeacher:
    defense = target_of(choice).defense
    return PlannedTeacher(defense, tuple(planner.release(defense, "test", s) for s in planner.config.seeds), None)


def plan_student(planner: Planner, choice: PolicyChoice, student: StudentChoice) -> PlannedStudent:
    seeds, target = tuple(planner.config.seeds), target_of(choice)
    evaluations = tuple(planner.evaluate(target, student, "test", seed) for seed in seeds)
    return PlannedStudent(target, student, seeds, planner.config.splits["train"], False, "text", evaluations)


def _plain(summary: dict[str, Any]) -> dict[str, Any]:
    return summary | {"interval": summary["interval"].model_dump()}


def _fresh(group: list[Calibrated], choice: PolicyChoice) -> dict[str, Any]:
    return next(vars(c.fresh) | {"met": c.met} for c in group if c.choice == choice)


def page(rows: list[dict[str, Any]]) -> str:
    """Return the whole report as Markdown."""
    return "\n".join([INTRODUCTION, render(rows), render_interpolated(rows), "![frontiers](comparison.png)", ""])


def render(rows: list[dict[str, Any]]) -> str:
    """Return one table per goal."""
    lines = []
    for goal in dict.fromkeys(row["goal"] for row in rows):
        lines += [
            f"At {goal}:",
            "",
            "| defense | strength | teacher | KL | passive | adaptive | strongest | strongest, over PoE |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for row in (row for row in rows if row["goal"] == goal):
            strength = ", ".join(f"{key} {value:g}" for key, value in row["teacher"]["strength"].items())
            teacher, gap = row["teacher"], row["over_poe"]
            kl = f"{teacher['kl_per_trace']:.2f} ± {teacher['kl_standard_error']:.2f}"
            cells = [_percent(row[key]) for key in ("passive", "adaptive", "strongest")]
            name = row["strongest"]["student"].partition(" ")[0]
            difference = (
                "" if row["family"] == "PoE" else f"{100 * gap['value']:+.1f} ± {100 * gap['standard_error']:.1f}"
            )
            shown = [row["family"], strength, _percent(teacher), kl, *cells[:2], f"{cells[2]} ({name})", difference]
            lines.append(f"| {' | '.join(shown)} |")
        lines.append("")
    return "\n".join(lines)


def frontier(rows: list[dict[str, Any]], family: str) -> list[tuple[float, float, float, float]]:
    """Return a family's points by teacher accuracy: that and its error, the strongest student's and its error."""
    points = {
        (row["teacher"]["accuracy"], row["teacher"]["standard_error"], *_accuracy(row["strongest"]))
        for row in rows
        if row["family"] in (family, "standard")
    }
    return sorted(points)


def render_interpolated(rows: list[dict[str, Any]]) -> str:
    """Return a table of strongest students at equal teacher accuracies, interpolated between the strengths played."""
    lines = [
        "Strongest student at a teacher accuracy, interpolated along each frontier:",
        "",
        "| defense | " + " | ".join(f"{100 * at:.0f}%" for at in AT) + " |",
        "| --- |" + " ---: |" * len(AT),
    ]
    for family in FAMILIES:
        cells = [_interpolated(frontier(rows, family), at) for at in AT]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _interpolated(points: list[tuple[float, float, float, float]], at: float) -> str:
    for (low, _, weak, weak_error), (high, _, strong, strong_error) in pairwise(points):
        if low <= at <= high:
            share = (at - low) / (high - low)
            error = ((1 - share) ** 2 * weak_error**2 + share**2 * strong_error**2) ** 0.5
            return f"{100 * ((1 - share) * weak + share * strong):.1f} ± {100 * error:.1f}"
    return "–"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw teacher accuracy against the strongest student's."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    for i, family in enumerate(FAMILIES):
        x, x_error, y, y_error = zip(*frontier(rows, family), strict=True)
        axes.errorbar(x, y, xerr=x_error, yerr=y_error, marker="o", color=f"C{i}", capsize=2, label=family)
    axes.set_xlabel("teacher accuracy (utility)")
    axes.set_ylabel("strongest student's accuracy (leakage)")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130, format="png")


def _accuracy(row: dict[str, Any]) -> tuple[float, float]:
    return row["accuracy"], row["standard_error"]


def _percent(row: dict[str, Any]) -> str:
    return f"{100 * row['accuracy']:.1f} ± {100 * row['standard_error']:.1f}"


if __name__ == "__main__":
    main(sys.argv[1])
