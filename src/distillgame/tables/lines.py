"""Lines of text. A line ends at LF or CRLF; other separators of Unicode (U+2028, U+0085) are text like any other."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from distillgame.errors import DistillgameError
from distillgame.tables.content import read_chunks


class TextLine(NamedTuple):
    """One line of a file.

    Attributes:
        place: Its position, for messages: ``"prompts.txt: line 3"``.
        text: Its text, without its end.
    """

    place: str
    text: str


def read_lines(path: Path) -> Iterator[TextLine]:
    """Yield the lines of a text file in UTF-8 that are not blank, one at a time.

    Args:
        path: A file, compressed or not, with or without a byte-order mark.

    Raises:
        DistillgameError: If the file is missing or damaged, or a line is not UTF-8.
    """
    return split_lines(path, read_chunks(path))


def split_lines(path: Path, chunks: Iterable[bytes]) -> Iterator[TextLine]:
    """Yield the lines in chunks of a file that are not blank.

    Raises:
        DistillgameError: If a line is not UTF-8.
    """
    for number, line in enumerate(_split(chunks), 1):
        place = f"{path}: line {number}"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DistillgameError(f"{place} is not UTF-8: save the file as UTF-8") from error
        if text.strip():
            yield TextLine(place, text)


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    begun: list[bytes] = []
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        begun.append(first)
        if more:
            yield b"".join(begun).removesuffix(b"\r")
            for line in more[:-1]:
                yield line.removesuffix(b"\r")
            begun = [more[-1]]
    yield b"".join(begun).removesuffix(b"\r")
