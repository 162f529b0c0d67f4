r"""The tokens of a text that is searched for arithmetic: numbers, signs, brackets, words, and what breaks a formula.

A dollar sign is a currency or begins a formula, ``x`` is a product between numbers and an unknown elsewhere, an
exclamation mark is a factorial or ends a sentence. Everything is decided by looking at a few characters around, so that
the time is linear in the length of the text. Positions are those in the text.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from distillgame.judges.checked.arithmetic.lexicon import CONJUNCTIONS, UNITS, VARIABLES
from distillgame.judges.checked.arithmetic.patterns import (
    BULLET,
    FACTOR_NEXT,
    FACTORIAL_NEXT,
    GLUED,
    OPERATOR_NEXT,
    POWER_OF_UNIT,
    RELATION_NEXT,
    SUPERSCRIPTS,
    TOKEN,
    formulas,
)


class Kind(Enum):
    """The kinds of tokens."""

    NUMBER = auto()
    SIGN = auto()
    RELATION = auto()
    OPEN = auto()
    CLOSE = auto()
    GROUP = auto()
    COMMAND = auto()
    PERCENT = auto()
    FACTORIAL = auto()
    WORD = auto()
    UNKNOWN = auto()
    BREAK = auto()


@dataclass(slots=True)
class Token:
    """A token.

    Attributes:
        kind: Its kind.
        text: Its text in one spelling: a number's digits, ``*`` for every sign of a product.
        start: Where it begins.
        end: Where it ends.
        inside: The tokens in a group.
    """

    kind: Kind
    text: str
    start: int
    end: int
    inside: "Tokens"


REMARK = " ("
"""The text of a bracket in prose with a blank before it, which may begin a remark."""

Tokens: TypeAlias = list[Token]

_SIGNS = {"times": "*", "divided": "/", "plus": "+", "minus": "-", "power": "^"}
_DIGITS = re.compile(r"[^0-9.]")


def tokens(text: str) -> Tokens:
    """Return the tokens of a text whose characters are plain."""
    return _Scanner(text).scan()


class _Scanner:
    """Makes tokens from left to right."""

    def __init__(self, text: str):
        self.text = text
        self.found: Tokens = []
        self.inside = bytearray(len(text) + 1)  # 1 in a formula between dollar signs
        self.apart = set()  # where a formula begins right behind another one
        behind = 0
        for start, end in formulas(text):
            self.inside[start:end] = b"\1" * (end - start)
            if not text[behind:start].strip():
                self.apart.add(start)
            behind = end
        self.formula = False

    def scan(self) -> Tokens:
        bullet = BULLET.match(self.text)
        position = bullet.end() if bullet else 0
        while position < len(self.text):
            match = TOKEN.match(self.text, position)
            if match is None:
                break
            kind = str(match.lastgroup)
            handler = getattr(self, f"_{kind}", None)
            if handler is not None:
                position = handler(match) or match.end()
            else:
                self._simple(kind, match)
                position = match.end()
        return self.found

    def math(self, position: int) -> bool:
        return self.formula or bool(self.inside[position])

    def add(self, kind: Kind, text: str, start: int, end: int) -> None:
        self.found.append(Token(kind, text, start, end, []))

    def last(self) -> Token | None:
        return self.found[-1] if self.found else None

    def after(self, *kinds: Kind) -> bool:
        last = self.last()
        return last is not None and last.kind in kinds

    def _simple(self, kind: str, match: re.Match[str]) -> None:
        """Add a token whose kind is clear from its characters."""
        start, end = match.span()
        if kind in _SIGNS:
            self.add(Kind.SIGN, _SIGNS[kind], start, end)
        elif kind in ("equal", "about"):
            self.add(Kind.RELATION, "=" if kind == "equal" else "~", start, end)
        elif kind in ("open", "close"):
            remark = kind == "open" and match[0] == "(" and self.text[start - 1 : start].isspace()
            name = REMARK if remark and not self.math(start) else match[0]
            self.add(Kind.OPEN if kind == "open" else Kind.CLOSE, name, start, end)
        elif kind in ("other", "stop"):
            self.add(Kind.BREAK, match[0], start, end)
        elif kind == "percent":
            self.add(Kind.PERCENT, "%", start, end)
        elif kind in ("unknown", "rest"):
            self.add(Kind.UNKNOWN, match[0], start, end)

    def _row(self, match: re.Match[str]) -> None:
        if RELATION_NEXT.match(self.text, match.end()):
            return
        # A row that begins with a sign goes on with the last one, or begins with a negative number.
        unknown = OPERATOR_NEXT.match(self.text, match.end()) is not None
        self.add(Kind.UNKNOWN if unknown else Kind.BREAK, match[0], *match.span())

    def _line(self, match: re.Match[str]) -> int | None:
        if self.math(match.start()) and not re.search(r"\n\s*\n", match[0]):
            return None
        if RELATION_NEXT.match(self.text, match.end()) or self.after(Kind.RELATION):
            return None
        self.add(Kind.BREAK, "\n", *match.span())
        self.formula = False
        bullet = BULLET.match(self.text, match.end())
        return bullet.end() if bullet else None

    def _number(self, match: re.Match[str]) -> int | None:
        start, end = match.span()
        self.add(Kind.NUMBER, _DIGITS.sub("", match[0]), start, end)
        glued = GLUED.match(self.text, end)
        if glued is None:
            if self.text[end : end + 1] == "_":
                self.add(Kind.UNKNOWN, "_", end, end + 1)
            return None
        word = glued[0]
        if word[0] in "-/":
            if len(word) < 3 or self.math(end):
                return None
            self.add(Kind.WORD, word, *glued.span())
        elif word in "xX" and FACTOR_NEXT.match(self.text, glued.end()):
            self.add(Kind.SIGN, "*", *glued.span())
        elif word.lower() in UNITS and not (self.math(end) and len(word) == 1):
            self.add(Kind.WORD, word, *glued.span())
        else:
            self.add(Kind.UNKNOWN, word, *glued.span())
        return glued.end()

    def _vulgar(self, match: re.Match[str]) -> None:
        self.add(Kind.NUMBER, unicodedata.normalize("NFKC", match[0]).replace("⁄", "/"), *match.span())

    def _frac(self, match: re.Match[str]) -> None:
        top, bottom = re.findall("[0-9]", match[0])
        self.add(Kind.NUMBER, f"{top}/{bottom}", *match.span())

    def _raised(self, match: re.Match[str]) -> None:
        self.add(Kind.SIGN, "^", match.start(), match.start())
        self.add(Kind.NUMBER, match[0].translate(SUPERSCRIPTS), *match.span())

    def _command(self, match: re.Match[str]) -> None:
        name = "frac" if "frac" in match[0] else "binom" if "binom" in match[0] else "pi"
        if match[0].startswith(("\\sqrt", "√")):
            name = "root" + (_DIGITS.sub("", match[0]) or "2")
        self.add(Kind.COMMAND, name, *match.span())

    def _text(self, match: re.Match[str]) -> None:
        words = match[0].partition("{")[2].rstrip("}")
        if any(character.isdigit() for character in words):
            self.add(Kind.UNKNOWN, words, *match.span())
        elif CONJUNCTIONS.match(words):
            self.add(Kind.BREAK, words, *match.span())
        elif words.strip():
            self.add(Kind.WORD, words.strip(), *match.span())

    def _currency(self, match: re.Match[str]) -> None:
        if match.start() in self.apart:
            self.add(Kind.BREAK, "$", *match.span())
        elif match[0][0].isalpha() and self.math(match.start()):
            self.add(Kind.UNKNOWN, match[0], *match.span())

    def _delimiter(self, match: re.Match[str]) -> None:
        self.formula = match[0] == r"\("

    def _display(self, match: re.Match[str]) -> None:
        self.add(Kind.BREAK, match[0], *match.span())
        self.formula = match[0] == r"\[" or "begin" in match[0]

    def _exclamation(self, match: re.Match[str]) -> None:
        factorial = self.math(match.start()) or FACTORIAL_NEXT.match(self.text, match.end())
        behind = self.after(Kind.NUMBER, Kind.CLOSE)
        self.add(Kind.FACTORIAL if factorial and behind else Kind.BREAK, "!", *match.span())

    def _align(self, match: re.Match[str]) -> None:
        if not (RELATION_NEXT.match(self.text, match.end()) or self.after(Kind.RELATION)):
            joined = self.after(Kind.SIGN) or OPERATOR_NEXT.match(self.text, match.end())
            self.add(Kind.UNKNOWN if joined else Kind.BREAK, "&", *match.span())

    def _letters(self, match: re.Match[str]) -> int | None:
        word, (start, end) = match[0], match.span()
        called = self.text[end : end + 1] == "("
        if word in "xX" and not called and not self.math(start) and FACTOR_NEXT.match(self.text, end):
            self.add(Kind.SIGN, "*", start, end)
            return None
        if word == "x" and self.after(Kind.NUMBER) and re.compile(r"\s+[0-9]").match(self.text, end):
            self.add(Kind.SIGN, "*", start, end)
            return None
        unit = word.lower() in UNITS and self.after(Kind.NUMBER)
        unknown = word[0] == "\\" or word[-1] in "0123456789_" or called or VARIABLES.match(word)
        if (unknown or self.math(start)) and not (unit and (len(word) > 1 or not self.math(start))):
            self.add(Kind.UNKNOWN, word, start, end)
            return None
        raised = POWER_OF_UNIT.match(self.text, end)
        self.add(Kind.WORD, word, start, raised.end() if raised else end)
        return raised.end() if raised else None
