"""The examples in the documentation have to work."""

import copy
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import yaml

from distillgame.arena import load_config
from distillgame.cli.main import main
from distillgame.models import Endpoint, LanguageModel
from distillgame.policies import Experts, policies, release
from distillgame.records import ReleasedTrace
from distillgame.stats import FLAGS
from distillgame.students import SUITES, Desk, Supplies, TrainingSettings, distill, make_student, students
from distillgame.tasks import split, tasks
from tests.docs.pages import DOCS, blocks


@pytest.fixture(scope="module")
def examples() -> Iterator[dict[str, Any]]:
    """What the examples define; the names that they register are gone afterwards, for tests elsewhere list them all."""
    namespace: dict[str, Any] = {}
    registries: list[dict[str, Any]] = [policies._factories, students._factories, tasks._factories]
    before = [dict(factories) for factories in registries]
    for block in blocks("extending.md", "python"):
        exec(block, namespace)
    yield namespace
    for factories, known in zip(registries, before, strict=True):
        factories.clear()
        factories.update(known)


def test_the_example_policy_releases_a_distribution(examples: dict[str, Any]) -> None:
    policy = policies.get("flatten")(share=0.5)
    result = release(policy, Experts(torch.randn(3, 7), 1.0))
    assert torch.allclose(result.released.probabilities.sum(-1), torch.ones(3))
    assert float(result.released.probabilities.min()) > 0.5 / 7


def test_the_example_student_drops_the_lower_half(examples: dict[str, Any]) -> None:
    weights = torch.softmax(students.get("top_half")().log_weights(torch.arange(4.0), torch.Generator()), 0)
    assert weights.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3], abs=1e-6)


def test_the_example_student_trains(examples: dict[str, Any], teacher: LanguageModel) -> None:
    turns = [{"role": "user", "content": "1 dog"}, {"role": "assistant", "content": "1 dog total 4 . #### 4"}]
    settings = TrainingSettings(epochs=1, batch_size=4, objective_batch=2)
    model = LanguageModel(copy.deepcopy(teacher.model), teacher.tokenizer, teacher.source)
    _, report = distill(
        model, make_student("top_half"), Supplies([ReleasedTrace(turns)] * 6), [ReleasedTrace(turns)], settings, 0
    )
    assert 0 <= report.rho <= math.log(4)


def test_the_example_selecting_student_keeps_the_longest(examples: dict[str, Any], teacher: LanguageModel) -> None:
    texts = ["1 dog total 4 . #### 4", "1 dog : 1 x 4 = 4 total 4 . #### 4"]
    traces = [
        ReleasedTrace([{"role": "user", "content": "1 dog"}, {"role": "assistant", "content": text}]) for text in texts
    ]
    kept = make_student("longest", {"share": 0.5}).prepare(Desk(teacher, Supplies(traces), (), 256, 4, 1e-3, 1e-3))
    assert [lesson.example.target for lesson in kept] == [
        lesson.example.target for lesson in Desk(teacher, Supplies(), (), 256, 4, 1e-3, 1e-3).lessons(traces[1:])
    ]


def test_the_example_of_private_facts_counts(examples: dict[str, Any]) -> None:
    knowledge = examples["Capitals"]()
    released = knowledge.released(["It is Poseidonia, of course.", "Who knows?"])
    assert released.stated == released.derivable == {"Atlantis"}
    free, forced = knowledge.probes()
    assert not free.beginning
    assert knowledge.shows(forced, " Poseidonia")
    assert not knowledge.shows(free, "It is Paris.")
    assert knowledge.needed(free.messages[0]["content"] + " Of Atlantis?") == {"Atlantis"}


def test_every_flag_has_a_section() -> None:
    sections = re.findall(r"^## (\w+)$", (DOCS / "flags.md").read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(FLAGS)


def test_the_suites_page_lists_every_member_and_its_settings() -> None:
    lines = (DOCS / "suite.md").read_text().splitlines()
    (head,) = [line for line in lines if line.startswith("| student | what it does |")]
    for label in ("informed v1", "informed v2", "informed v3"):
        column = [cell.strip() for cell in head.split("|")].index(label.split()[1])
        settings = {line.split("`")[1]: line.split("|")[column].strip() for line in lines if line.startswith("| `")}
        assert {name for name, cell in settings.items() if cell} == {each.name for each in SUITES[label].members}
        for member in SUITES[label].members:
            # Of a composition, the students that it is made of.
            for value in member.options.values():
                text = next(iter(value)) if isinstance(value, dict) else value
                shown = text if isinstance(text, str) else f"{text:g}".replace("0.", ".")
                assert re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.]*\d)", settings[member.name]), (member, value)


def test_the_forms_and_sweep_of_the_suites_page_are_valid() -> None:
    forms, grid = (yaml.safe_load(block) for block in blocks("suite.md", "yaml"))
    config = load_config("suite", overrides=forms)
    assert [defense.form.name for defense in config.policies] == [
        "full", "answer_only", "summary", "truncated", "reformulate", "rewrite"
    ]  # fmt: skip
    assert load_config("suite", overrides=grid).sweep.queries == [100, 400, 1500]


def test_the_example_task_splits_and_grades(examples: dict[str, Any]) -> None:
    task = tasks.get("squares")()
    problem = split(task, {"test": 5})["test"][0]
    assert task.grade(problem.solution, problem).correct


def test_the_example_configuration_is_valid() -> None:
    text, endpoint = blocks("playing.md", "yaml")
    load_config(yaml.safe_load(text))
    assert isinstance(load_config("suite", overrides=yaml.safe_load(endpoint)).attacker.paraphraser, Endpoint)


def test_the_example_of_several_proxies_is_valid() -> None:
    (text,) = blocks("game.md", "yaml")
    config = load_config("leg_counting", overrides=yaml.safe_load(text))
    assert [choice.policy.combine for choice in config.policies] == [None, "worst", "mean"]


def test_the_decoding_example_samples(capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks("decoding.md", "python"):
        exec(block, {})
    assert "####" in capsys.readouterr().out


def test_the_solving_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it but the certificate's rounding errors; and its Python runs."""
    with pytest.raises(SystemExit):
        main(["solve", "two_problems"])
    printed = capsys.readouterr().out.partition("Certificate")[0]
    assert printed in (DOCS / "solving.md").read_text()
    for block in blocks("solving.md", "python"):
        exec(block, {})
    assert capsys.readouterr().out.startswith("[[")
