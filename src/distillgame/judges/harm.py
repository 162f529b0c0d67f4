"""Solutions made worse in a known way: steps in another order, a false number, garbled words."""

import random
import re
from dataclasses import dataclass

GARBLED_SHARE = 0.5
"""Share of the words that garbling replaces."""

TRIES = 100
"""Orders that are drawn before a solution counts as one that cannot be shuffled."""

_SEPARATORS = (
    r"\s*\n\s*",
    r"(?<=\s\.)\s+",
    r"(?<=[.!?])(?<!\b(?:Mr|Ms|Dr|St|vs)\.)(?<!\bMrs\.)\s+(?=[A-Z0-9$\\(])",
)
"""Ends of lines, lone full stops, ends of sentences: the first that occurs separates the steps."""

_NUMBER = r"(?<![\w.])((?:[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})(?:\.[0-9]{1,15})?)(?!\w)"
_RESULT = rf"(?<![<>!:=])=\s*(?:\\?[$£€])?\s*-?{_NUMBER}"
_CALCULATION = re.compile(r"[^0-9]*[0-9].*?(?:[-+*/x×÷·]|\\times|\\cdot)")

_OPENING = re.compile(r"(?<!\\)\\[\[(]|\\begin\{|\[asy\]")
_CLOSING = re.compile(r"(?<!\\)\\[\])]|\\end\{|\[/asy\]")
_DOLLAR = re.compile(r"(?<!\\)\$")


@dataclass(frozen=True)
class Parts:
    """A solution's parts: all steps but the ending, with what stands behind each, add up to the text before it.

    Attributes:
        steps: The steps before the ending.
        gaps: What stands behind each step.
        ending: The final answer: ``#### 36``; else the last step with a box and what follows it; else the last step.
    """

    steps: tuple[str, ...]
    gaps: tuple[str, ...]
    ending: str

    @property
    def body(self) -> str:
        """The text before the ending."""
        return "".join(step + gap for step, gap in zip(self.steps, self.gaps, strict=True))


def parts_of(text: str) -> Parts:
    """Return the parts of a solution in lines, in sentences or in an embedded world's notation.

    Formulas and drawings that span several lines stay in one piece.
    """
    body, sign, answer = text.rpartition("####")
    if not sign:
        body, answer = text, ""
    kept = body.rstrip()
    steps, gaps = [kept], [""]
    for separator in _SEPARATORS:
        steps, gaps = _pieces(kept, separator)
        if len(steps) > 1:
            break
    gaps[-1] = body[len(kept) :]
    count = len(steps)
    if not sign:
        boxed = [place for place, step in enumerate(steps) if "\\boxed" in step]
        count = boxed[-1] if boxed else count - 1
    elif not kept:
        count = 0
    rest = "".join(step + gap for step, gap in zip(steps[count:], gaps[count:], strict=True))
    return Parts(tuple(steps[:count]), tuple(gaps[:count]), rest + sign + answer)


def shuffled(text: str, rng: random.Random) -> str | None:
    """Return a solution with its steps in another order and the ending still last; None if it has fewer than two.

    At least half of all pairs of steps stand in reverse, so that it is not the old order but for a detail.
    """
    parts = parts_of(text)
    order = list(range(len(parts.steps)))
    for _ in range(TRIES if len(set(parts.steps)) > 1 else 0):
        rng.shuffle(order)
        pairs = [order[i] > order[j] for j in range(len(order)) for i in range(j)]
        steps = tuple(parts.steps[place] for place in order)
        if sum(pairs) * 2 >= len(pairs) and steps != parts.steps:
            return Parts(steps, parts.gaps, parts.ending).body + parts.ending
    return None


def planted(text: str, rng: random.Random) -> str | None:
    """Return a solution with one number before the ending changed, and nothing else; None if there is no number.

    The number is the result of a calculation, which is false then; without calculations, what an equation states; and
    without equations any number. The new one has as many digits and is close to the old.
    """
    parts = parts_of(text)
    body = parts.body
    results = list(re.finditer(_RESULT, body))
    calculated = [found for found in results if _CALCULATION.match(_left_side(body, found.start()))]
    numbers = calculated or results or list(re.finditer(_NUMBER, body))
    if not numbers:
        return None
    start, end = rng.choice(numbers).span(1)
    return body[:start] + _another(body[start:end], rng) + body[end:] + parts.ending


def garbled(text: str, rng: random.Random) -> str | None:
    """Return a solution in which half of the words before the ending change places and have their letters scrambled.

    None if there are fewer than two words.
    """
    parts = parts_of(text)
    tokens = re.split(r"(\s+)", parts.body)
    places = [place for place, token in enumerate(tokens) if token.strip()]
    if len(places) < 2:
        return None
    chosen = rng.sample(places, max(2, round(GARBLED_SHARE * len(places))))
    words = [_scrambled(tokens[place], rng) for place in chosen]
    for place, word in zip(sorted(chosen), words, strict=True):
        tokens[place] = word
    changed = "".join(tokens) + parts.ending
    return None if changed == text else changed


def _pieces(text: str, separator: str) -> tuple[list[str], list[str]]:
    """Return pieces of a text and the separators behind them; one within a formula does not count."""
    has_formulas = "\\" in text
    pieces = re.split(f"({separator})", text)
    steps, gaps = [pieces[0]], [""]
    for gap, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if has_formulas and _is_open(steps[-1]):
            steps[-1] += gap + piece
        else:
            gaps[-1] = gap
            steps.append(piece)
            gaps.append("")
    return steps, gaps


def _is_open(text: str) -> bool:
    return len(_OPENING.findall(text)) > len(_CLOSING.findall(text)) or len(_DOLLAR.findall(text)) % 2 == 1


def _left_side(text: str, sign: int) -> str:
    """Return what stands before an equals sign, back to the one before it or to the start of the line."""
    return text[max(text.rfind("=", 0, sign), text.rfind("\n", 0, sign)) + 1 : sign]


def _another(number: str, rng: random.Random) -> str:
    """Return another number with the same digits' places: ``1,250`` becomes ``1,310``, ``0.50`` becomes ``0.53``."""
    digits = re.sub(r"\D", "", number)
    value, size = int(digits), len(digits)
    least = 0 if digits.startswith("0") else 10 ** (size - 1)
    reach = max(3, value // 5)
    low, high = max(least, value - reach), min(10**size - 1, value + reach)
    new = rng.randrange(low, high)
    new += new >= value
    fresh = iter(str(new).zfill(size))
    return "".join(next(fresh) if char.isdigit() else char for char in number)


def _scrambled(word: str, rng: random.Random) -> str:
    letters = [char for char in word if char.isalpha()]
    rng.shuffle(letters)
    fresh = iter(letters)
    return "".join(next(fresh) if char.isalpha() else char for char in word)
