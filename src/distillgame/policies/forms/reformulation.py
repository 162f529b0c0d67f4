"""The form ``reformulate``: a completion without self-talk, its conclusion first; by rules, without a model.

Reasoning models think aloud, and a student that is trained on it learns to search. This form releases what a report
would say: the answer, then the steps. What carries mathematics stays, word for word.
"""

import re

from distillgame.policies.forms.base import Form, forms
from distillgame.tasks import Notation, extract_answer, stated_answer

_SENTENCE = re.compile(r"(?<=[.!?…])[ \t]+(?=[^\W\d_a-z]|[\"“'(\\$*])")
_PAUSE = r"(?:\s*(?:[,!—–]|\.\.+|…|\.(?=\s|$))\s*)+"
_INTERJECTION = re.compile(
    r"(?:(?:oh )?wait|hm+|uh+|ah|oh|okay|ok|alright|all right|right|so|well|now|no|yes|yeah|actually|perfect|great|"
    rf"good|hold on|let me (?:see|think|check)|let['’]s see|first things first){_PAUSE}",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"(?:i (?:think|guess|believe|suppose) (?:that )?|it seems (?:that )?)(?=\w)|"
    r"let me (?:\w+[ -]){0,3}(?:verify|check|compute|calculate|recompute|recalculate|see)\b[^:.!?\d]{0,40}:\s*",
    re.IGNORECASE,
)
_SELF_TALK = re.compile(
    r"(?:(?:so|now|but|and|then|well),? )?(?:(?:let me|let us|maybe i|perhaps i|did i|have i|am i|do i|should i)\b|"
    r"let['’]s\b|i(?:['’]ll|['’]m| will| am| need to| should| want to| have to| can| could| must)\b|"
    r"i (?:wonder|remember|recall)\b|we (?:need|should|want|have) to (?:find|check|verify|figure|make sure|be careful)|"
    r"(?:is|does|was) (?:that|this|it) (?:right|correct|make sense)|"
    r"that(?:['’]s| is| seems| looks) (?:right|correct|good)|"
    r"(?:just )?(?:to )?(?:double[- ]?check|make sure|be sure)|(?:yes|wait|hm+)[.!…]*$)",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?:[\W_]|(?:boxed|fbox|text|mathbf|textbf)|\b(?:so|thus|therefore|hence|and|finally|in|conclusion|then|which|"
    r"means|that|we|get|have|the|our|final|correct|answer|result|solution|is|are|be|must|total|equals|to|of|this|"
    r"problem|question)\b)*",
    re.IGNORECASE,
)
"""A sentence that says nothing beside its answer, which was taken out."""

_MATHEMATICS = re.compile(r"[\d=\\$<>^]")
_FENCE = re.compile(r"^\s*(?:```|~~~)")


@forms.register("reformulate")
class ReformulateForm(Form):
    """A completion without its self-talk, and with its conclusion first.

    Where an answer that stands first would not be read back as the same answer, it stays where it was.
    """

    whole = True

    def release(self, completion: str, notation: Notation) -> str:
        """Return the completion, reformulated."""
        own = notation.reformulated(completion)
        if own is not None:
            return own
        answer = extract_answer(completion)
        silent = without_self_talk(completion)
        if answer is None:
            return silent
        moved = f"{notation.final_answer(answer)}\n\n{_without_conclusion(silent, answer)}".rstrip()
        return next(text for text in (moved, silent, completion) if extract_answer(text) == answer)


def without_self_talk(text: str) -> str:
    """Return a text without the words in which its author talks to himself; blocks of code stay as they are.

    Args:
        text: The text.
    """
    lines, fenced = [], False
    for line in text.splitlines():
        fence = _FENCE.match(line) is not None
        fenced ^= fence
        kept = line if fenced or fence else _silent(line)
        if kept.strip() or not line.strip():
            lines.append(kept)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _silent(line: str) -> str:
    """Return a line without sentences of self-talk that hold no mathematics, and the others without interjections."""
    indent = line[: len(line) - len(line.lstrip())]
    kept = []
    for sentence in _SENTENCE.split(line.strip()):
        told = sentence
        while found := _INTERJECTION.match(told) or _HEDGE.match(told):
            told = told[found.end() :]
        if told and (_MATHEMATICS.search(told) or not _SELF_TALK.match(told)):
            kept.append(told if told == sentence else told[:1].upper() + told[1:])
    return indent + " ".join(kept) if kept else ""


def _without_conclusion(text: str, answer: str) -> str:
    """Return a text without the sentences at its end that state the answer and say nothing else."""
    lines = text.splitlines()
    while lines:
        *before, last = _SENTENCE.split(lines[-1].strip())
        bare = _BARE.fullmatch(last.replace(answer, "", 1)) is not None
        if last and not (bare and stated_answer(last) == answer):
            break
        lines[-1:] = [" ".join(before)] if before else []
    return "\n".join(lines)
