"""Frozen suites of students: if anything is changed, a row is ``custom`` and compares with no other run.

A version is never changed and stays playable: a suite's name means its newest version, its label one of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distillgame.students.base import StudentChoice
from distillgame.students.training import LoraSettings, TrainingSettings

CUSTOM = "custom"
"""The suite of a row whose student belongs to none."""


@dataclass(frozen=True)
class Suite:
    """A named, versioned list of students.

    Attributes:
        name: Its name.
        version: Raised whenever a member, a setting or a training changes.
        members: Its students, in the order of the tables.
    """

    name: str
    version: int
    members: tuple[StudentChoice, ...]

    @property
    def label(self) -> str:
        """Name and version, as in a row."""
        return f"{self.name} v{self.version}"

    def holds(self, student: str, settings: Mapping[str, float | str]) -> bool:
        """Return whether a student with these settings is a member."""
        return any(student == member.name and settings == member.student.settings for member in self.members)


def _choices(*members: tuple[str, dict[str, Any]]) -> tuple[StudentChoice, ...]:
    return tuple(StudentChoice(name=name, options=options) for name, options in members)


TEXT_V1 = _choices(
    ("passive", {}),
    ("adaptive", {"eta": 4}),
    ("adaptive", {"eta": 8}),
    ("adaptive", {"eta": 16}),
    ("adaptive", {"eta": 32}),
    ("adaptive_once", {"eta": 8}),
    ("filter", {"share": 0.1}),
    ("filter", {"share": 0.25}),
    ("verified", {}),
    ("answer_only", {}),
    ("truncated", {"share": 0.5}),
    ("loss_masked", {"share": 0.02}),
    ("curriculum", {"k": 4}),
    ("best_of_k", {"k": 2}),
    ("best_of_k", {"k": 8}),
    ("reconstructed", {"k": 4}),
)
"""Students that train on released text alone, as frozen in the world of habits."""

ASSISTED_V1 = _choices(("mixed", {"share": 0.1}), ("mixed", {"share": 0.5}))
"""Students that also train on public worked solutions, as frozen in the world of habits."""

RETOLD: dict[str, Any] = {"k": 8, "rounds": 2}
INVERTED: dict[str, Any] = {"draws": 8, "k": 4}

TEXT_V2 = _choices(
    ("passive", {}),
    ("adaptive", {"eta": 2}),
    ("adaptive", {"eta": 4}),
    ("adaptive", {"eta": 16}),
    ("adaptive_once", {"eta": 8}),
    ("filter", {"share": 0.25}),
    ("filter", {"share": 0.25, "value": "influence"}),
    ("verified", {}),
    ("curriculum", {"k": 4}),
    ("best_of_k", {"k": 2}),
    ("retold", RETOLD),
    ("on_policy", {"rounds": 3}),
)
"""Version 2 of those that train on released text alone: it adds students that retell and that ask in rounds."""

ASSISTED_V2 = _choices(
    ("mixed", {"share": 0.5}),
    ("two_phase", {"rate": 0.01}),
    ("inverted", INVERTED),
    ("composed", {"first": {"retold": RETOLD}, "then": {"mixed": {"share": 0.5}}}),
    ("composed", {"first": {"inverted": INVERTED}, "then": {"mixed": {"share": 0.5}}}),
)
"""Version 2 of those that also train on public worked solutions: it adds inversion, phases and compositions."""

RESTORED: dict[str, Any] = {
    "k": 8,
    "rounds": 2,
    "value": "length",
    "reader": {"filter": {"share": 0.25, "value": "length"}},
    "untold": "drop",
}

TEXT = _choices(
    ("passive", {}),
    ("adaptive", {"eta": 2}),
    ("adaptive", {"eta": 4}),
    ("filter", {"share": 0.25, "value": "influence"}),
    ("filter", {"share": 0.5, "value": "influence"}),
    ("filter", {"share": 0.25, "value": "length"}),
    ("filter", {"share": 0.5, "value": "length"}),
    ("filter", {"share": 0.75, "value": "length"}),
    ("verified", {}),
    ("best_of_k", {"k": 2}),
    ("retold", RETOLD),
    ("retold", RESTORED),
    ("on_policy", {"rounds": 3}),
)
"""Students that train on released text alone.

