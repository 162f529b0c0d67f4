"""The verdict on a game in plain words, computed from its rows so that it never claims more than they show."""

from dataclasses import dataclass

from distillgame.records import Difference, Results, StudentRow, TeacherRow
from distillgame.report.findings import picks
from distillgame.report.findings.words import INSIGNIFICANT, name_of, p_value, points

EQUAL_UTILITY = 0.02
"""Teachers whose accuracies differ by more are not compared without saying so."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a game.

    Attributes:
        headline: The outcome in a few words.
        sentences: The evidence for it.
        least: The defense that leaked least, if it leaked less than no defense at all.
    """

    headline: str
    sentences: list[str]
    least: TeacherRow | None


def verdict(results: Results) -> Verdict:
    """Return the defense that leaked least, its cost, and whether its lead is more than chance."""
    ranked = _ranked(results)
    undefended = next((row for row in results.teachers if row.defense == picks.UNDEFENDED), None)
    before = picks.strongest(results, undefended) if undefended else None
    sentences = []
    if undefended and before:
        sentences.append(
            f"Undefended, the teacher solves {_share(undefended)} of the problems, and the strongest student trained "
            f"on what it released solves {_share(before.row)}{_untrained(results, undefended)}."
        )
    if not ranked:
        return Verdict(_nothing_to_rank(results), sentences, None)
    least, student = ranked[0]
    name = name_of(least)
    fewer = f", {_change(student.accuracy - before.row.accuracy)}" if before else ""
    if undefended and (against := compare(results, least, undefended)):
        low, high = (f"{100 * value:+.1f}" for value in (against.interval.low, against.interval.high))
        fewer += f" ({low} to {high}; {p_value(against)}{'' if against.significant else f', {INSIGNIFICANT}'})"
    sentences.append(f"Under {name} the strongest student solves {_share(student)}{fewer}. {_price(least)}")
    found = compare(results, least, ranked[1][0]) if len(ranked) > 1 else None
    if len(ranked) > 1:
        sentences.append(_next(least, *ranked[1], found))
    sentences += _better_controls(results, student)
    sentences += _passive(results, least, student)
    sentences += _public(results, least, student)
    sentences += _facts(results, least, undefended)
    if any(not pick.chosen for row in results.teachers if (pick := picks.strongest(results, row))):
        sentences.append(
            "The strongest students were not chosen on a validation split, which overstates them a little."
        )
    if _none_protects(results, ranked, undefended):
        return Verdict("No defense was shown to leak less than no defense at all.", sentences, None)
    if found and not found.significant:
        return Verdict(f"{name} leaked least; its lead over the next is {INSIGNIFICANT}.", sentences, least)
    return Verdict(f"{name} leaked least.", sentences, least)


def compare(results: Results, first: TeacherRow, second: TeacherRow) -> Difference | None:
    """Return the first defense's leakage minus the second's to students with text only; None if not tested."""
    for row in results.comparisons:
        if row.level == "text" and (row.first, row.second) == (first.defense, second.defense):
            return row.difference
        if row.level == "text" and (row.first, row.second) == (second.defense, first.defense):
            found, interval = row.difference, row.difference.interval
            reversed_interval = interval.model_copy(update={"low": -interval.high, "high": -interval.low})
            # A ratio cannot be reversed by changing its sign, and it is not needed here.
            return found.model_copy(
                update={
                    "value": -found.value,
                    "interval": reversed_interval,
                    "relative": None,
                    "relative_interval": None,
                }
            )
    return None


def _ranked(results: Results) -> list[tuple[TeacherRow, StudentRow]]:
    rows = [row for row in results.teachers if row.defense != picks.UNDEFENDED and not picks.is_control(row)]
    found = [(row, pick.row) for row in rows if (pick := picks.strongest(results, row))]
    return sorted(found, key=lambda pair: pair[1].accuracy)


def _nothing_to_rank(results: Results) -> str:
    """Return the reason why no defense was ranked."""
    if all(row.defense == picks.UNDEFENDED or picks.is_control(row) for row in results.teachers):
        return "No defense was played."
    return "Defenses are not compared: no student that has released text only attacked one."


