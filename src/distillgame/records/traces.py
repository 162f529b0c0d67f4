"""Traces as Parquet: the released conversations, and the measurements made while they were sampled.

Hugging Face trainers can read the ``messages`` column as it is. An attacker uses :func:`read_released`, which does not
read the measurements, because they come from the teacher's and the proxy's logits.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError

EXPOSED = ("token_top_ids", "token_top_logprobs")
"""Columns of traces from a server that exposed log-probabilities."""


@dataclass(frozen=True)
class ReleasedTrace:
    """The part of a trace that an attacker sees: the conversation, and whether the completion ended by itself."""

    messages: list[dict[str, str]]
    finish_reason: str = "stop"


@dataclass(frozen=True)
class Trace:
    """One released completion.

    Sums and per-token lists are in nats, after temperature and before top-p and top-k; forced tokens are counted and
    excluded. Fields that were not measured (no proxy, temperature 0) are None.

    Attributes:
        problem_id: The task's id of the problem.
        split: The split it was drawn from.
        policy: Name of the release policy.
        strength: Its parameters.
        seed: Seed of its random stream.
        messages: The conversation, with the completion last.
        finish_reason: ``stop`` or ``length``.
        extracted: The answer found in the completion.
        correct: Whether that answer is right.
        prompt_tokens: Tokens the teacher read.
        sampled_tokens: Tokens sampled, the end-of-sequence token included.
        forced_tokens: Tokens of the forced answer.
        accepted_tokens: Sampled tokens that had been proposed by the policy's draft; None without a proxy.
        kl: Sum over steps of KL(pi_rel‖pi_ref).
        kl_reverse: Sum over steps of KL(pi_ref‖pi_rel).
        logprob_released: Sum of log pi_rel.
        logprob_reference: Sum of log pi_ref.
        logprob_proxy: Sum of log pi_stu over the tokens that the proxy shares.
        v_gap: Sum of log pi_ref - log pi_stu over the tokens that the proxy shares.
        token_ids: The sampled tokens.
        token_kl: KL(pi_rel‖pi_ref) of each step.
        token_kl_reverse: KL(pi_ref‖pi_rel) of each step.
        token_logprob_released: log pi_rel of each token.
        token_logprob_reference: log pi_ref of each token.
        token_logprob_proxy: log pi_stu of each token, nan for tokens that the proxy does not share.
        token_v_gap: log pi_ref - log pi_stu of each token, likewise.
        token_top_ids: The likeliest released tokens of each step, if the server exposes them.
        token_top_logprobs: Their log pi_rel.
    """

    problem_id: str
    split: str
    policy: str
    strength: Mapping[str, float]
    seed: int
    messages: list[dict[str, str]]
    finish_reason: str
    extracted: str | None
    correct: bool
    prompt_tokens: int
    sampled_tokens: int
    forced_tokens: int
    accepted_tokens: int | None
    kl: float | None
    kl_reverse: float | None
    logprob_released: float
    logprob_reference: float
    logprob_proxy: float | None
    v_gap: float | None
    token_ids: list[int]
    token_kl: list[float] | None
    token_kl_reverse: list[float] | None
    token_logprob_released: list[float]
    token_logprob_reference: list[float]
    token_logprob_proxy: list[float] | None
    token_v_gap: list[float] | None
    token_top_ids: list[list[int]] | None = None
    token_top_logprobs: list[list[float]] | None = None

    @property
    def completion(self) -> str:
        """The released text."""
        return self.messages[-1]["content"]


def schema() -> Any:
    """Return the Arrow schema of a trace file."""
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    numbers = pa.list_(pa.float32())
    types: dict[str, Any] = {
        "messages": pa.list_(message),
        "strength": pa.string(),
        "correct": pa.bool_(),
        "token_ids": pa.list_(pa.int32()),
        "token_top_ids": pa.list_(pa.list_(pa.int32())),
        "token_top_logprobs": pa.list_(numbers),
        **dict.fromkeys(("problem_id", "split", "policy", "finish_reason", "extracted"), pa.string()),
        **dict.fromkeys(("seed", "prompt_tokens", "sampled_tokens", "forced_tokens", "accepted_tokens"), pa.int64()),
        **dict.fromkeys(("kl", "kl_reverse", "v_gap"), pa.float64()),
        **dict.fromkeys(("logprob_released", "logprob_reference", "logprob_proxy"), pa.float64()),
        **dict.fromkeys(("token_kl", "token_kl_reverse", "token_v_gap"), numbers),
        **dict.fromkeys(("token_logprob_released", "token_logprob_reference", "token_logprob_proxy"), numbers),
    }
    return pa.schema([(field.name, types[field.name]) for field in fields(Trace)])


def write_traces(path: Path, traces: Iterable[Trace]) -> None:
    """Write a trace file, completely or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [vars(trace) | {"strength": json.dumps(dict(trace.strength))} for trace in traces]
    partial = path.with_name(path.name + ".partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), partial)
    os.replace(partial, path)


def write_released(path: Path, traces: Sequence[ReleasedTrace], correct: Sequence[bool] | None = None) -> None:
    """Write only the part that an attacker sees, and, if it is known, whether each answer is right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "messages": pa.array([trace.messages for trace in traces], schema().field("messages").type),
        "finish_reason": pa.array([trace.finish_reason for trace in traces], pa.string()),
    }
    if correct is not None:
        columns["correct"] = pa.array(list(correct), pa.bool_())
    partial = path.with_name(path.name + ".partial")
    pq.write_table(pa.table(columns), partial)
    os.replace(partial, path)


def read_traces(path: Path) -> list[Trace]:
    """Read a trace file, measurements included.

    Raises:
        DistillgameError: If the file is missing, corrupt, or lacks columns.
    """
    names = [field.name for field in fields(Trace)]
    rows = _read(path, [name for name in names if name not in EXPOSED], optional=EXPOSED)
    return [Trace(**(row | {"strength": json.loads(row["strength"])})) for row in rows]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a problem: whether the answer is right, and whether the completion ended by itself."""

    problem_id: str
    correct: bool
    finish_reason: str


def read_outcomes(path: Path) -> list[Outcome]:
    """Read only the columns that accuracies are computed from.

    Raises:
        DistillgameError: If the file is missing, corrupt, or lacks columns.
    """
    return [Outcome(**row) for row in _read(path, [field.name for field in fields(Outcome)])]


def read_released(path: Path, correct_only: bool = False) -> list[ReleasedTrace]:
    """Read only the part that an attacker sees.

    Args:
        path: A trace file from any source, Parquet or JSON Lines (``.jsonl``); without a column ``finish_reason``
            every completion counts as ended by itself.
        correct_only: Keep only traces whose final answer is right, which an attacker can check where answers are
            public.

    Raises:
        DistillgameError: If the file is missing, corrupt, or lacks columns.
    """
    rows = _read(path, ["messages", *(["correct"] if correct_only else [])], optional=["finish_reason"])
    kept: Sequence[dict[str, Any]] = [row for row in rows if row["correct"]] if correct_only else rows
    return [
        ReleasedTrace(_conversation(row["messages"], f"{path}: row {i}"), row.get("finish_reason") or "stop")
        for i, row in enumerate(kept)
    ]


def read_verdicts(path: Path) -> list[bool] | None:
    """Return whether each trace's answer is right, as an attacker can tell where answers are public; else None.

    Raises:
        DistillgameError: If the file is missing or corrupt, or a verdict is neither true nor false.
    """
    rows = _read(path, ["messages"], optional=["correct"])
    if not rows or "correct" not in rows[0]:
        return None
    for i, row in enumerate(rows):
        if not isinstance(row["correct"], bool):
            raise DistillgameError(f"{path}: row {i}: 'correct' must be true or false (found {row['correct']!r})")
    return [row["correct"] for row in rows]


def _conversation(messages: Any, where: str) -> list[dict[str, str]]:
    """Check messages from an untrusted file."""
    turns = messages if isinstance(messages, list) else [messages]
    for turn in turns or [None]:
        if not isinstance(turn, dict) or not all(isinstance(turn.get(key), str) for key in ("role", "content")):
            shown = repr(turn)[:80]
            raise DistillgameError(f"{where}: 'messages' must list {{role, content}} with texts (found {shown})")
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _read(path: Path, columns: list[str], optional: Sequence[str] = ()) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow.json import ReadOptions
    from pyarrow.json import read_json as json_lines

    if not path.is_file():
        raise DistillgameError(f"{path}: no such trace file")
    try:
        # No line may be longer than a block.
        block = min(max(path.stat().st_size, 1), 2**31 - 1)
        lines = json_lines(path, ReadOptions(block_size=block)) if path.suffix == ".jsonl" else None
        present = lines.column_names if lines is not None else pq.read_schema(path).names
        missing = [column for column in columns if column not in present]
        if missing:
            raise DistillgameError(f"{path}: no column '{missing[0]}'; found: {', '.join(present) or 'nothing'}")
        wanted = [*columns, *(column for column in optional if column in present)]
        table = lines.select(wanted) if lines is not None else pq.read_table(path, columns=wanted)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError) as error:
        kind = "JSON Lines" if path.suffix == ".jsonl" else "Parquet"
        hint = "" if path.suffix in (".jsonl", ".parquet") else " (JSON Lines files end in .jsonl)"
        raise DistillgameError(f"{path}: not a readable {kind} file{hint}: {' '.join(str(error).split())}") from error
    return rows
