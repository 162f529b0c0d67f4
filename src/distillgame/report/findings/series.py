"""The points of a frontier: a series per defense, or per policy that was played at several strengths."""

from dataclasses import dataclass

from distillgame.records import Results, StudentRow, TeacherRow
from distillgame.report.findings import picks
from distillgame.report.findings.words import name_of
from distillgame.stats import area_between


@dataclass(frozen=True)
class Place:
    """A defense at one strength, with its passive and its strongest student."""

    teacher: TeacherRow
    passive: StudentRow | None
    strongest: StudentRow | None


@dataclass(frozen=True)
class Series:
    """A policy at one or several strengths, in ascending order.

    Attributes:
        name: The policy's name; with the strength if there is only one.
        control: Whether it is a control.
        places: Its points.
    """

    name: str
    control: bool
    places: list[Place]


def series_of(results: Results) -> list[Series]:
    """Return all series, in the order of the table."""
    families: dict[str, list[TeacherRow]] = {}
    for teacher in results.teachers:
        families.setdefault(name_of(teacher.model_copy(update={"strength": {}})), []).append(teacher)
    found = []
    for family, teachers in families.items():
        ordered = sorted(teachers, key=lambda row: tuple(row.strength.values()))
        name = family if len(ordered) > 1 else name_of(ordered[0])
        found.append(Series(name, picks.is_control(ordered[0]), [_place(results, row) for row in ordered]))
    return found


def areas(results: Results) -> dict[str, float]:
    """Return the area between the passive and the strongest student's curve of each policy with several strengths."""
    found = {}
    for series in series_of(results):
        curves = [
            [(place.teacher.accuracy, row.accuracy) for place in series.places if (row := getattr(place, kind))]
            for kind in ("passive", "strongest")
        ]
        if (area := area_between(*curves)) is not None:
            found[series.name] = area
    return found


def _place(results: Results, teacher: TeacherRow) -> Place:
    pick = picks.strongest(results, teacher)
    return Place(teacher, picks.passive(results, teacher), pick.row if pick else None)
