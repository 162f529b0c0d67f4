"""Real benchmark files, which are not part of the repository, as fixtures."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real benchmark files, which are not part of the repository."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DISTILLGAME_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no real data: set DISTILLGAME_DATA to a folder with gsm8k/ and math/")
    return folder


def _rows(*files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def gsm8k_answers(data_folder: Path) -> list[str]:
    """All worked solutions of GSM8K."""
    folder = data_folder / "gsm8k"
    return [row["answer"] for row in _rows(folder / "train.jsonl", folder / "test.jsonl")]


@pytest.fixture(scope="session")
def math_solutions(data_folder: Path) -> list[str]:
    """All worked solutions of MATH's test file."""
    return [row["solution"] for row in _rows(data_folder / "math" / "test.jsonl")]
