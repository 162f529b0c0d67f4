"""Raise the flags of a game's rows: suspicions that a reader must know of (their meanings are in docs/flags.md)."""

from collections.abc import Iterator, Sequence

from distillgame.arena.config import GameConfig
from distillgame.arena.results.judge_flags import judge_flags
from distillgame.records import FlagRow, Results, StudentRow, TeacherRow
from distillgame.students import CUSTOM

COLLAPSED = 0.1
"""Mean effective sample size of a training step, as a share of its traces, below which weights count as collapsed."""

POWER = 2.8
"""Standard errors that a difference has to be for a test at 5% to find it in 80% of repetitions."""

WORTH_CLAIMING = 0.01
"""Differences smaller than this are not worth a flag."""

SAME = 1e-9
"""Largest difference between eta = 0 and the passive student with the same seed that counts as none."""


def raise_flags(results: Results, config: GameConfig) -> list[FlagRow]:
    """All flags of a game, its own first, then by defense."""
    flags = [*_of_game(results, config), *judge_flags(results, config)]
    for teacher in results.teachers:
        flags += _budgets(teacher, config)
    for defense in dict.fromkeys(row.defense for row in results.students):
        flags += _of(results, defense)
    distinct = {(flag.flag, flag.defense, flag.student, flag.queries, flag.message): flag for flag in flags}
    if len({row.threat_model.queries for row in results.students} - {0}) < 2:
        return list(distinct.values())
    return [_at_its_queries(flag) for flag in distinct.values()]


def _of_game(results: Results, config: GameConfig) -> Iterator[FlagRow]:
    for name in config.all_proxies:
        if results.hashes.get(name) == results.hashes.get("student"):
            yield _flag("proxy_is_student", None, None, f"the proxy '{name}' has the very files of the student")
    for pair in results.comparisons:
        gap = pair.difference
        reach = POWER * gap.standard_error
        if not gap.significant and WORTH_CLAIMING <= abs(gap.value) < reach:
            yield _flag(
                "too_few_problems", None, None,
                f"{pair.first} and {pair.second} differ by {_points(gap.value)} ({pair.level}); this many problems and "
                f"seeds could detect only {_points(reach).lstrip('+')} or more",
            )  # fmt: skip
    attackers = [row for row in results.students if not row.control]
    if results.suite is not None and any(row.suite == CUSTOM for row in attackers):
        strange = sorted({row.label for row in attackers if row.suite == CUSTOM})
        yield _flag("custom_suite", None, None, f"{', '.join(strange)}: not as frozen in {results.suite}")


def _of(results: Results, defense: str) -> Iterator[FlagRow]:
    for queries in sorted({row.threat_model.queries for row in results.of(defense)} - {0}, reverse=True):
        here = results.of(defense, queries)
        yield from _students(here)
        yield from _strongest(here)
        yield from _finish(here, results.of("standard", queries))


def _budgets(teacher: TeacherRow, config: GameConfig) -> Iterator[FlagRow]:
    budgets = config.budgets
    if teacher.policy == "standard":
        return
    wanted = budgets.teacher_accuracy
    if wanted is not None and not teacher.interval.low <= wanted <= teacher.interval.high:
        message = f"the teacher keeps {_percent(teacher.accuracy)}, where {_percent(wanted)} was meant"
        yield _flag("budget_missed", teacher.defense, None, message)
    spent, error = teacher.kl_per_trace, teacher.kl_standard_error
    meant = budgets.kl_per_trace
    if meant is None or spent is None or error is None:
        return
    if abs(spent - meant) > 2 * error + 0.01 * meant:
        message = f"{spent:.3g} nats per trace are spent, where {meant:.3g} were meant"
        yield _flag("budget_missed", teacher.defense, None, message)


def _students(rows: Sequence[StudentRow]) -> Iterator[FlagRow]:
    for row in rows:
        gap = row.over_passive
        if row.student == "adaptive" and gap is not None and gap.significant and gap.value < 0:
            yield _flag("adaptive_weaker", row.defense, row, f"{_points(gap.value)} against the passive student")
        if row.student == "eta_zero" and gap is not None and abs(gap.value) > SAME:
            yield _flag("eta_zero_differs", row.defense, row, f"{_points(gap.value)} against the passive student")
        gains = gap is not None and gap.significant and gap.value > 0
        if row.student == "shuffled" and gains and gap is not None:
            yield _flag("weighing_helps_unmeant", row.defense, row, f"{_points(gap.value)} over the passive student")
        over = row.over_untrained
        if over is not None and over.significant and over.value < 0:
            yield _flag("loses_to_untrained", row.defense, row, f"{_points(over.value)} against the untrained student")
        if row.effective_share is not None and row.effective_share < COLLAPSED:
            message = f"a training step's effective sample size is {_percent(row.effective_share)} of its traces"
            yield _flag("weights_collapsed", row.defense, row, message)


def _strongest(rows: Sequence[StudentRow]) -> Iterator[FlagRow]:
    reference = next((row for row in rows if row.student == "reference"), None)
    etas = [float(row.settings["eta"]) for row in rows if row.student == "adaptive"]
    for row in rows:
        if not row.strongest:
            continue
        if row.student == "adaptive" and row.settings["eta"] == max(etas) and len(etas) > 1:
            yield _flag("edge_of_suite", row.defense, row, f"eta {max(etas):g} is the largest that was tried")
        if reference is not None and row.threat_model.level == "text" and reference.interval.high >= row.accuracy:
            yield _flag(
                "references_suffice", row.defense, row,
                f"{_percent(row.accuracy)} against {_percent(reference.accuracy)} from public solutions alone",
            )  # fmt: skip


def _finish(rows: Sequence[StudentRow], undefended: Sequence[StudentRow]) -> Iterator[FlagRow]:
    """A student that learnt less than from the undefended teacher only because it does not come to an end."""
    others = {row.label: row for row in undefended}
    for row in rows:
        other = others.get(row.label)
        if other is None or other is row or row.control:
            continue
        drop = other.accuracy - row.accuracy
        if other.accuracy_if_finished is None:
            continue
        # Where nothing comes to an end there is nothing to say that it would have been worse.
        ours = other.accuracy_if_finished if row.accuracy_if_finished is None else row.accuracy_if_finished
        among_finished = other.accuracy_if_finished - ours
        error = (row.standard_error**2 + other.standard_error**2) ** 0.5
        if drop > 2 * error and row.finish_rate < other.finish_rate and among_finished < drop / 2:
            yield _flag(
                "finish_rate", row.defense, row,
                f"{_points(-drop)} against the undefended teacher's student, but {_points(-among_finished)} among "
                f"finished answers ({_percent(row.finish_rate)} finish)",
            )  # fmt: skip


def _flag(name: str, defense: str | None, row: StudentRow | None, message: str) -> FlagRow:
    return FlagRow(
        flag=name,
        defense=defense,
        student=None if row is None else row.label,
        queries=None if row is None else row.threat_model.queries,
        message=f"{message[0].upper()}{message[1:]}.",
    )


def _at_its_queries(flag: FlagRow) -> FlagRow:
    """The same, saying at how many queries, where a game has several numbers of them."""
    if not flag.queries:
        return flag
    return flag.model_copy(update={"message": f"{flag.message.removesuffix('.')} (at {flag.queries:,} queries)."})


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
