import dataclasses
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace, Trace, read_released, read_traces, write_traces

MEASURED = Trace(
    problem_id="p/1",
    split="train",
    policy="poe",
    strength={"gamma": 0.3},
    seed=7,
    messages=[{"role": "user", "content": "4 dog"}, {"role": "assistant", "content": "#### 16"}],
    finish_reason="stop",
    extracted="16",
    correct=True,
    prompt_tokens=4,
    sampled_tokens=3,
    forced_tokens=0,
    accepted_tokens=2,
    kl=0.75,
    kl_reverse=0.5,
    logprob_released=-1.5,
    logprob_reference=-2.25,
    logprob_proxy=-2.0,
    v_gap=0.5,
    token_ids=[5, 6, 7],
    token_kl=[0.25, 0.25, 0.25],
    token_kl_reverse=[0.25, 0.125, 0.125],
    token_logprob_released=[-0.5, -0.5, -0.5],
    token_logprob_reference=[-0.75, -0.75, -0.75],
    token_logprob_proxy=[-1.0, math.nan, -1.0],
    token_v_gap=[0.25, math.nan, 0.25],
)
GREEDY = dataclasses.replace(
    MEASURED,
    problem_id="p/2",
    kl=None,
    v_gap=None,
    token_kl=None,
    token_logprob_proxy=None,
    token_v_gap=None,
    correct=False,
    extracted=None,
)


def test_traces_survive_a_round_trip(tmp_path: Path) -> None:
    write_traces(tmp_path / "t.parquet", [MEASURED, GREEDY])
    first, second = read_traces(tmp_path / "t.parquet")
    assert second == GREEDY
    assert first.token_logprob_proxy is not None
    assert math.isnan(first.token_logprob_proxy[1])
    with_nan = {"token_logprob_proxy": None, "token_v_gap": None}
    assert dataclasses.replace(first, **with_nan) == dataclasses.replace(MEASURED, **with_nan)  # type: ignore[arg-type]


def test_hugging_face_datasets_reads_the_messages_as_they_are(tmp_path: Path) -> None:
    import datasets

    write_traces(tmp_path / "t.parquet", [MEASURED])
    loaded = datasets.Dataset.from_parquet(str(tmp_path / "t.parquet"), cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["messages"] == MEASURED.messages


def test_an_attacker_gets_text_and_nothing_that_was_measured(tmp_path: Path) -> None:
    """The guard of the threat model: whatever a trace comes to hold, these are the attacker's fields."""
    write_traces(tmp_path / "t.parquet", [MEASURED])
    released = read_released(tmp_path / "t.parquet")
    assert released == [ReleasedTrace(MEASURED.messages, "stop")]
    assert {field.name for field in dataclasses.fields(ReleasedTrace)} == {"messages", "finish_reason"}
    assert all(set(message) == {"role", "content"} for message in released[0].messages)


def test_the_attackers_reader_needs_no_measured_column(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"messages": MEASURED.messages}]), tmp_path / "t.parquet")
    assert read_released(tmp_path / "t.parquet") == [ReleasedTrace(MEASURED.messages, "stop")]


def test_released_traces_can_be_kept_by_their_answer(tmp_path: Path) -> None:
    write_traces(tmp_path / "t.parquet", [MEASURED, GREEDY])
    assert len(read_released(tmp_path / "t.parquet", correct_only=True)) == 1


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match=r"none\.parquet: no such trace file"):
        read_released(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DistillgameError, match=r"bad\.parquet: not a readable Parquet file"):
        read_traces(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "other.parquet")
    with pytest.raises(DistillgameError, match=r"other\.parquet: no column 'messages'; found: text"):
        read_released(tmp_path / "other.parquet")


def test_a_failed_write_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    broken = dataclasses.replace(MEASURED, token_ids=["not a number"])  # type: ignore[list-item]
    with pytest.raises((pa.ArrowException, TypeError, ValueError)):
        write_traces(tmp_path / "t.parquet", [broken])
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize(
    "messages", ['"text"', '[{"from": "human", "value": "hi"}]', '[{"role": "user", "content": null}]', "[]"]
)
def test_messages_of_another_shape_are_named(tmp_path: Path, messages: str) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text(f'{{"messages": {messages}}}\n')
    with pytest.raises(DistillgameError, match=r"traces.jsonl: row 0: 'messages' must list \{role, content\}"):
        read_released(path)


def test_an_attacker_may_bring_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]}\n' * 2)
    assert [trace.messages[1]["content"] for trace in read_released(path)] == ["2", "2"]
    path.write_text("not JSON\n")
    with pytest.raises(DistillgameError, match="not a readable JSON Lines file"):
        read_released(path)


def test_options_that_are_no_numbers_survive_a_round_trip(tmp_path: Path) -> None:
    trace = dataclasses.replace(
        GREEDY, strength={"gamma": 0.5, "proxies": {"proxy": 1, "olmo2": 2}, "combine": "worst"}
    )
    write_traces(tmp_path / "traces.parquet", [trace])
    assert read_traces(tmp_path / "traces.parquet") == [trace]