def _none_protects(
    results: Results, ranked: list[tuple[TeacherRow, StudentRow]], undefended: TeacherRow | None
) -> bool:
    """Return whether every defense was tested against no defense, and none leaked significantly less."""
    tests = [compare(results, teacher, undefended) for teacher, _ in ranked] if undefended else [None]
    return all(test is not None and not (test.significant and test.value < 0) for test in tests)


def _price(teacher: TeacherRow) -> str:
    lost = teacher.over_standard
    text = f"Its price: the teacher solves {_share(teacher)}"
    if lost:
        text += f", {_change(lost.value)}" + ("" if lost.significant else f" ({INSIGNIFICANT})")
    if teacher.time_cost is not None:
        times = f"{teacher.time_cost:.2g} times as long" if abs(teacher.time_cost - 1) >= 0.05 else "no longer"
        text += f", and a token takes {times} to sample"
    if teacher.written_tokens is not None:
        text += f"; another {teacher.written_tokens:.0f} tokens are written per trace to put it into its form"
    return text + "."


def _next(least: TeacherRow, second: TeacherRow, student: StudentRow, found: Difference | None) -> str:
    text = f"Next is {name_of(second)}, whose strongest student solves {_share(student)} (teacher {_share(second)}): "
    if found is None:
        text += "whether that differs by more than chance was not tested."
    elif found.significant:
        text += f"the difference of {abs(100 * found.value):.1f} points is significant ({p_value(found)})."
    else:
        text += f"the difference of {abs(100 * found.value):.1f} points is {INSIGNIFICANT} ({p_value(found)})."
    apart = abs(least.accuracy - second.accuracy)
    if apart > EQUAL_UTILITY:
        text += f" But their teachers are {100 * apart:.1f} points apart, so the two are not compared at equal utility."
    return text


def _better_controls(results: Results, student: StudentRow) -> list[str]:
    found = [
        (row, pick.row) for row in results.teachers if picks.is_control(row) and (pick := picks.strongest(results, row))
    ]
    return [
        f"The control {name_of(teacher)} leaked no more ({_share(other)}; a control may meet fewer students), and it "
        "does not know what to hide."
        for teacher, other in found
        if other.accuracy <= student.accuracy
    ]


def _untrained(results: Results, teacher: TeacherRow) -> str:
    row = picks.control(results, teacher, "untrained")
    return f" (before any training: {_share(row)})" if row else ""


def _passive(results: Results, teacher: TeacherRow, student: StudentRow) -> list[str]:
    passive, gain = picks.passive(results, teacher), student.over_passive
    if passive is None or gain is None:
        return []
    if gain.significant and gain.value > 0:
        return [
            f"A passive student, which weighs all traces equally, solves {_share(passive)}: judged by it alone, "
            f"{name_of(teacher)} would look {100 * gain.value:.1f} points better than it is."
        ]
    if gain.significant:
        return [f"The strongest student is worse there than one that weighs all traces equally ({points(gain)})."]
    return [f"Choosing what to learn was not shown to gain anything there ({points(gain)})."]


def _public(results: Results, teacher: TeacherRow, student: StudentRow) -> list[str]:
    reference = picks.control(results, teacher, "reference")
    learnt = student.over_untrained is None or student.over_untrained.value > 0
    if reference is None or reference.interval.high < student.accuracy or not learnt:
        return []
    return [
        f"A student that never saw the teacher and trained on public solutions alone solves {_share(reference)}: what "
        "leaked here may be no secret."
    ]


def _facts(results: Results, teacher: TeacherRow, undefended: TeacherRow | None) -> list[str]:
    """Return the leakage in private facts: a student that cannot use what it knows has learnt it all the same."""
    released, most = picks.released(results, teacher), picks.most_facts(results, teacher)
    if released is None or most is None:
        return []
    before = picks.most_facts(results, undefended) if undefended else None
    compared = "" if before is None else f" (undefended: {before:.0f})"
    return [
        f"Of {released.facts} private facts, {released.derivable.mean:.0f} follow from what {name_of(teacher)} "
        f"released; asked one by one, the student that learnt most gives {most:.0f} rightly{compared}."
    ]


def _share(row: TeacherRow | StudentRow) -> str:
    return f"{100 * row.accuracy:.1f}%"


def _change(value: float) -> str:
    points_ = f"{abs(100 * value):.1f} points"
    return "as many" if points_ == "0.0 points" else f"{points_} {'fewer' if value < 0 else 'more'}"
