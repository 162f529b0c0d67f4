r"""The grammar of arithmetic, read by recursive descent from the tokens on one side of an equality.

::

    expression = term, { ("+" | "-"), term }
    term       = factor, { ("*" | "/" | "of"), factor | group | command }
    factor     = { "-" }, atom, { "!" }, [ "^", exponent ], [ "%" ], [ unit ]
    atom       = number, [ fraction ] | group | \frac | \sqrt | \binom | \pi

A unit is a few words between an operand and the next sign. Nothing is executed, the depth is bounded, and every token
is read once.
"""

from dataclasses import dataclass, replace

from distillgame.judges.checked.arithmetic import numbers
from distillgame.judges.checked.arithmetic.cursor import Cursor
from distillgame.judges.checked.arithmetic.lexicon import COMPOUNDS, NOT_BEHIND, SCALES, UNITS
from distillgame.judges.checked.arithmetic.numbers import UnreadableError, Value
from distillgame.judges.checked.arithmetic.tokens import REMARK, Kind, Token, Tokens

DEEPEST = 20
"""Brackets inside each other that are read."""

LONGEST_UNIT = 8
"""Words of a unit."""

_MANY_SIGNS = 4


@dataclass(frozen=True)
class Expression:
    """An expression among tokens.

    Attributes:
        value: Its value; None if it has none that is computed here.
        first: Index of its first token.
        last: Index behind its last token, a unit left out.
        behind: Index behind its unit.
    """

    value: Value | None
    first: int
    last: int
    behind: int


def read(items: Tokens, first: int, depth: int = 0) -> Expression:
    """Return the longest expression that begins at an index."""
    reader = _Reader(items, first, depth)
    try:
        value = reader.expression()
    except UnreadableError:
        return Expression(None, first, reader.position, reader.position)
    return Expression(value, first, reader.last, reader.position)


