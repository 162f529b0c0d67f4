"""Quotations that their content can neither close nor leave."""

import hashlib
import re
import unicodedata

_OPENING, _CLOSING = "<＜﹤〈⟨‹«《", ">＞﹥〉⟩›»》"

_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}\N{SOFT HYPHEN}"
"""Invisible characters that ordinary writing needs."""

_DELIMITERS = re.compile("|".join(rf"[{kind}](?:[{_JOINERS}]*[{kind}]){{2,}}" for kind in (_OPENING, _CLOSING)))
"""Three brackets in a row and more, or lookalikes of them."""

_CONTROLS = re.compile(r"<(?=\|)|\|(?=>)|<(?=/?(?:s|system|user|assistant|\w+_of_turn)>)|\[(?=/?INST\])", re.IGNORECASE)
"""What opens or closes control tokens of chat templates, which some servers obey even inside a message."""

_VISIBLE = "\n\t\r"


def quoted(name: str, text: str, seed: int) -> str:
    """Return a text as a quotation.

    Its delimiters have a mark that is a keyed hash of the text: no text can have its own mark in it, and the same text
    and seed give the same mark.

    Args:
        name: What is quoted, in one word.
        text: The text.
        seed: The key.
    """
    tag = f"{name.upper()} {mark(text, seed)}"
    return f"<<<{tag}>>>\n{neutral(text)}\n<<<END {tag}>>>"


def mark(text: str, seed: int) -> str:
    """Return the mark of a quotation's delimiters, 24 hexadecimal digits."""
    key = seed.to_bytes(8, "little")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=12).hexdigest()


def neutral(text: str) -> str:
    """Return a text in which nothing looks like a delimiter or a control token, and nothing is invisible.

    Three brackets in a row are spaced out, and invisible characters are replaced by their number, as in ``[U+202E]``.
    """
    seen = "".join(character if _is_visible(character) else f"[U+{ord(character):04X}]" for character in text)
    spaced = _DELIMITERS.sub(lambda found: " ".join(found[0]), seen)
    return _CONTROLS.sub(lambda found: f"{found[0]} ", spaced)


def _is_visible(character: str) -> bool:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs")
    return not hidden or character in _VISIBLE or character in _JOINERS
