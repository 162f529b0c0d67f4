"""Regular expressions of tokens, and of what stands around them.

Every repetition is bounded or followed by nothing that could fail, so that none of them takes quadratic time.
"""

import re
from collections.abc import Iterator

from distillgame.tasks.grading.currencies import CURRENCY

TOKEN = re.compile(
    r"(?P<row>\\\\(?:\[[^\]\n]{0,20}\])?(?:[\s&]|\\q?quad(?![A-Za-z]))*)"
    r"|(?P<line>\n[\s&]*)"
    r"|(?P<unknown>\.{3,}|…|\\(?:[lc]?dots[cbm]?)(?![A-Za-z])|[0-9][0-9,]{0,40}\.(?=\\)|[0-9]+(?::[0-9]+)+|(?<=[0-9]),(?=[0-9])|\\ast(?![A-Za-z])|\\[&#_]|[0-9]+(?:\.[0-9]+){2,})"
    r"|(?P<number>(?:[0-9]{1,3}(?:(?:,|\{,\}|,\\!|\\,)[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9.)])\.[0-9]+)"
    r"|(?P<vulgar>[¼½¾⅐-⅞])"
    r"|(?P<raised>[⁰¹²³⁴-⁹]+)"
    r"|(?P<space>[^\S\n]+|~|\\[,;! ]|\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|dollar)(?![A-Za-z])\.?"
    r"|\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|°|[\"'`“”]|\{,\})"
    r"|(?P<frac>\\[dtc]?frac\s*[0-9]\s*[0-9])"
    r"|(?P<command>\\[dtc]?frac(?=\s*[{0-9])|\\sqrt\s*(?:\[[0-9]{1,2}\])?|√|\\[dt]?binom(?![A-Za-z])|\\pi(?![A-Za-z])|π)"
    r"|(?P<text>\\(?:text(?:bf|it|rm|sf)?|mbox|mathrm|hbox)\s*\{[^{}]{0,200}\})"
    r"|(?P<transparent>\\(?:b?x?cancel|boxed|fbox|mathbf|boldsymbol)\s*(?=\{))"
    r"|(?P<other>(?<![0-9)}])!=|[=-]{1,4}>|:=|≡|[<>≤≥≠→⇒∴]|\\(?:l|g)(?:e|eq|t|eqslant)(?![A-Za-z])|\\n(?:e|eq)(?![A-Za-z])"
    r"|\\(?:equiv|[Rr]ightarrow|[Ll]ong[Rr]ightarrow|implies|iff|to|therefore|q?quad|Leftrightarrow)(?![A-Za-z]))"
    r"|(?P<equal>={1,2}|\bequals?(?=\s+[$€£]?\.?[0-9])|\\stackrel\{[^{}]{0,9}\}\{=\})"
    r"|(?P<about>≈|≃|~=|\\(?:approx|simeq|thickapprox)(?![A-Za-z]))"
    r"|(?P<power>\^|\*\*)"
    r"|(?P<times>[*×·⋅∙•✕✖∗]|\\(?:times|cdot)(?![A-Za-z])|\b(?:multiplied by|times)(?=\s+[$€£]?\.?[0-9]))"
    r"|(?P<divided>[/÷∕⁄]|\\div(?![A-Za-z])|\bdivided by(?=\s+[$€£]?\.?[0-9]))"
    r"|(?P<plus>\+(?![-+])|\bplus(?=\s+[$€£]?\.?[0-9]))"
    r"|(?P<minus>-|\bminus(?=\s+[$€£]?\.?[0-9]))"
    r"|(?P<percent>\\?%|(?<=[0-9] )per\s?cent\b)"
    rf"|(?P<currency>{CURRENCY})"
    r"|(?P<delimiter>\\[()])"
    r"|(?P<display>\\[\[\]]|\\(?:begin|end)\s*\{[^{}]{0,20}\}(?:\{[^{}]{0,20}\})?)"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])"
    r"|(?P<letters>(?:\\[A-Za-z]+|[^\W\d_]+)(?:['’][^\W\d_]+|[-/][^\W\d_]{2,})*[0-9_]*)"
    r"|(?P<stop>[.,;:?—–])"
    r"|(?P<exclamation>!)"
    r"|(?P<align>&)"
    r"|(?P<rest>.)",
    re.DOTALL,
)
FORMULA = re.compile(r"(?<!\\)(\$\$?)(?=[^\s$])([^$]{1,400}?)(?<!\\)\1(?![0-9])")
PROSE = re.compile(r"\n\s*\n|(?<![\\A-Za-z])[a-z]{3,}")
COMMAND_TEXT = re.compile(r"\\(?:text[a-z]*|mbox|mathrm|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+")
RELATION_NEXT = re.compile(r"\s*+(?:&\s*+)?(?:=(?!>)|≈|\\approx|\\simeq)")
OPERATOR_NEXT = re.compile(r"[-+*×·/÷]|\\(?:cdot|times|div)(?![A-Za-z])")
BULLET = re.compile(r"[-*+•]\s+")
FACTOR_NEXT = re.compile(r"\s*(?:\\?[$€£])?\s*[(0-9.]")
FACTORIAL_NEXT = re.compile(r"\s*(?:[-=+*×·/÷)}\]^]|\\(?:cdot|times|div|right|approx))")
GLUED = re.compile(r"[-/]?[A-Za-zµ]+")
POWER_OF_UNIT = re.compile(r"\^\{?[0-9]\}?|[²³]")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def formulas(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of what stands between dollar signs and is no prose."""
    position = 0
    while found := FORMULA.search(text, position):
        if PROSE.search(COMMAND_TEXT.sub(" ", found[2])):
            position = found.end(1)
        else:
            yield found.span()
            position = found.end()