class _Reader(Cursor):
    """Reads one expression.

    Attributes:
        last: Index behind the last token that is no unit.
    """

    def __init__(self, items: Tokens, first: int, depth: int, compared: bool = False):
        super().__init__(items, first)
        self._depth = depth
        self._compared = compared
        self._doubtful = False
        self._first = first
        self.last = first
        if depth > DEEPEST:
            raise UnreadableError

    def expression(self) -> Value:
        value = self._term()
        while (sign := self.peek()) and sign.kind is Kind.SIGN and sign.text in "+-":
            following = self.peek(1)
            if following is not None and following.kind is Kind.WORD and sign.text == "-" and self._depth == 0:
                self._doubtful = True  # It may be a dash, or the difference from something that has a name.
                break
            self.position += 1
            value = numbers.combine(sign.text, value, self._term())
        return replace(value, doubtful=value.doubtful or self._doubtful)

    def _term(self) -> Value:
        value, divided = self._factor(), set[bool]()
        while token := self.peek():
            if token.kind is Kind.SIGN and token.text in "*/":
                if token.text == "/":
                    divided.add(self.is_glued())
                    self._doubtful |= len(divided) > 1  # as in 60 / 3/4
                self.position += 1
                value = numbers.combine(token.text, value, self._factor())
            elif self._is_of(value):
                self.position += 1
                value = numbers.combine("*", value, self._factor())
            elif self._is_product(token):
                # 6/2(1 + 2) has two readings, and so has a number before a bracket in prose.
                self._doubtful |= bool(divided) or token.text == REMARK
                value = numbers.combine("*", value, self._factor())
            else:
                break
        return value

    def _factor(self) -> Value:
        negative = 0
        while (sign := self.peek()) and sign.kind is Kind.SIGN and sign.text == "-":
            negative += 1
            self.position += 1
        if negative > _MANY_SIGNS:
            raise UnreadableError
        value = self._atom()
        while self.takes(Kind.FACTORIAL):
            value = numbers.factorial(value)
        if self.takes(Kind.SIGN, "^"):
            value = numbers.power(value, self._exponent())
        if self.takes(Kind.PERCENT):
            value = numbers.in_percent(value)
        self.last = self.position
        value = self._unit(value)
        return -value if negative % 2 else value

    def _atom(self) -> Value:
        token = self.next()
        if token.kind is Kind.NUMBER:
            return self._number(token)
        if token.kind is Kind.GROUP:
            return self._inside(token)
        if token.kind is not Kind.COMMAND:
            raise UnreadableError
        if token.text == "pi":
            return numbers.pi()
        if token.text == "frac":
            return self._fraction()
        if token.text == "binom":
            return numbers.binomial(self._argument(), self._argument())
        return numbers.root(self._argument(), int(token.text.removeprefix("root")))

    def _number(self, token: Token) -> Value:
        if "/" in token.text:
            return numbers.quotient(token.text)
        value = numbers.literal(token.text)
        return value if value.decimals else self._mixed_number(value)

    def _mixed_number(self, value: Value) -> Value:
        following = self.peek()
        if following is None:
            return value
        if following.kind is Kind.NUMBER and "/" in following.text:
            self.position += 1
            return self._mixed(value, numbers.quotient(following.text))
        if following.kind is Kind.NUMBER and self._is_fraction():
            top, bottom = self.next(), (self.next(), self.next())[1]
            part = numbers.combine("/", numbers.literal(top.text), numbers.literal(bottom.text))
            return self._mixed(value, part)
        if following.kind is Kind.COMMAND and following.text == "frac":
            self.position += 1
            part = self._fraction()
            if 0 < part.number < 1 and part.exact:
                self._doubtful = True
                return self._mixed(value, part)
            return numbers.combine("*", value, part)
        return value

    def _is_fraction(self) -> bool:
        """Return whether the next tokens are a proper fraction that a whole number stands before."""
        top, sign, bottom = (self.peek(ahead) for ahead in range(3))
        if top is None or sign is None or bottom is None or sign.text != "/" or bottom.kind is not Kind.NUMBER:
            return False
        glued = top.end == sign.start and sign.end == bottom.start
        return glued and top.text.isdigit() and bottom.text.isdigit() and len(top.text) <= len(bottom.text) < 4

    def _mixed(self, whole: Value, part: Value) -> Value:
        return replace(numbers.combine("+", whole, part), computed=False)

    def _fraction(self) -> Value:
        return numbers.combine("/", self._argument(), self._argument())

    def _argument(self) -> Value:
        token = self.next()
        if token.kind is Kind.GROUP:
            return self._inside(token, compared=True)
        # LaTeX takes one digit: \frac12 is a half, and \frac{1}23 is no number that is meant.
        rooted = self.items[self.position - 2].text.startswith("root")
        if token.kind is Kind.NUMBER and (len(token.text) == 1 or "." in token.text or rooted):
            return numbers.literal(token.text)
        raise UnreadableError

    def _exponent(self) -> Value:
        negative = self.takes(Kind.SIGN, "-")
        token = self.next()
        following = self.peek()
        if token.kind not in (Kind.GROUP, Kind.NUMBER) or "/" in token.text or (following and following.text == "^"):
            raise UnreadableError
        value = self._inside(token) if token.kind is Kind.GROUP else numbers.literal(token.text)
        return -value if negative else value

    def _inside(self, token: Token, compared: bool = False) -> Value:
        reader = _Reader(token.inside, 0, self._depth + 1, compared)
        value = reader.expression()
        if reader.position < len(token.inside):
            raise UnreadableError
        return replace(value, decimals=value.decimals if token.text == "{" else None)

    def _unit(self, value: Value) -> Value:
        """Read the words behind an operand, if a sign or nothing follows them."""
        count = 0
        if (sign := self.peek()) and sign.text == "/" and (word := self.peek(1)) and word.kind is Kind.WORD:
            count = 1
        while (word := self.peek(count)) and word.kind is Kind.WORD:
            count += 1
        if count == 0:
            return value
        first, following = self.items[self.position], self.peek(count)
        name = first.text.lower()
        if name in SCALES:
            self.position += 1
            self.last = self.position
            scale = numbers.literal(str(SCALES[name]))
            # 60 + 60 = 120 million leaves the word out on one side.
            scaled = replace(numbers.combine("*", value, scale), plain=value.plain, computed=value.computed)
            return self._unit(replace(scaled, doubtful=True))
        if len(name) == 1 and name in UNITS:
            self._doubtful = True
        words = {self.items[self.position + ahead].text.lower() for ahead in range(min(count, LONGEST_UNIT + 1))}
        ends = following is None or (following.kind is Kind.SIGN and following.text != "^")
        share = name == "of" and (value.percent or value.number.denominator > 1 or self.last - self._first == 1)
        if following is not None:
            words -= {"total"}
        if ends and count <= LONGEST_UNIT and not share and not words & NOT_BEHIND:
            self.position += count
            self._doubtful |= self._compared  # Units in a fraction may say what it is that is equal.
        elif count <= 2 and following is not None and following.kind is Kind.NUMBER and name in COMPOUNDS:
            self._doubtful = True
        return value

    def _is_of(self, value: Value) -> bool:
        """Return whether ``of`` between a share and a number multiplies them."""
        word, following = self.peek(), self.peek(1)
        if word is None or following is None or word.text.lower() != "of":
            return False
        number = following.kind in (Kind.NUMBER, Kind.GROUP, Kind.COMMAND)
        return number and (value.percent or value.number.denominator > 1)

    def _is_product(self, token: Token) -> bool:
        before = self.items[self.position - 1]
        if before.kind is Kind.WORD:
            return False
        return token.kind is Kind.COMMAND or (token.kind is Kind.GROUP and token.text != "{")
