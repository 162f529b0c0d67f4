import os

import pytest

from distillgame.models import load_model
from distillgame.students import make_student
from distillgame.students.training.environment import own_settings
from tests.students.training.test_distill import close, run

SETTINGS = {
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "3",
    "ACCELERATE_DYNAMO_BACKEND": "EAGER",
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "PARALLELISM_CONFIG_CP_SIZE": "2",
}


def test_settings_of_accelerate_change_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("embedded:teacher")
    expected, _ = run(model, make_student("passive"))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    found, _ = run(model, make_student("passive"))
    assert close(found, expected, atol=0)
    assert {name: os.environ[name] for name in SETTINGS} == SETTINGS


def fail_inside() -> None:
    with own_settings():
        os.environ["ACCELERATE_USE_FSDP"] = "true"
        raise RuntimeError


def test_the_environment_is_as_before_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(RuntimeError):
        fail_inside()
    assert os.environ["ACCELERATE_MIXED_PRECISION"] == "bf16"
    assert "ACCELERATE_USE_FSDP" not in os.environ
