"""Can a student be played: what it needs, against what a target and a game give."""

from distillgame.arena.config import GameConfig
from distillgame.arena.plan.targets import Target
from distillgame.models import load_tokenizer
from distillgame.students import StudentChoice


def lacking(
    choice: StudentChoice, target: Target, queries: int, config: GameConfig, shares_vocabulary: bool
) -> str | None:
    """Return the first thing that a student needs and is not given, in words; None if it can be played.

    Args:
        choice: The student.
        target: What it attacks.
        queries: How many traces it may ask for.
        config: The game.
        shares_vocabulary: Whether teacher, student and proxies have one vocabulary.
    """
    needs = choice.student.needs
    least = max(needs.draws, needs.rounds)
    reasons = {
        "a proxy in the configuration": needs.proxy and not config.all_proxies,
        "a third model (attacker.paraphraser)": needs.paraphraser and config.attacker.paraphraser is None,
        "log-probabilities": needs.logprobs and not target.exposes,
        "the teacher's vocabulary": needs.logprobs and not shares_vocabulary,
        "several draws of a prompt": needs.draws > 1 and not target.can_ask,
        f"at least {least} queries": needs.traces and least > queries,
        "the problems that the traces answer": needs.asks_own and not target.can_ask,
        "to know which answers are right": needs.verdicts and not target.verdicts,
    }
    return next((what for what, is_lacking in reasons.items() if is_lacking), None)


def share_vocabulary(config: GameConfig) -> bool:
    """Return whether token ids mean the same to teacher, student and proxies."""
    specs = [config.teacher, config.student, *config.all_proxies.values()]
    first, *others = (load_tokenizer(spec).get_vocab() for spec in specs)
    return all(other == first for other in others)
