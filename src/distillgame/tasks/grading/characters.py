r"""One spelling for characters and markup that can be written in several ways, anywhere in a text.

Nothing here interprets a text: a minus sign is a minus sign whichever of Unicode's dashes writes it, ``１８`` is 18 in
another width, and Markdown's or HTML's emphasis says nothing about a number. **Lengths never change**, so that
positions in the plain text are positions in the original.
"""

import html
import re
import unicodedata

_DASHES = dict.fromkeys("−‐‑‒–⁃˗➖﹣－", "-")
_BLANKS = dict.fromkeys(
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f", " "
)
_OTHERS = {
    "\u200b": " ", "\u200e": " ", "\u200f": " ", "\u2060": " ", "\u2061": " ", "\u2062": " ", "\ufeff": " ",
    "“": '"', "”": '"', "’": "'", "ʼ": "'", "‘": "'", "∕": "/", "➕": "+", "∶": ":", "٫": ".", "٬": ",",
}  # fmt: skip
_TABLE = str.maketrans(_DASHES | _BLANKS | _OTHERS)
_KINDS = ("<wide>", "<narrow>", "<small>", "<font>")
_LETTERS = frozenset("ℝℤℚℕℂ")
"""Names of sets of numbers, which are not letters in another font."""

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LONG_DASH = re.compile(r"(?<![^\W_])(?<![^\W_] )[—―\u00ad](?=[0-9.$\\€£¥₹])|(?<=[=(:{\[$])\s?[—―](?=\s?[0-9.$\\€£¥₹])")
_ENTITY = re.compile(r"&(?:#[0-9]{1,6}|#x[0-9a-fA-F]{1,5}|[a-zA-Z]{2,8}[0-9]{0,2});")
_TAG = re.compile(
    r"</?(b|strong|em|i|u|s|code|span|p|div|mark|big|small|font|center|pre|sup|sub)(?:\s[^<>\n]{0,200})?>"
)
_CLOSED = re.compile(r"</([a-z]+)>")
_BREAK = re.compile(r"<br\s?/?>")
_EMPHASIS = (
    re.compile(r"(?<![\w*\\)\]}])(\*{1,3})(?=[^\s*])([^*\n]*[^\s*])\1(?![\w*])"),
    re.compile(r"(?<![`\\])(`{1,3})(?=[^`\s])([^`\n]*[^`\s])\1(?!`)"),
    re.compile(
        r"(?:(?<=[\s(])|^)(_{1,2})(?=[^\s_])((?:[^_\n]|(?<=[0-9])_(?=[0-9]))*[^\s_])\1(?=[\s.,;:!?)%]|$)", re.MULTILINE
    ),
)


def plain(text: str) -> str:
    """Return ``text`` of the same length with one spelling for dashes, digits and blanks, and without emphasis."""
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]).rjust(len(entity[0])), text) if "&" in text else text
    if not text.isascii():
        text = _NOT_ASCII.sub(_narrow, text.translate(_TABLE))
        text = _LONG_DASH.sub(lambda dash: "-".rjust(len(dash[0])), text)
    if "<" in text:
        closed = set(_CLOSED.findall(text))
        text = _TAG.sub(lambda tag: _blank(tag) if tag[1] in closed else tag[0], text)
        text = _BREAK.sub(lambda tag: "\n".ljust(len(tag[0])), text)
    for _ in range(2):
        for emphasis in _EMPHASIS:
            text = emphasis.sub(lambda found: f"{' ' * len(found[1])}{found[2]}{' ' * len(found[1])}", text)
    return text


def _narrow(character: re.Match[str]) -> str:
    """Return a digit, a letter or a sign in its usual width and font."""
    letter = character[0]
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    if letter not in _LETTERS and unicodedata.decomposition(letter).startswith(_KINDS):
        usual = unicodedata.normalize("NFKC", letter)
        return _DASHES.get(usual, usual) if len(usual) == 1 else letter
    return letter


def _blank(tag: re.Match[str]) -> str:
    raised = {"sup": "^", "sub": "_"}.get(tag[1], " ") if tag[0][1] != "/" else " "
    return raised.ljust(len(tag[0]))
