"""The judge itself: its criteria, and how they make up auditability."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import ClassVar

from distillgame.judges.base import AUDITABILITY, Exhibit, Judge, Judgement, Mark, Scale, Tools, judges
from distillgame.judges.checked.arithmetic.numbers import Value, agree
from distillgame.judges.checked.arithmetic.statements import Statement, statements, value_of
from distillgame.judges.checked.damage import damaged
from distillgame.judges.checked.steps import SELF_TALK, Step, sentences, steps
from distillgame.judges.checked.surprise import mean_log_probability
from distillgame.judges.checked.totals import in_notation, totals
from distillgame.models import ModelSpec
from distillgame.strict import parse
from distillgame.tasks import extract_answer

SURPRISE = "surprise"
LOWEST = -20.0
"""The lowest mean log-probability that is told apart, in nats per token."""


@judges.register("checked")
class CheckedJudge(Judge):
    """Programs that check a trace's arithmetic and look for damage; they need no language model.

    Its criteria are shares from 0 to 1: ``true`` of the statements hold, ``checkable`` of the steps have one,
    ``clean`` is neither repeated nor corrupt, ``working`` are steps rather than talk; the answer ``follows`` from the
    last statement (1), from another one (0.5), or not at all. Auditability is 1 + 4 * mean(checkable, true, follows,
    clean), where what is missing counts 0. The formula is a convention of ours.

    Args:
        reader: Source of an independent language model; its mean log-probability of a trace's tokens in nats is the
            criterion ``surprise``, which is no part of auditability.

    Raises:
        DistillgameError: If the reader is not a source.
    """

    name: ClassVar[str] = "checked"

    def __init__(self, reader: str | None = None):
        self._reader = None if reader is None else parse(ModelSpec, {"source": reader}, "judge 'checked': reader")

    @property
    def scales(self) -> Mapping[str, Scale]:
        """Shares, auditability from 1 to 5, and the log-probability if there is a reader."""
        shares = {name: Scale(0, 1) for name in ("true", "checkable", "follows", "clean", "working")}
        surprise = {} if self._reader is None else {SURPRISE: Scale(LOWEST, 0)}
        return {AUDITABILITY: Scale(1, 5)} | shares | surprise

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        """The reader, if there is one."""
        return {} if self._reader is None else {"reader": self._reader}

    def judge(self, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
        """Return a judgement per exhibit; only ``surprise`` takes more than milliseconds."""
        judgements = []
        for exhibit in exhibits:
            scores, found = assess(exhibit.text)
            if self._reader is not None:
                surprise = mean_log_probability(tools.models["reader"](), exhibit)
                scores |= {} if surprise is None else {SURPRISE: max(LOWEST, surprise)}
            marks = tuple(Mark(statement.start, statement.end, statement.true) for statement in found)
            judgements.append(Judgement(scores, marks=marks))
            tools.progress(len(judgements), len(exhibits))
        return judgements


def assess(text: str) -> tuple[dict[str, float], list[Statement]]:
    """Return the scores of a trace and its statements; an empty trace has only the lowest auditability."""
    if not text.strip():
        return {AUDITABILITY: 1.0}, []
    found = statements(text)
    results = [(statement.end, statement.result) for statement in found]
    if in_notation(text):
        running = totals(text)
        found += [total.statement for total in running if total.checked]
        found.sort(key=lambda statement: statement.start)
        results += [(total.statement.end, total.statement.result) for total in running]
    parts, flags = steps(text, found), damaged(text, found)
    scores = {
        "checkable": sum(step.checkable for step in parts) / max(1, len(parts)),
        "clean": 1 - _share(text, flags),
        "working": _working(text, parts, flags),
    }
    if found:
        scores["true"] = sum(statement.true for statement in found) / len(found)
    follows = _follows(text, [value for _, value in sorted(results, key=lambda result: result[0])])
    if follows is not None:
        scores["follows"] = follows
    counted = (scores.get(name, 0.0) for name in ("checkable", "true", "follows", "clean"))
    return {AUDITABILITY: 1 + 4 * fmean(counted)} | scores, found


def _follows(text: str, results: list[Value]) -> float | None:
    """Return 1 if the answer is the last result, 0.5 if it is another one, else 0; None without an answer."""
    answer = extract_answer(text)
    if answer is None:
        return None
    value = value_of(answer)
    if value is None or not results:
        return 0.0
    if agree(results[-1], value, about=False):
        return 1.0
    return 0.5 if any(agree(result, value, about=False) for result in results) else 0.0


def _working(text: str, parts: list[Step], flags: bytearray) -> float:
    """Return the share of the steps' characters that stand beside a statement and are neither damaged nor talk."""
    working, counted = bytearray(len(text)), bytearray(len(text))
    for step in parts:
        counted[step.start : step.end] = b"\1" * (step.end - step.start)
        if step.checkable:
            for start, end in sentences(text, step.start, step.end):
                talks = SELF_TALK.match(text, start, end) and not any(map(str.isdigit, text[start:end]))
                if not talks:
                    working[start:end] = b"\1" * (end - start)
    carried = bytes(here and not broken for here, broken in zip(working, flags, strict=True))
    return _share(text, carried) / (_share(text, counted) or 1.0)


def _share(text: str, flags: bytes | bytearray) -> float:
    """Return the share of characters that are flagged, white space left out."""
    visible = [flag for character, flag in zip(text, flags, strict=True) if not character.isspace()]
    return sum(visible) / len(visible)
