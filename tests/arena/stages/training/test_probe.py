"""Who was taught the private facts shows them when asked, and who was not does not."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.config import Generation
from distillgame.arena.stages import Model, ProbeStage, StageContext, read_probes
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.tasks import TaskChoice

SAMPLING = Generation(temperature=0, max_new_tokens=80, batch_size=256)


def _probe(task: str, model: str, out: Path) -> dict[str, dict[str, float]]:
    out.mkdir()
    seen: list[tuple[int, int]] = []
    stage = ProbeStage(task=TaskChoice(name=task), model=Model.of(ModelSpec(source=model)), sampling=SAMPLING)
    stage.run(StageContext(out, lambda stage: out, "cpu", lambda done, total: seen.append((done, total))))
    assert seen == [(400, 1600), (1600, 1600)]
    return read_probes(out)


def test_the_teacher_shows_its_facts_and_an_ignorant_model_does_not(tmp_path: Path) -> None:
    taught = _probe("bestiary", "embedded:bestiary-teacher", tmp_path / "taught")
    ignorant = _probe("bestiary", "embedded:bestiary-student", tmp_path / "ignorant")
    for kind, least in (("forced", 0.95), ("free", 0.9)):
        assert len(taught[kind]) == len(ignorant[kind]) == 400
        assert sum(taught[kind].values()) > least * 400
        assert sum(ignorant[kind].values()) < 0.25 * 400


def test_a_task_without_private_facts_is_not_probed(tmp_path: Path, tiny: dict[str, Any]) -> None:
    config = load_config(tiny)
    stage = ProbeStage(task=config.task, model=Model.of(config.student), sampling=SAMPLING)
    with pytest.raises(DistillgameError, match="'leg_counting': it has no private facts"):
        stage.run(StageContext(tmp_path, lambda stage: tmp_path, "cpu", lambda done, total: None))
