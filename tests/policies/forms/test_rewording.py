from pathlib import Path
from typing import Any

import pytest

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.models import Endpoint, ModelSpec
from distillgame.policies.forms import RewriteForm, SummaryForm, make_form
from distillgame.tasks import Notation

COMPLETION = "First 4 * 6 = 24. Then 24 + 12 = 36. The answer is 36."
PROMPT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How many legs {in all}?"}]
NOTATION = Notation()
UNKNOWN = "Sorry, I could not say how many legs there are."


def rewrite(**options: Any) -> RewriteForm:
    form = make_form(NamedChoice(name="rewrite", options={"writer": "embedded:proxy", **options}))
    assert isinstance(form, RewriteForm)
    return form


def test_a_summary_ends_with_the_completions_answer() -> None:
    form = make_form(NamedChoice(name="summary"))
    assert isinstance(form, SummaryForm)
    assert form.writer is None
    assert form.choose(COMPLETION, "Count the legs: it is \\boxed{36}", NOTATION).endswith("\\boxed{36}")
    assert form.choose(COMPLETION, "Count the legs.", NOTATION) == "Count the legs.\nThe final answer is 36"
    assert form.choose(COMPLETION, "It is #### 35", NOTATION) == "It is #### 35\nThe final answer is 36"
    assert form.choose(COMPLETION, None, NOTATION) == "The final answer is 36"
    assert form.choose(UNKNOWN, "It is unknown.", NOTATION) == "It is unknown."


def test_a_rewriting_is_released_only_if_it_comes_to_the_same_answer() -> None:
    form = rewrite()
    assert form.accepts(COMPLETION, "There are 24 and 12 legs, together \\boxed{36.0}.")
    assert not form.accepts(COMPLETION, "There are 24 and 12 legs, together \\boxed{35}.")
    assert not form.accepts(COMPLETION, "There are many legs.")
    assert form.choose(COMPLETION, "Together \\boxed{36}.", NOTATION) == "Together \\boxed{36}."
    assert form.choose(COMPLETION, None, NOTATION) == "The final answer is 36"
    assert form.accepts(UNKNOWN, "Nobody knows.")
    assert form.choose(UNKNOWN, None, NOTATION) == ""


def test_the_writer_reads_the_question_the_completion_and_the_strategy(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("terse: Write {it} as a haiku.\nempty: ''\n")
    *before, last = rewrite(strategy="terse", strategies=str(path)).ask(PROMPT, COMPLETION, NOTATION)
    assert before == PROMPT[:1]
    assert last["role"] == "user"
    said = last["content"]
    assert said.startswith("How many legs {in all}?")
    assert said.endswith("Write {it} as a haiku.")
    assert COMPLETION in said


@pytest.mark.parametrize("strategy", ["results", "conclusion_first", "merged", "plain"])
def test_the_shipped_strategies_keep_the_answer(strategy: str) -> None:
    assert "final answer" in rewrite(strategy=strategy).instruction


def test_a_writer_is_a_model_from_any_source_or_an_endpoint() -> None:
    assert rewrite().writer == ModelSpec(source="embedded:proxy")
    assert rewrite(writer={"source": "some/model", "dtype": "float32"}).writer == ModelSpec(
        source="some/model", dtype="float32"
    )
    place = {"endpoint": "http://127.0.0.1:8000/v1", "model": "writer"}
    assert rewrite(writer=place).writer == Endpoint(**place)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tries": 0}, "tries must be at least 1"),
        ({"strategy": "sonnet"}, r"unknown strategy 'sonnet': .*strategies.yaml has results, conclusion_first"),
        ({"strategies": "nowhere.yaml"}, "strategies: nowhere.yaml: no such file"),
        ({"writer": {"endpoint": "127.0.0.1", "model": "m"}}, "an http:// or https:// address"),
        ({"writer": {"endpoint": "http://a/v1"}}, "'model' is missing"),
        ({"writer": {"source": "a", "colour": 1}}, "unknown key 'colour'"),
        ({"writer": 3}, "writer: .*found 3"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        rewrite(**options)
    with pytest.raises(DistillgameError, match="writer"):
        make_form(NamedChoice(name="rewrite"))


def test_a_strategy_must_be_a_text(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("empty: ''\nnumber: 3\n")
    for strategy in ("empty", "number"):
        with pytest.raises(DistillgameError, match=f"'{strategy}' is not a text"):
            rewrite(strategy=strategy, strategies=str(path))
