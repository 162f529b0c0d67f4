"""Heavy libraries are imported where they are used: commands start fast, and what needs no network needs no PyTorch."""

import subprocess
import sys

import pytest

from distillgame.cli.main import VERBS

TRAINING = {"transformers.trainer", "accelerate", "datasets", "pandas", "peft"}
MODELS = {"transformers.modeling_utils", "transformers.generation", "transformers.cache_utils"}
EXTRAS = {"gguf", "math_verify", "matplotlib", "reasoning_gym", "scipy", "sklearn", "sympy", "torchvision"}


def loaded(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n' + ' '.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


def test_the_stages_load_nothing_but_torch() -> None:
    assert not loaded("import distillgame.arena.stages") & (TRAINING | MODELS | EXTRAS)


def test_the_command_line_loads_neither_torch_nor_a_verb() -> None:
    modules = loaded("import distillgame.cli.main")
    assert not modules & {"torch", "transformers", "numpy", "sqlalchemy", *TRAINING, *EXTRAS}
    assert not modules & set(VERBS.values())


@pytest.mark.parametrize(
    "arguments", ["[]", "['--help']", "['keys', '--help']", "['ledger', '--help']", "['play', '--help']"]
)
def test_help_needs_no_torch(arguments: str) -> None:
    code = f"from distillgame.cli.main import main\ntry:\n    main({arguments})\nexcept SystemExit:\n    pass"
    assert not loaded(code) & {"torch", "transformers", *TRAINING, *EXTRAS}


def test_keys_and_the_ledger_need_no_torch() -> None:
    modules = loaded("import distillgame.cli.keys, distillgame.cli.ledger")
    assert "distillgame.gateway.ledger.database" in modules
    assert not modules & {"torch", "transformers", *TRAINING, *EXTRAS}
