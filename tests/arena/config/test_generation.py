"""The engine of a game as its configuration names it."""

from typing import Any

import pytest

from distillgame.arena.config import Generation
from distillgame.errors import DistillgameError
from distillgame.strict import parse


@pytest.mark.parametrize(
    ("engine", "found"),
    [
        (None, None),
        ("distillgame", None),
        ("vllm", {}),
        ({"vllm": None}, {}),
        ({"name": "vllm", "options": None}, {}),
        ({"vllm": {"tensor_parallel_size": 2}}, {"tensor_parallel_size": 2}),
        ({"vllm": {"arguments": {"distributed_executor_backend": "mp"}}},
         {"arguments": {"distributed_executor_backend": "mp"}}),
    ],
)  # fmt: skip
def test_an_engine_is_named_with_its_arguments(engine: Any, found: dict[str, Any] | None) -> None:
    generation = Generation(engine=engine)
    defaults: dict[str, Any] = {"tensor_parallel_size": 1, "max_model_len": None, "arguments": {}}
    assert (generation.engine and generation.engine.model_dump()) == (None if found is None else defaults | found)
    assert Generation.model_validate(generation.model_dump(mode="json")) == generation


def test_our_own_engine_leaves_no_word_so_that_older_results_stay_the_same() -> None:
    assert "engine" not in Generation(engine="distillgame").model_dump()
    assert Generation(engine="vllm").model_dump()["engine"]["vllm"]["tensor_parallel_size"] == 1


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("vlm", "'engine': choose 'distillgame' or 'vllm'.*found 'vlm'"),
        ({"distillgame": {"tensor_parallel_size": 2}}, "choose 'distillgame' or 'vllm'"),
        ({"vlm": {}}, "choose 'distillgame' or 'vllm'"),
        (3, "choose 'distillgame' or 'vllm'"),
        ({"vllm": {"tensor_parallel": 2}}, "engine.tensor_parallel"),
        ({"vllm": {"tensor_parallel_size": 0}}, "engine.tensor_parallel_size"),
        ({"vllm": {"arguments": {"max_num_seqs": 3}}}, "'max_num_seqs' is set by 'batch_size'"),
        ({"vllm": {"arguments": {"dtype": "float16"}}}, "'dtype' is set by distillgame itself"),
    ],
)
def test_others_are_refused(engine: Any, message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        parse(Generation, {"engine": engine}, "sampling")


def test_all_arguments_together() -> None:
    engine = Generation(engine={"vllm": {"max_model_len": 512, "arguments": {"enforce_eager": True}}}).engine
    assert engine is not None
    assert engine.together(7) == {
        "tensor_parallel_size": 1, "max_num_seqs": 7, "max_model_len": 512, "enforce_eager": True,
    }  # fmt: skip
