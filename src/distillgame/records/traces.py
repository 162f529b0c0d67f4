"""Traces as Parquet: the released conversations, and the measurements made while they were sampled.

Hugging Face trainers can read the ``messages`` column as it is. An attacker reads only what was released
(:mod:`distillgame.records.released`), because the measurements come from the teacher's and the proxy's logits.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from distillgame.errors import DistillgameError
from distillgame.records.columns import table_rows
from distillgame.tables import TableRow

T = TypeVar("T")

EXPOSED = ("token_top_ids", "token_top_logprobs")
"""Columns of traces from a server that exposed log-probabilities."""


@dataclass(frozen=True)
class Trace:
    """One released completion.

    Sums and per-token lists are in nats, after temperature and before top-p and top-k; forced tokens are counted and
    excluded. Fields that were not measured (no proxy, temperature 0) are None.

    Attributes:
        problem_id: The task's id of the problem.
        split: The split it was drawn from.
        policy: Name of the release policy.
        strength: Its options: numbers, and for policies with several proxies their names and weights.
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
    strength: Mapping[str, Any]
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


def read_traces(path: Path) -> list[Trace]:
    """Read a trace file, measurements included.

    Raises:
        DistillgameError: If the file is missing or corrupt, or a row lacks a column or has a value of another type.
    """
    names = [field.name for field in fields(Trace)]
    needed = [name for name in names if name not in EXPOSED]
    return [
        _checked(Trace, row.values | {"strength": _strength(row)}, row) for row in table_rows(path, needed, EXPOSED)
    ]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a problem: whether the answer is right, and whether the completion ended by itself."""

    problem_id: str
    correct: bool
    finish_reason: str


def read_outcomes(path: Path) -> list[Outcome]:
    """Read only the columns that accuracies are computed from.

    Raises:
        DistillgameError: If the file is missing or corrupt, or a row lacks a column or has a value of another type.
    """
    return [_checked(Outcome, row.values, row) for row in table_rows(path, [field.name for field in fields(Outcome)])]


def _strength(row: TableRow) -> Any:
    try:
        return json.loads(row.values["strength"])
    except (ValueError, TypeError) as error:
        raise DistillgameError(f"{row.place}: 'strength' must be a JSON object in a text") from error


def _checked(kind: Callable[..., T], values: dict[str, Any], row: TableRow) -> T:
    try:
        _fields(kind).model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise DistillgameError(f"{row.place}: '{field}': {first['msg']} (found {first['input']!r:.60})") from error
    return kind(**values)


@cache
def _fields(kind: Any) -> type[BaseModel]:
    """Return a model of a dataclass's fields: strict, so that the values are of these types as they are."""
    types: dict[str, Any] = {name: (hint, None) for name, hint in get_type_hints(kind).items()}
    return create_model(str(kind), __config__=ConfigDict(strict=True), **types)
