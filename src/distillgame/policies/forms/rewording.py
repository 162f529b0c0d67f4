"""Forms that a model writes: the teacher's own summary, and a rewriting by another model.

``rewrite`` follows the defenses that rewrite traces by an instructed model, so that they stay right and readable and
teach less (arXiv 2602.15143). An answer that got lost on the way is never released: where no rewriting comes to the
completion's own answer, that answer is all there is.
"""

from typing import Any

from distillgame.errors import DistillgameError
from distillgame.models import Endpoint, ModelSpec, WriterSpec
from distillgame.policies.forms.base import WrittenForm, forms
from distillgame.policies.forms.cut import answer_alone
from distillgame.policies.forms.strategies import instruction
from distillgame.strict import parse
from distillgame.tasks import Message, Notation, extract_answer, same_answer


@forms.register("summary")
class SummaryForm(WrittenForm):
    """The teacher's own summary, with the final answer of the completion."""

    def ask(self, prompt: list[Message], completion: str, notation: Notation) -> list[Message]:
        """Return the request for a summary."""
        return notation.summarising(prompt, completion)

    def accepts(self, completion: str, written: str) -> bool:
        """Return True: a summary's answer is put right."""
        return True

    def choose(self, completion: str, written: str | None, notation: Notation) -> str:
        """Return the summary, followed by the completion's answer if the summary ends with another or none."""
        answer, summary = extract_answer(completion), written or ""
        if answer is None or extract_answer(summary) == answer:
            return summary
        return f"{summary.rstrip()}\n{notation.final_answer(answer)}".lstrip()


@forms.register("rewrite")
class RewriteForm(WrittenForm):
    """A rewriting by another model that comes to the completion's answer.

    Args:
        writer: The model: a source, as models are named, or ``{endpoint: URL, model: NAME}``.
        strategy: Its instruction, by name.
        strategies: A YAML file of instructions by name; the shipped ones by default.
        tries: Rewritings per completion, of which the first is released that comes to the same answer.
    """

    def __init__(
        self,
        writer: str | dict[str, Any],
        strategy: str = "results",
        strategies: str | None = None,
        tries: int = 2,
    ):
        if tries < 1:
            raise DistillgameError(f"form 'rewrite': tries must be at least 1 (found {tries!r})")
        self.writer = _writer(writer)
        self.tries = tries
        self.instruction = instruction(strategy, strategies)

    def ask(self, prompt: list[Message], completion: str, notation: Notation) -> list[Message]:
        """Return the strategy's request."""
        return notation.rewording(prompt, completion, self.instruction)

    def accepts(self, completion: str, written: str) -> bool:
        """Return whether a rewriting comes to the completion's answer; any will do if the completion has none."""
        answer = extract_answer(completion)
        return answer is None or same_answer(written, answer)

    def choose(self, completion: str, written: str | None, notation: Notation) -> str:
        """Return the rewriting, or the completion's answer alone."""
        return answer_alone(completion, notation) if written is None else written


def _writer(named: str | dict[str, Any]) -> WriterSpec:
    where = "form 'rewrite': writer"
    if isinstance(named, str):
        return parse(ModelSpec, {"source": named}, where)
    return parse(Endpoint, named, where) if "endpoint" in named else parse(ModelSpec, named, where)
