"""The points of a frontier: one series a defense, or a family of one policy at several strengths."""

from dataclasses import dataclass

from distillgame.records import Results, StudentRow, TeacherRow
from distillgame.report import picks
from distillgame.report.words import name_of
from distillgame.stats import area_between


@dataclass(frozen=True)
class Place:
    """A defense at one strength, with its passive and its strongest student."""

    teacher: TeacherRow
    passive: StudentRow | None
    strongest: StudentRow | None


@dataclass(frozen=True)
class Series:
    """A policy at one or several strengths, by rising strength.

    Attributes:
        name: With the strength where there is one only.
        control: Whether it is a control.
        places: Its points.
    """

    name: str
    control: bool
    places: list[Place]


def series_of(results: Results) -> list[Series]:
    """All series, in the order of the table."""
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
    """Area between the passive and the strongest student's curve, by policy, where a policy has several strengths."""
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
