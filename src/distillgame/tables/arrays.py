"""JSON arrays, read element by element."""

import codecs
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from distillgame.errors import DistillgameError

_DECODER = json.JSONDecoder()
_BLANK = " \t\n\r"

NEAR = 8
"""Characters from the end of the text read so far within which an error may only mean that more is to come: the
longest word of JSON, ``-Infinity``, less one."""


class Element(NamedTuple):
    """One element of an array.

    Attributes:
        place: Its position, for messages: ``"traces.json: row 2 at line 7"``; rows count from 0.
        value: Its value.
    """

    place: str
    value: Any


def read_elements(path: Path, chunks: Iterator[bytes]) -> Iterator[Element]:
    """Yield the elements of the JSON array in a file, one at a time.

    Args:
        path: The file, for messages.
        chunks: Its content; the first character that is not blank is ``[``.

    Raises:
        DistillgameError: If it is not a JSON array in UTF-8.
    """
    text = _Text(path, chunks)
    text.mark()
    text.skip()
    for index in count():
        mark = text.mark()
        if index == 0 and mark == "]":
            text.skip()
            break
        place = f"{path}: row {index} at line {text.line}"
        try:
            yield Element(place, text.value())
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise DistillgameError(f"{place} is not JSON ({reason}): write one array of objects") from error
        mark = text.mark()
        if mark not in (",", "]"):
            found = f"'{mark}'" if mark else "the end of the file"
            raise DistillgameError(f"{place} must be followed by ',' or ']' (found {found})")
        text.skip()
        if mark == "]":
            break
    if text.mark():
        raise DistillgameError(f"{path}: line {text.line}: nothing may follow the array")


class _Text:
    """The text of chunks, of which a little is held."""

    def __init__(self, path: Path, chunks: Iterator[bytes]):
        self.line = 1
        self._path, self._chunks = path, chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._ended = "", 0, False

    def mark(self) -> str:
        """Return the next character that is not blank; nothing at the end."""
        while True:
            while self._at < len(self._text):
                character = self._text[self._at]
                if character not in _BLANK:
                    return character
                self.skip()
            if self._ended:
                return ""
            self._more()

    def skip(self) -> None:
        """Pass a character."""
        self.mark_line(self._at, self._at + 1)
        self._at += 1

    def value(self) -> Any:
        """Return the value that begins here, and pass it.

        Raises:
            ValueError: If there is none.
        """
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - NEAR
                if self._ended or not is_cut:
                    raise
            else:
                # A number at the end of the text may go on.
                if end < len(self._text) or self._ended:
                    self.mark_line(self._at, end)
                    self._at = end
                    return value
            self._more()

    def mark_line(self, start: int, end: int) -> None:
        """Count the lines that end between two places."""
        self.line += self._text.count("\n", start, end)

    def _more(self) -> None:
        """Read as much again as is held, so that a long value is not parsed too often."""
        held = [self._text[self._at :]]
        wanted = len(held[0])
        while wanted >= 0 and not self._ended:
            chunk = next(self._chunks, b"")
            self._ended = not chunk
            try:
                held.append(self._decoder.decode(chunk, final=self._ended))
            except UnicodeDecodeError as error:
                line = self.line + sum(text.count("\n") for text in held) + chunk[: error.start].count(b"\n")
                raise DistillgameError(f"{self._path}: line {line} is not UTF-8: save the file as UTF-8") from error
            wanted -= max(len(held[-1]), 1)
        self._text, self._at = "".join(held), 0
