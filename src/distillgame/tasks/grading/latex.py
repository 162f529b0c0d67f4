r"""Normalisation of LaTeX answers, and splitting them at the outermost level of brackets.

Nothing here interprets an answer: :func:`tidy` only unifies spellings that never change the meaning
(``\dfrac`` for ``\frac``, ``15,\!000`` for ``15000``, ``\left(`` for ``(``).
"""

import re
from collections.abc import Iterator

from distillgame.tasks.grading.characters import plain
from distillgame.tasks.grading.figures import join_digits, powers_of_ten, shape

_SYMBOLS = str.maketrans(
    {
        "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "⁄": "/", "√": r"\sqrt ", "±": r"\pm ",
        "π": r"\pi ", "∞": r"\infty ", "℃": r"^\circ C", "℉": r"^\circ F", "°": r"^\circ ", "≤": r"\le ",
        "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≃": r"\approx ", "∪": r"\cup ",
        "∈": r"\in ", "∅": r"\emptyset ", "∧": r"\land ", "⇒": r"\Rightarrow ", "→": r"\to ", "∴": r"\therefore ",
        "ℝ": r"\mathbb{R}",
    }
)  # fmt: skip

_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\!|(?<!\\)\\\s*$", ""),
        (r"\\colon(?![A-Za-z])", ":"),
        (r"(?<!\\)\\[,;:> \n]|~|\\q?quad(?![A-Za-z])|\{ \}", " "),
        (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits)(?![A-Za-z])\.?", ""),
        (
            r"\\(?:tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge|bf|it|rm|sf|tt|bfseries"
            r"|itshape|mathstrut|strut|centering|hfill)(?![A-Za-z])|\\(?:[hv]space\*?|[hv]?phantom|label|tag)\{[^{}]*\}",
            " ",
        ),
        (r"\\(?:[dtcs]|nice)frac(?![A-Za-z])", r"\\frac"),
        (
            r"\\(?:mbox|hbox|text(?:bf|rm|it|sf|tt|sc|sl|up|md|normal)|math(?:rm|bf|it|sf|tt|normal))(?![A-Za-z])",
            r"\\text",
        ),
        (r"(?<!_)\\text\s*\{\s*([-+]?\\?\$?[0-9][0-9.,]*\s?\\?%?)\s*\}", r"\1"),
        (r"\\text\s*\{\s*(\\?[$%€£¥₹¢])\s*\}", r"\1"),
        (r"\\text\s*\{\s*\}", " "),
        (r"\\text\s*\{\s*(?:-|[Mm]inus|[Nn]egative)\s*\}\s*(?=[\\$€£¥0-9.])", "-"),
        (r"\\text\s*\{\s*(US|A|C|HK)\s*\}(?=\\?\$)", r"\1"),
        (r"\\textsuperscript\s*(?=\{)", "^"),
        (r"\\ast(?![A-Za-z])", r"\\cdot "),
        (r"\\(?:pounds|(?:text|math)sterling)(?![A-Za-z])(?:\{\})?", "£"),
        (r"\\(?:text)?euro(?![A-Za-z])(?:\{\})?", "€"),
        (r"\\(?:text)?yen(?![A-Za-z])(?:\{\})?", "¥"),
        (r"\\(?:text)?cents?(?![A-Za-z])(?:\{\})?", "¢"),
        (r"\\(?:math|text)dollar(?![A-Za-z])(?:\{\})?", r"\\$"),
        (r"\\(?:leqslant|leqq|leq|le)(?![A-Za-z])|<=", r" \\le "),
        (r"\\(?:geqslant|geqq|geq|ge)(?![A-Za-z])|>=", r" \\ge "),
        (r"\\lt(?![A-Za-z])", " < "),
        (r"\\gt(?![A-Za-z])", " > "),
        (r"\\neq(?![A-Za-z])", r"\\ne"),
        (r"\\lbrace(?![A-Za-z])", r"\\{"),
        (r"\\rbrace(?![A-Za-z])", r"\\}"),
        (r"\\(?:varnothing|empty|O)(?![A-Za-z])|\\\{\s*\\\}", r"\\emptyset "),
        (r"\\wedge(?![A-Za-z])", r"\\land"),
        (r"\\pmod\{[^{}]*\}", ""),
        (r"\^\s*\{\s*\\circ\s*\}|\\degrees?(?![A-Za-z])|\\textdegree(?![A-Za-z])", r"^\\circ"),
        (r"(?<![A-Za-z\\])(?:\+\s*)?(?:[Ii]nfinity|inf|oo)(?![A-Za-z])|\+\s*\\infty", r"\\infty"),
        (r"(?<![A-Za-z\\])(sqrt|pi)(?![A-Za-z])", r"\\\1"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\*\*", "^"),
        (r"\^\s*(-?[0-9]{2,}|-[0-9])", r"^{\1}"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
        (r"(?<![\^_])\{\s*([-+])\s*\}", r"\1"),
        (r"(?<![\\A-Za-z0-9.])\$(?=[^\s$])([^$\n]*)(?<=[^\s\\])\$(?![0-9])", r"\1"),
        (r"(?<!\\)\\\(\s*((?:(?!\\\().)*?)\s*\\\)", r"\1"),
    )
)
_STYLE = re.compile(
    r"\\(?:boldsymbol|bold|bm|pmb|underline|uline|emph|ensuremath|smash|boxed|fbox|framebox|bbox|color|textcolor"
    r"|f?colorbox)(?![A-Za-z])"
)
_PARAMETERS = re.compile(r"(?:\s*\[[^\]{}]*\])*")
_COLORS = {r"\color": 1, r"\textcolor": 1, r"\colorbox": 1, r"\fcolorbox": 2}
_ALIGNMENT = re.compile(r"\\(?:begin|end)\{(?:align(?:ed)?|gather(?:ed)?|equation|split|multline)\*?\}")
_ORNAMENTS = re.compile("[\u231a-\u23ff\u25a0\u25a1\u2600-\u27bf\u2b00-\u2bff\ufe0f\u20e3\u200d\U0001f000-\U0001faff]")
_GROUPED_NUMBER = re.compile(r"(?:(?<=[-+=(,${])|^)\{\s*([0-9.,]+)\s*\}")
_FRAC, _SQRT = re.compile(r"\\frac(?![A-Za-z])"), re.compile(r"\\sqrt(?![A-Za-z])")
_ARGUMENT = re.compile(r"\\[A-Za-z]+|[A-Za-z0-9]")
_TOKEN = re.compile(r"\\[{}]|\\.|[(){}\[\]]", re.DOTALL)
_OPEN = {"(": 1, "[": 1, "{": 1, r"\{": 1, ")": -1, "]": -1, "}": -1, r"\}": -1}
_PARTNER = {"{": "}", r"\{": r"\}", "(": ")]", "[": ")]"}


