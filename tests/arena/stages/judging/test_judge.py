"""What judges are shown, and that nobody is asked twice."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.plan import Planner
from distillgame.arena.run import Run
from distillgame.arena.stages import JUDGED, TRACES, JudgeStage
from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, KINDS, Exhibit, JudgeChoice
from distillgame.records import JudgedExhibit, read_judged, read_traces
from tests.endpoints import Listening, Reply, endpoint
from tests.judges.rubric.mock import level, reply

SMALL = {"judges": ["checked"], "problems": 5, "anchors": 3, "repeats": 2}


def stage(config: dict[str, Any], judge: Any = "checked") -> JudgeStage:
    game = load_config(config | {"judge": SMALL})
    return Planner(game).judge(JudgeChoice.model_validate(judge), "test", game.policies)


def judged(config: dict[str, Any], root: Path, judge: Any = "checked") -> list[JudgedExhibit]:
    with Run(root, load_config(config), progress=False) as run:
        made = stage(config, judge)
        run.compute([made])
        return read_judged(run.folder(made) / JUDGED)


def rubric(listening: Listening) -> dict[str, Any]:
    options = {"model": "openai-api/local/m", "base_url": listening.url, "criteria": [AUDITABILITY], "attempts": 1}
    return {"rubric": {**options, "concurrency": 1}}


def test_a_judge_reads_every_release_anchors_and_repetitions(tiny: dict[str, Any], tmp_path: Path) -> None:
    found = judged(tiny, tmp_path)
    traces = [each for each in found if each.role == "trace"]
    assert [each.defense for each in traces] == [
        name for name in ("standard", "poe gamma=0.5", "ads lambda=0.2") for _ in range(5)
    ]
    assert len({each.problem_id for each in traces}) == 5
    assert sum(each.role == "repeat" for each in found) == 2
    anchors = [each for each in found if each.role == "anchor"]
    assert {each.kind for each in anchors} == set(KINDS)
    assert len({each.problem_id for each in anchors}) == 3
    assert not any(each.role == "injected" for each in found)  # a program cannot be talked to
    assert all(each.marks for each in anchors if each.kind == "reference")
    assert len(found) <= stage(tiny).exhibits
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        release = stage(tiny).releases[1]
        known = {trace.problem_id: trace for trace in read_traces(run.folder(release) / TRACES)}
    for each in traces[5:10]:
        assert each.correct == known[each.problem_id].correct
        assert each.characters == len(known[each.problem_id].completion)


def batch(config: dict[str, Any], root: Path, anchors: int, repeats: int) -> dict[str, Exhibit]:
    game = load_config(config | {"judge": SMALL | {"anchors": anchors, "repeats": repeats}})
    made = Planner(game).judge(JudgeChoice.model_validate("checked"), "test", game.policies)
    with Run(root, game, progress=False) as run:
        run.compute(made.releases)
        return {exhibit.id: exhibit for exhibit in made.batch(run.folder)}


def test_what_is_compared_on_one_problem_is_asked_in_one_turn(tiny: dict[str, Any], tmp_path: Path) -> None:
    """Every other problem of the traces has an even turn, and so has every other one of the anchors."""
    traces, all_of_them = batch(tiny, tmp_path, 0, 0), batch(tiny, tmp_path, 3, 0)
    anchors = [exhibit for name, exhibit in all_of_them.items() if name not in traces]
    assert len(traces) == 3 * 5
    for exhibits, problems in ((traces.values(), 5), (anchors, 3)):
        assert sorted(turn for _, turn in {(each.question, each.turn) for each in exhibits}) == list(range(problems))


def test_a_trace_that_is_judged_again_is_asked_about_in_the_other_way(tiny: dict[str, Any], tmp_path: Path) -> None:
    traces, all_of_them = batch(tiny, tmp_path, 0, 0), batch(tiny, tmp_path, 0, 2)
    repeated = [exhibit for name, exhibit in all_of_them.items() if name not in traces]
    assert len(repeated) == 2
    known = {(each.question, each.text): each.turn for each in traces.values()}
    assert all((each.turn - known[each.question, each.text]) % 2 == 1 for each in repeated)


def test_judges_are_blind(tiny: dict[str, Any], tmp_path: Path) -> None:
    with endpoint(lambda body, before: reply(level(4))) as listening:
        found = judged(tiny, tmp_path, rubric(listening))
        asked = [str(body["messages"]) for body in listening.asked]
    assert {each.scores[AUDITABILITY] for each in found} == {4}
    assert not any(word in text for text in asked for word in ("gamma", "lambda", "standard", "policy", "anchor"))
    # Their order is no order of policies: the first third of all calls has traces of all of them.
    traces = [each for each in found if each.role == "trace"]
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        batch = stage(tiny).batch(run.folder)
    assert len(batch) >= len(traces)
    assert [exhibit.id for exhibit in batch] == sorted(exhibit.id for exhibit in batch)
    assert sum(each.role == "injected" for each in found) == 3


def test_a_judge_that_failed_goes_on_where_it_stopped(tiny: dict[str, Any], tmp_path: Path) -> None:
    def fails_at_the_seventh(body: dict[str, Any], before: int) -> Reply:
        return Reply({"error": {"message": "no credit"}}, 402) if before == 6 else reply(level(3))

    with endpoint(fails_at_the_seventh) as listening:
        with pytest.raises(DistillgameError, match="no credit"):
            judged(tiny, tmp_path, rubric(listening))
        found = judged(tiny, tmp_path, rubric(listening))
        assert len(listening.asked) == len(found) + 1


def test_another_defense_has_only_its_own_traces_judged(tiny: dict[str, Any], tmp_path: Path) -> None:
    fewer = tiny | {"policies": tiny["policies"][:2]}
    with endpoint(lambda body, before: reply(level(3))) as listening:
        first = judged(fewer, tmp_path, rubric(listening))
        assert len(listening.asked) == len(first)
        second = judged(tiny, tmp_path, rubric(listening))
        new = len(listening.asked) - len(first)
    assert len(second) == len(first) + 5
    # Which traces are judged twice is drawn among all of them.
    assert 5 <= new <= 5 + SMALL["repeats"]  # type: ignore[operator]


def test_stages_differ_by_judge_and_rubric(tiny: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rubric.yaml"
    shipped = Path("src/distillgame/judges/rubric/rubric.yaml").read_text()
    keys = set()
    for text in (shipped, shipped.replace("auditability", "auditability", 1) + "\n", shipped.replace("5:", "5:  ")):
        path.write_text(text)
        keys.add(stage(tiny, {"rubric": {"model": "a/b", "rubric": str(path)}}).key("cpu"))
    assert len(keys) == 1  # blanks are no change
    path.write_text(shipped.replace("reader", "careful reader", 1))
    keys.add(stage(tiny, {"rubric": {"model": "a/b", "rubric": str(path)}}).key("cpu"))
    keys.add(stage(tiny, {"rubric": {"model": "a/c"}}).key("cpu"))
    keys.add(stage(tiny).key("cpu"))
    assert len(keys) == 4


def test_a_sheet_that_changes_while_a_game_runs_is_noticed(tiny: dict[str, Any], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("id,auditability\n")
    made = stage(tiny, {"labels": {"file": str(sheet)}})
    sheet.write_text("id,auditability\na,1\n")
    with Run(tmp_path, load_config(tiny), progress=False) as run, pytest.raises(DistillgameError, match="file changed"):
        run.compute([made])


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (["nobody"], "unknown judge 'nobody': choose one of checked, labels, rubric"),
        ([{"rubric": {"model": "gpt"}}], "model: a name as inspect_ai has it"),
        ([{"labels": {"file": "nowhere.csv"}}], "file: nowhere.csv: no such file"),
        (["checked", "checked"], "'checked' is listed twice"),
        ({"judges": ["checked"], "problems": 1}, "judge.problems"),
        ({"judge": "checked"}, "unknown key 'judge.judge'"),
    ],
)
def test_bad_configurations_are_named(tiny: dict[str, Any], judge: Any, message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        load_config(tiny | {"judge": judge})
