"""Lessons from files: a completion that ended is learnt with its end, however its server says so."""

import json
from pathlib import Path

import pytest

from distillgame.models import LanguageModel
from distillgame.records import read_released
from distillgame.students.lessons import encode

TURNS = [{"role": "user", "content": "4 dog"}, {"role": "assistant", "content": "4 dog total 16 . #### 16"}]


@pytest.mark.parametrize(
    ("reason", "ends"),
    [
        *(
            (name, True)
            for name in ("stop", "eos_token", "EOS", "STOP", "end_turn", "stop_sequence", "completed", None)
        ),
        *((name, False) for name in ("length", "max_tokens", "MAX_TOKENS", "model_length")),
    ],
)
def test_an_ended_completion_is_learnt_with_its_end_token(
    tmp_path: Path, teacher: LanguageModel, reason: str | None, ends: bool
) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"messages": TURNS, "finish_reason": reason}) + "\n")
    (trace,) = read_released(tmp_path / "t.jsonl")
    lesson = encode(teacher, trace, 512)
    assert lesson is not None
    assert (lesson.example.target[-1] == teacher.tokenizer.eos_token_id) == ends