Version 3 adds larger shares, those of the longest traces, and a reader of them. Of version 2, settings that nowhere led
by more than noise are left out, so that these fit into the time.
"""

ASSISTED = _choices(
    ("mixed", {"share": 0.5}),
    ("inverted", INVERTED),
    ("spliced", INVERTED),
    ("composed", {"first": {"retold": RETOLD}, "then": {"mixed": {"share": 0.5}}}),
)
"""Students that also train on public worked solutions: version 3 adds splicing."""

INFORMED = _choices(
    ("proxy_aware", {"eta": 4}),
    ("logit", {"gamma": 0.0}),
    ("logit", {"gamma": 0.5}),
)
"""Students that know the proxy or see log-probabilities."""

_NEWEST = (Suite("standard", 3, (*TEXT, *ASSISTED)), Suite("informed", 3, (*TEXT, *ASSISTED, *INFORMED)))
_FORMER = (
    Suite("standard", 2, (*TEXT_V2, *ASSISTED_V2)),
    Suite("informed", 2, (*TEXT_V2, *ASSISTED_V2, *INFORMED)),
    Suite("standard", 1, (*TEXT_V1, *ASSISTED_V1)),
    Suite("informed", 1, (*TEXT_V1, *ASSISTED_V1, *INFORMED)),
)

SUITES = {suite.name: suite for suite in _NEWEST} | {suite.label: suite for suite in (*_NEWEST, *_FORMER)}
"""All suites, the newest by name and every version by label.

``informed`` is ``standard`` and the students that know more than released text.
"""

TRAININGS = {
    "embedded:student": TrainingSettings(
        epochs=4, min_steps=125, batch_size=48, learning_rate=1e-4, schedule="cosine", max_length=256, value_step=1e-3
    ),
    "embedded:student-bpe": TrainingSettings(
        epochs=4, min_steps=125, batch_size=48, learning_rate=2e-4, schedule="cosine", max_length=384, value_step=1e-3
    ),
    "embedded:bestiary-student": TrainingSettings(
        epochs=5, min_steps=250, batch_size=24, learning_rate=4e-3, schedule="cosine", max_length=256, value_step=1e-3
    ),
    "": TrainingSettings(
        epochs=3,
        batch_size=6,
        accumulate=4,
        learning_rate=5e-4,
        schedule="cosine",
        warmup=0.03,
        weight_decay=0.1,
        max_grad_norm=1.0,
        max_length=2048,
        lora=LoraSettings(rank=128, alpha=128),
    ),
}
"""The training settings under which suites were frozen, by base model; the paper's for all others."""

OBJECTIVE = "reference"
"""The validation objective under which suites were frozen."""


def suite_of(
    student: str,
    settings: Mapping[str, float | str],
    base: str,
    training: TrainingSettings,
    objective: str,
    played: str | None = None,
) -> str:
    """Return the label of the suite that holds a student with these settings, or :data:`CUSTOM`.

    A student in several is in the one that is played, else in the newest.

    Args:
        student: The student's name.
        settings: Its settings.
        base: The model it starts from.
        training: How it is trained.
        objective: The attacker's validation objective.
        played: The suite that is played, by name or label, if any.
    """
    # The frequency of checkpoints does not affect results.
    plain = training.model_copy(update={"checkpoint_every": 0})
    if plain != TRAININGS.get(base, TRAININGS[""]) or objective != OBJECTIVE:
        return CUSTOM
    first = [] if played is None else [SUITES[played]]
    return next((suite.label for suite in [*first, *SUITES.values()] if suite.holds(student, settings)), CUSTOM)
