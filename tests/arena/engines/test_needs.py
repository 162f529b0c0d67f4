from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.config import Compute
from distillgame.arena.engines.needs import PROCESS_BYTES, Needs, needs, require_kinds
from distillgame.arena.engines.nodes import amounts_of, fits
from distillgame.arena.plan import Lineup, Planner
from distillgame.arena.run.scheduler import in_order
from distillgame.arena.stages import CostStage, DistillStage, SampleStage, Stage
from distillgame.errors import DistillgameError

SMALL, LARGE = {"CPU": 4.0, "memory": 64e9}, {"CPU": 16.0, "GPU": 2.0, "memory": 256e9}


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    """The stages of the paper's game, of which nothing is downloaded."""
    return in_order(Lineup(Planner(load_config("gsm8k"), resolve=False)).expected())


def first(stages: list[Stage], kind: type[Stage], **fields: Any) -> Stage:
    for stage in stages:
        if isinstance(stage, kind) and all(getattr(stage, name) == value for name, value in fields.items()):
            return stage
    raise AssertionError(kind)


def test_memory_is_that_of_the_networks(stages: list[Stage]) -> None:
    undefended = next(stage for stage in stages if isinstance(stage, SampleStage) and not stage.proxies)
    assert needs(undefended, Compute(), "cuda") == Needs(1.0, 1.0, PROCESS_BYTES + 4 * 7.62e9)
    defended = next(stage for stage in stages if isinstance(stage, SampleStage) and stage.proxies)
    assert needs(defended, Compute(), "cpu") == Needs(1.0, 0.0, PROCESS_BYTES + 4 * (7.62e9 + 3.09e9))
    # Adapters leave the base without gradients.
    adapter = next(stage for stage in stages if isinstance(stage, DistillStage) and stage.proxy is None)
    assert needs(adapter, Compute(), "cuda").memory == PROCESS_BYTES + 4 * 3.21e9
    whole = adapter.model_copy(update={"training": adapter.training.model_copy(update={"lora": None})})
    assert needs(whole, Compute(), "cuda").memory == PROCESS_BYTES + 16 * 3.21e9


def test_what_measures_time_gets_a_node(stages: list[Stage]) -> None:
    measuring = first(stages, CostStage)
    assert needs(measuring, Compute(), "cuda").cpus is None
    every = [SMALL, LARGE, {"CPU": 64.0, "memory": 16e9}]
    assert amounts_of(Needs(None, 0, 1e9), every) == {"CPU": 64.0, "GPU": 0, "memory": 1e9}
    # Of those that have the rest of what it takes.
    assert amounts_of(Needs(None, 1, 1e9), every) == {"CPU": 16.0, "GPU": 1, "memory": 1e9}
    assert amounts_of(Needs(None, 0, 32e9), [SMALL]) == {"CPU": 4.0, "GPU": 0, "memory": 32e9}
    assert amounts_of(Needs(None, 0, 300e9), every) is None
    assert amounts_of(Needs(None, 0, 1e9), []) is None


def test_vllm_takes_the_gpus_that_it_splits_a_network_over() -> None:
    overrides = {"sampling.engine": {"vllm": {"tensor_parallel_size": 2}}, "policies": ["standard"]}
    config = load_config("gsm8k", overrides=overrides)
    stage = next(
        stage for stage in in_order(Lineup(Planner(config, resolve=False)).expected()) if isinstance(stage, SampleStage)
    )
    assert needs(stage, config.compute, "cuda").gpus == 2
    # On processors it takes all of a node's.
    assert needs(stage, config.compute, "cpu").cpus is None


def test_the_configuration_says_otherwise(stages: list[Stage]) -> None:
    asked = {"sample": {"gpus": 0.5, "memory": "8GB"}, "distill": {"cpus": 2}}
    compute = Compute.model_validate({"engine": "ray", "resources": asked})
    stage = first(stages, SampleStage)
    assert needs(stage, compute, "cuda") == Needs(1.0, 0.5, 8e9)
    training = needs(first(stages, DistillStage), compute, "cuda")
    assert (training.cpus, training.gpus) == (2.0, 1.0)


def test_unknown_kinds_and_other_engines_are_refused() -> None:
    with pytest.raises(
        DistillgameError, match=r"compute\.resources: unknown kind of stage 'sampel' \(there are .*sample"
    ):
        require_kinds(Compute.model_validate({"engine": "ray", "resources": {"sampel": {}}}))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"resources": {"sample": {}}}, "resources: is not for engine 'processes'"),
        ({"address": "local"}, "address: is not for engine 'processes'"),
        ({"engine": "ray", "workers": 2}, "workers: is not for engine 'ray'"),
        ({"engine": "ray", "resources": {"sample": {"gpus": -1}}}, "gpus"),
        ({"engine": "ray", "resources": {"sample": {"gpus": 1.5}}}, "whole number"),
        ({"engine": "slurm"}, "engine"),
    ]
    for bad, words in cases:
        with pytest.raises(DistillgameError, match=words):
            load_config("bestiary", overrides={f"compute.{name}": value for name, value in bad.items()})


def test_a_stage_fits_where_one_node_has_all_that_it_takes() -> None:
    def fit(wanted: Needs, nodes: list[dict[str, float]]) -> bool:
        asked = amounts_of(wanted, nodes)
        return asked is not None and fits(asked, nodes)

    assert not fit(Needs(1.0, 1.0, 300e9), [SMALL, LARGE])
    assert not fit(Needs(1.0, 1.0, 32e9), [SMALL, {"CPU": 1.0, "GPU": 8.0, "memory": 8e9}])
    assert not fit(Needs(1.0, 0.0, 1e9), [])
    assert fit(Needs(1.0, 1.0, 32e9), [SMALL, LARGE])
