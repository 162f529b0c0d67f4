"""Flags on judges: reasons not to believe what they say about legibility."""

import re
from collections.abc import Iterator
from math import comb

from distillgame.arena.config import GameConfig
from distillgame.judges import JudgeChoice
from distillgame.records import FlagRow, JudgeRow, Results

LEAST_ALPHA = 0.667
"""Krippendorff's bound: below it, no conclusions ("Content Analysis", 2004, section 11.4.1)."""

MOST_CORRELATION = 0.7
"""Rank correlation with length from which a score is said to follow it."""

MOST_WAVERING = 1.0
"""Levels by which two scores of one trace may differ on average."""

MOST_MOVED = 0.05
"""Share of injected solutions that may rise by a level."""

NOISE = 0.125
"""Probability that they rise so often, as often as they fall otherwise, from which a rise is taken for noise."""

FAMILIES = (
    "embedded", "claude", "command", "deepseek", "falcon", "gemini", "gemma", "glm", "gpt", "grok", "kimi", "llama",
    "minimax", "mistral", "mixtral", "nemotron", "olmo", "phi", "qwen", "smollm", "tinyllama",
)  # fmt: skip
"""Beginnings of names by which families of models are known."""


def judge_flags(results: Results, config: GameConfig) -> Iterator[FlagRow]:
    """Yield the flags on a game's judges.

    Args:
        results: The game.
        config: Its configuration.
    """
    found = results.legibility
    if found is None:
        return
    choices = {choice.label: choice for choice in config.judge.judges}
    for judge in found.judges:
        yield from _of(judge)
        shared = sorted(_families_of(choices[judge.judge]) & _families(*filter(None, results.models.values())))
        if shared:
            yield _flag("judge_of_the_family", f"{judge.judge} and a player are both of the family {', '.join(shared)}")
    for row in found.agreements:
        if row.alpha < LEAST_ALPHA:
            yield _flag("judges_disagree", f"{row.first} and {row.second}: alpha {row.alpha:.2f}")


def _of(judge: JudgeRow) -> Iterator[FlagRow]:
    wrong = [anchor.kind.replace("_", " ") for anchor in judge.anchors if anchor.in_order is False]
    if wrong:
        message = f"{judge.judge} does not put reference solutions above these beyond chance: {', '.join(wrong)}"
        yield _flag("anchors_out_of_order", message)
    correlation = judge.length_correlation
    if correlation is not None and abs(correlation) > MOST_CORRELATION:
        yield _flag("length_explains_score", f"{judge.judge}: rank correlation {correlation:+.2f}")
    if judge.repeated is not None and judge.repeated > MOST_WAVERING:
        yield _flag("judge_wavers", f"{judge.judge}: two scores of one trace differ by {judge.repeated:.1f} on average")
    if judge.moved is not None and (judge.moved.interval.low > 0 or _rise(judge, judge.moved.n)):
        rise, fall = (f"{share or 0:.0%}" for share in (judge.moved_share, judge.fallen_share))
        shares = f"{rise} of solutions that ask for it rise by a level, {fall} fall"
        yield _flag("judge_is_talked_round", f"{judge.judge}: {shares}; {judge.moved.mean:+.2f} on average")


def _rise(judge: JudgeRow, solutions: int) -> bool:
    """Return True if solutions that talk to a judge rise too often, and more often than a noisy judge would have it."""
    rises, falls = (round((share or 0) * solutions) for share in (judge.moved_share, judge.fallen_share))
    if rises <= MOST_MOVED * solutions:
        return False
    moves = rises + falls
    return sum(comb(moves, k) for k in range(rises, moves + 1)) <= NOISE * (1 << moves)


def _families_of(choice: JudgeChoice) -> set[str]:
    """Return the families of the models behind a judge: those that it runs, and one that it names."""
    named = [str(value) for name, value in choice.options.items() if name == "model"]
    return _families(*(spec.source for spec in choice.judge.models.values()), *named)


def _families(*sources: str) -> set[str]:
    words = {word for source in sources for word in re.findall("[a-z]+", source.lower())}
    return {family for family in FAMILIES if any(word.startswith(family) for word in words)}


def _flag(name: str, message: str) -> FlagRow:
    return FlagRow(flag=name, defense=None, student=None, queries=None, message=f"{message[0].upper()}{message[1:]}.")