def tidy(text: str) -> str:
    """Return ``text`` with one spelling for numbers and LaTeX that can be spelled in several ways."""
    text = plain(text)
    text = join_digits(_align(unstyle(_ORNAMENTS.sub(" ", text).strip() or text)))
    text = shape(text).translate(_SYMBOLS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _brace(_brace(text, _FRAC, 2), _SQRT, 1)
    # Once more, since a separator may have stood in a style or beside a command that is gone; and before line breaks
    # become blanks, because numbers on two lines are two numbers.
    text = powers_of_ten(re.sub(r"\s+", " ", join_digits(text)).strip())
    return _GROUPED_NUMBER.sub(r"\1", _GROUPED_NUMBER.sub(r"\1", text)).rstrip(".,;: ")


def unstyle(text: str) -> str:
    r"""Replace commands that change how their argument looks by the argument: ``\textcolor{red}{5}`` by ``5``."""
    for match in reversed(list(_STYLE.finditer(text))):
        start = match.end() + len(_PARAMETERS.match(text, match.end())[0])  # type: ignore[index]
        for _ in range(_COLORS.get(match[0], 0)):
            start = closing(text, start) or start
        start += len(text[start:]) - len(text[start:].lstrip())
        end = closing(text, start)
        argument = text[start:end] if text[: match.start()].endswith(("^", "_")) else text[start + 1 : end - 1]
        text = text[: match.start()] + (argument if end else " ") + text[end or start :]
    return text


def _align(text: str) -> str:
    """Write the rows of an aligned environment as a chain of relations or a list."""
    rows = _ALIGNMENT.sub(" ", text)
    if rows == text:
        return text
    return re.sub(r"\\\\\s*(?!\s*$)", ", ", re.sub(r"\\\\\s*(?==)", " ", rows.replace("&", ""))).replace("\\\\", " ")


def _brace(text: str, command: re.Pattern[str], arguments: int) -> str:
    r"""Put braces around arguments that LaTeX allows without: ``\frac1{2}``, ``\frac \pi4``."""
    for match in reversed(list(command.finditer(text))):
        braced, position = match[0], match.end()
        for _ in range(arguments):
            position += len(text[position:]) - len(text[position:].lstrip())
            end = closing(text, position)
            if end:
                braced += text[position:end]
                position = end
            elif bare := _ARGUMENT.match(text, position):
                braced += "{" + bare[0] + "}"
                position = bare.end()
        text = text[: match.start()] + braced + text[position:]
    return text


def brackets(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield ``(start, end, depth after it)`` of every bracket of any kind; the depth may become negative."""
    depth = 0
    for match in _TOKEN.finditer(text):
        step = _OPEN.get(match[0], 0)
        if step:
            depth += step
            yield match.start(), match.end(), depth


def closing(text: str, start: int) -> int:
    r"""Return the index after the ``}`` that closes the ``{`` at ``start``, or 0 if nothing closes it."""
    if not text.startswith("{", start):
        return 0
    depth = 0
    for match in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def enclosed(text: str) -> tuple[str, str, str] | None:
    r"""Split ``[a, b)`` or ``\{a, b\}`` into the opening bracket, the content and the closing bracket.

    Returns:
        ``None`` unless one pair of brackets encloses the whole text; round and square ones may be mixed.
    """
    found = list(brackets(text))
    if len(found) < 2 or found[0][0] != 0 or found[-1][1] != len(text):
        return None
    if any(depth <= 0 for _, _, depth in found[:-1]) or found[-1][2] != 0:
        return None
    opening, last = text[: found[0][1]], text[found[-1][0] :]
    if last not in _PARTNER.get(opening, ""):
        return None
    return opening, text[found[0][1] : found[-1][0]].strip(), last


def split(text: str, separator: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Split ``text`` where ``separator`` matches outside all brackets.

    Returns:
        The pieces without blanks at their ends (one more than separators; some may be empty), and the
        separators.
    """
    masked, depth, start = text, 0, 0
    for begin, end, after in [*brackets(text), (len(text), len(text), 0)]:
        if depth == 0 and after > 0:
            start = begin
        if depth > 0 and after <= 0:
            masked = masked[:start] + "\0" * (end - start) + masked[end:]
        depth = max(after, 0)
    pieces, found, position = [], [], 0
    for match in separator.finditer(masked):
        pieces.append(text[position : match.start()].strip())
        found.append(match[0].strip())
        position = match.end()
    return [*pieces, text[position:].strip()], found
