"""Rewritings by the base model, and tellings by a student of the traces."""

from pathlib import Path
from typing import Any

from distillgame.arena import load_config
from distillgame.arena.plan import DefenseTarget, Planner
from distillgame.arena.plan.eligibility import lacking
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, DistillStage, RetellStage, read_report
from distillgame.records import read_released
from distillgame.students import StudentChoice
from tests.endpoints import completion, endpoint

PARAPHRASED = StudentChoice(name="paraphrased", options={"k": 2})


def stage(tiny: dict[str, Any], rounds: int, queries: int | None = None, **options: Any) -> DistillStage:
    planner = Planner(load_config(tiny))
    choice = StudentChoice(name="retold", options={"k": 2, "rounds": rounds} | options)
    return planner.distill(DefenseTarget.of(planner.config.policies[1]), choice, 0, queries)


def test_a_student_of_the_traces_answers_their_prompts(tiny: dict[str, Any], tmp_path: Path) -> None:
    trained = stage(tiny, rounds=1)
    retold = trained.rewrites
    assert isinstance(retold, RetellStage)
    assert retold.reader.label == "distill passive from 24 of poe gamma=0.5 seed=0"
    assert retold.count == 2 * retold.traces.count == 48
    assert stage(tiny, rounds=1, queries=6).rewrites.count == 12  # type: ignore[union-attr]
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        run.compute([trained])
        traces, tellings = (read_released(run.folder(each) / TRACES) for each in (retold.traces, retold))
        assert read_report(run.folder(trained)).traces == len(traces)
    assert [telling.messages[:-1] for telling in tellings] == [t.messages[:-1] for t in traces for _ in range(2)]
    assert len({telling.messages[-1]["content"] for telling in tellings}) > len(traces)


def test_a_third_model_paraphrases_where_the_game_names_one(tiny: dict[str, Any], tmp_path: Path) -> None:
    planner = Planner(load_config(tiny | {"attacker": {"paraphraser": "embedded:proxy"}}))
    target = DefenseTarget.of(planner.config.policies[1])
    trained = planner.distill(target, PARAPHRASED, seed=0)
    assert trained.rewrites is not None
    assert trained.rewrites.label.startswith("rewrite poe gamma=0.5 by embedded:proxy")
    with Run(tmp_path, planner.config, progress=False) as run:
        run.compute([trained])
        assert read_report(run.folder(trained)).traces == 24
    missing = lacking(PARAPHRASED, target, 24, load_config(tiny), True)
    assert missing == "a third model (attacker.paraphraser)"


def test_an_endpoint_paraphrases(tiny: dict[str, Any], tmp_path: Path) -> None:
    with endpoint(lambda body, before: completion(f"text {before} #### 1")) as listening:
        place = {"endpoint": listening.url, "model": "third"}
        planner = Planner(load_config(tiny | {"attacker": {"paraphraser": place}}))
        trained = planner.distill(DefenseTarget.of(planner.config.policies[1]), PARAPHRASED, seed=0)
        assert trained.rewrites is not None
        assert trained.rewrites.label == "rewrite poe gamma=0.5 by third seed=0"
        with Run(tmp_path, planner.config, progress=False) as run:
            run.compute([trained])
            found = read_released(run.folder(trained.rewrites) / TRACES)
        assert len(found) == len(listening.asked) == 2 * 24
    assert all(trace.messages[-1]["content"].startswith("text ") for trace in found)


def test_the_student_of_one_round_reads_for_the_next(tiny: dict[str, Any]) -> None:
    second = stage(tiny, rounds=2)
    assert isinstance(second.rewrites, RetellStage)
    first = second.rewrites.reader
    assert isinstance(first, DistillStage)
    assert first.student.label == "retold k=2 rounds=1 value=grad"
    assert isinstance(first.rewrites, RetellStage)
    assert first.rewrites.reader.label.startswith("distill passive")


def test_another_student_reads_for_the_first_round(tiny: dict[str, Any]) -> None:
    longest = {"filter": {"share": 0.5, "value": "length"}}
    second = stage(tiny, rounds=2, queries=6, value="length", reader=longest, untold="drop")
    assert isinstance(second.rewrites, RetellStage)
    first = second.rewrites.reader
    assert isinstance(first, DistillStage)
    assert first.student.label == "retold k=2 rounds=1 value=length reader=filter:share:0.5,value:length untold=drop"
    assert isinstance(first.rewrites, RetellStage)
    assert first.rewrites.reader.label == "distill filter share=0.5 value=length from 6 of poe gamma=0.5 seed=0"
    # Nobody in it values by an objective.
    assert [each.holdout for each in (second, first)] == [None, None]
