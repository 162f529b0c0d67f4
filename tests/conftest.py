"""Small models that many tests share: random weights, the embedded tokenizer, milliseconds a pass."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest
import torch

from distillgame.fork_server import fork_server
from distillgame.models import LanguageModel, ModelSpec, load_model, quiet

pytest_plugins = ["tests.real_data"]

gc.disable()  # until all is imported
quiet()
hypothesis.settings.register_profile("seeded", derandomize=True, deadline=None)
hypothesis.settings.load_profile("seeded")
# Tests run on all cores at once, and so do the processes that they start: small networks only lose by more threads.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"
# They start dozens of processes: each would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Where they are started from; see processes.py.
fork_server.preload("tests.command")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole games and trainings first: a process that begins one last works on while the others idle."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/arena/", "tests/worlds/")))


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later search for garbage; some libraries ask for one per training."""
    gc.enable()
    gc.freeze()


def make_model(width: int = 16, layers: int = 2, seed: int = 0, tokenizer: str = "embedded:teacher") -> LanguageModel:
    """Random weights, spread enough that distributions are far from uniform."""
    model = load_model(ModelSpec(source=f"init:{width}x{layers}", tokenizer=tokenizer, seed=seed))
    with torch.no_grad():
        for parameter in model.model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(20)
        model.model.get_input_embeddings().weight.mul_(2)
    return model


@pytest.fixture(scope="session")
def teacher() -> LanguageModel:
    return make_model(seed=1)


@pytest.fixture(scope="session")
def proxy() -> LanguageModel:
    return make_model(width=24, layers=1, seed=2)
