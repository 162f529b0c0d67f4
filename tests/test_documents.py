from pathlib import Path
from typing import Any

import click
import pytest

from distillgame.cli.options import assignments
from distillgame.documents import parse_yaml, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-1", 0.5), ("1e5", 1e5), ("+1E3", 1000.0), ("-.5e0", -0.5), ("1.5e+3", 1500.0), (".5", 0.5), ("5", 5),
        ("1.e2", 100.0), ("5e", "5e"), ("e5", "e5"), ("1e-5x", "1e-5x"), ("1e", "1e"), ("'5e-1'", "5e-1"),
    ],
)  # fmt: skip
def test_numbers_are_those_of_json_too(text: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"gamma: {text}\nmany: [{text}]\n")
    assert read_document(tmp_path / "c.yaml") == {"gamma": value, "many": [value]}
    (found,) = assignments((f"gamma={text}",), "NAME=VALUE").values()
    assert (type(found), found, parse_yaml(text)) == (type(value), value, value)


def test_what_is_no_assignment_is_said() -> None:
    for pair in ("gamma", "=5", "gamma=[1"):
        with pytest.raises(click.BadParameter):
            assignments((pair,), "NAME=VALUE")
