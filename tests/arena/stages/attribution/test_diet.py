"""Diets of several sources, and the part that each source asked for."""

from pathlib import Path
from typing import Any

from distillgame.arena import load_config
from distillgame.arena.attribution.diets import target_of
from distillgame.arena.attribution.readings import readings
from distillgame.arena.config import Suspect
from distillgame.arena.plan import Planner
from distillgame.arena.stages import GivenStage, PortionStage, Stage, StageContext
from distillgame.arena.stages.attribution.diet import DietStage
from distillgame.policies import Defense
from distillgame.records import ReleasedTrace, read_released, write_released
from distillgame.students import StudentChoice

KEYED = Defense(name="keyed", options={"width": 2})


def traces(path: Path, author: str, count: int) -> GivenStage:
    asked = [{"role": "user", "content": str(place)} for place in range(count)]
    answer = {"role": "assistant", "content": author}
    write_released(path, [ReleasedTrace([each, answer]) for each in asked])
    return GivenStage.of(path)


def test_each_prompt_is_answered_by_its_source_and_portions_are_its_parts(tmp_path: Path) -> None:
    sources = tuple(traces(tmp_path / f"{author}.parquet", author, 13) for author in "ab")
    folders: dict[Stage, Path] = {stage: tmp_path / str(number) for number, stage in enumerate(sources)}

    def run(stage: Any, name: str) -> list[tuple[str, str]]:
        folders[stage] = tmp_path / name
        folders[stage].mkdir()
        stage.run(StageContext(folders[stage], folders.__getitem__, "cpu", lambda done, total: None))
        found = read_released(folders[stage] / "traces.parquet")
        assert len(found) == stage.count
        return [(trace.messages[0]["content"], trace.messages[1]["content"]) for trace in found]

    for source in sources:
        folders[source].mkdir()
        source.run(StageContext(folders[source], folders.__getitem__, "cpu", lambda done, total: None))
    diet = run(DietStage(sources=sources, portions=(3, 2)), "diet")
    assert [author for _, author in diet] == list("aaabbaaabbaaa")
    assert [asked for asked, _ in diet] == [str(place) for place in range(13)]
    for which, author in enumerate("ab"):
        portion = run(PortionStage(traces=sources[which], portions=(3, 2), which=which), f"portion {which}")
        assert portion == [pair for pair in diet if pair[1] == author]


def test_every_owner_is_tested_on_what_it_asked_for(tiny: dict[str, Any]) -> None:
    planner = Planner(load_config(tiny), resolve=False)

    def read(kind: Any, **how: Any) -> dict[str | None, Any]:
        suspect = Suspect(name="x", **how)
        training = planner.distill(target_of(planner, KEYED, suspect, 0), StudentChoice(name="passive"), 0)
        return {o: stage.texts for o, stage in readings(planner, KEYED, suspect, training, kind, 0).items()}

    (whole,) = read("released").values()
    assert (whole.policy.name, whole.count) == ("keyed", 24)
    (few,) = read("released", queries=5).values()
    assert few.count == 5
    (again,) = read("prompts", queries=5).values()
    assert (again.policy.name, again.count, again.draw) == ("standard", 5, 1)
    (twice,) = read("released", student={"best_of_k": {"k": 2}}).values()
    assert (twice.count, twice.draw) == (12, 0)
    (unasked,) = read("prompts", student="reference", queries=5).values()
    assert unasked.count == 24
    (said,) = read("samples", queries=5).values()
    assert said.count == 5
    (part,) = read("released", share=0.25).values()
    assert (part.traces.policy.name, part.portions, part.which) == ("keyed", (1, 3), 0)
    framed = read("released", framed=0.25)
    assert list(framed) == [None, "owner 2"]
    assert [stage.which for stage in framed.values()] == [0, 1]
    assert [stage.traces.policy.options.get("owner") for stage in framed.values()] == [None, "owner 2"]
    fresh = read("prompts", owners=3)
    assert [(owner, stage.which, stage.traces.policy.name) for owner, stage in fresh.items()] == [
        (None, 0, "standard"), ("owner 2", 1, "standard"), ("owner 3", 2, "standard"),
    ]  # fmt: skip
    assert list(read("held_out", owners=3)) == list(read("samples", framed=0.5)) == [None]
