"""Students that train in two phases."""

import copy
from pathlib import Path

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Supplies, TrainingReport, TrainingSettings, distill, make_student

SETTINGS = TrainingSettings(epochs=2, batch_size=4, learning_rate=1e-3, warmup=0, checkpoint_every=2)
RATE = 0.25


def conversation(prompt: str, completion: str) -> ReleasedTrace:
    return ReleasedTrace([{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}])


TRACES = [conversation(f"{k} dog", f"{k} dog total {4 * k} . #### {4 * k}") for k in range(1, 9)]
REFERENCES = [
    conversation(f"{k} crab", f"{k} crab : {k} x 10 = {10 * k} total {10 * k} . #### {10 * k}") for k in range(1, 6)
]
BOTH = Supplies(TRACES, references=REFERENCES)


def fresh(model: LanguageModel) -> LanguageModel:
    return LanguageModel(copy.deepcopy(model.model), model.tokenizer, model.source)


def passive(
    model: LanguageModel, traces: list[ReleasedTrace], rate: float = 1.0
) -> tuple[LanguageModel, TrainingReport]:
    settings = SETTINGS.model_copy(update={"learning_rate": rate * SETTINGS.learning_rate})
    return distill(fresh(model), make_student("passive"), Supplies(traces), [], settings, 0)


def phased(model: LanguageModel, name: str) -> tuple[LanguageModel, TrainingReport]:
    return distill(fresh(model), make_student(name, {"rate": RATE}), BOTH, [], SETTINGS, 0)


def same(a: LanguageModel, b: LanguageModel) -> bool:
    pairs = zip(a.model.parameters(), b.model.parameters(), strict=True)
    return all(torch.equal(left, right) for left, right in pairs)


@pytest.mark.parametrize(
    ("name", "first", "second"), [("two_phase", TRACES, REFERENCES), ("primed", REFERENCES, TRACES)]
)
def test_two_phases_are_two_trainings_one_after_the_other(
    teacher: LanguageModel, name: str, first: list[ReleasedTrace], second: list[ReleasedTrace]
) -> None:
    once, begun = passive(teacher, first)
    twice, ended = passive(once, second, RATE)
    found, report = phased(teacher, name)
    assert same(found, twice)
    assert not same(found, once)
    assert (report.traces, report.steps) == (13, begun.steps + ended.steps)
    mean = (begun.steps * begun.loss + ended.steps * ended.loss) / report.steps
    assert report.loss == pytest.approx(mean)


@pytest.mark.parametrize("killed", [3, 6, 8])
def test_a_killed_training_resumes_in_either_phase(teacher: LanguageModel, tmp_path: Path, killed: int) -> None:
    """Phases of 4 steps each, with a checkpoint every 2."""
    whole, report = phased(teacher, "two_phase")
    reports: list[tuple[int, int]] = []

    def die(done: int, total: int) -> None:
        reports.append((done, total))
        if done == killed:
            raise KeyboardInterrupt

    student = make_student("two_phase", {"rate": RATE})

    with pytest.raises(KeyboardInterrupt):
        distill(fresh(teacher), student, BOTH, [], SETTINGS, 0, checkpoints=tmp_path, progress=die)
    assert reports == [(done, 8) for done in range(1, killed + 1)]
    resumed, again = distill(fresh(teacher), student, BOTH, [], SETTINGS, 0, checkpoints=tmp_path)
    assert same(resumed, whole)
    assert again == report


def test_a_rate_out_of_range_and_missing_solutions_are_refused(teacher: LanguageModel) -> None:
    for rate in (0, 1.5):
        with pytest.raises(DistillgameError, match="student 'primed': rate must be above 0 and at most 1"):
            make_student("primed", {"rate": rate})
    with pytest.raises(DistillgameError, match="student 'two_phase': there are no public solutions to train on"):
        distill(fresh(teacher), make_student("two_phase"), Supplies(TRACES), [], SETTINGS, 0)
