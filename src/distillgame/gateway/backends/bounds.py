"""Bounds on the number of tokens of a text whose tokenizer is unknown, by which a server's own count is judged."""

import re

LONGEST_TOKEN = 64
"""Most bytes of a token that is no white space. Vocabularies have longer ones, for lines of dashes and the like."""

LARGEST_TOKEN = 1024
"""Bytes that no token has."""


class TokenBounds:
    """Bounds on the tokens of what another server has sent so far, reasoning that it shows apart included.

    A token has at least one byte, holds no two words, and is not split over chunks. So there are at least as many
    tokens as words and as chunks with text, and at most as many as bytes.

    Args:
        length: The maximum length that was requested, which the server may ignore.

    Attributes:
        words: Number of words.
    """

    def __init__(self, length: int):
        self.words = 0
        self._length = length
        self._chunks = 0
        self._bytes = {"text": 0, "hidden": 0}
        self._open = dict(self._bytes)

    @property
    def least(self) -> int:
        """The smallest number of tokens that is possible."""
        return max(self.words, self._chunks)

    @property
    def most(self) -> int:
        """The number of tokens that is charged if nothing better is known: the largest that is possible.

        The requested length is believed as far as the text allows.
        """
        return max(self.least, min(sum(self._bytes.values()), self._length))

    @property
    def excessive(self) -> bool:
        """True if there is more text than tokens of the requested length can hold."""
        return self._bytes["text"] > self._length * LARGEST_TOKEN

    def add(self, text: str, hidden: str) -> int:
        """Add a chunk, and return the number of tokens by which :attr:`most` has grown."""
        before = self.most
        self._chunks += bool(text or hidden)
        for name, added in (("text", text), ("hidden", hidden)):
            for run in re.findall(r"\s+|\S+", added):
                size = len(run.encode(errors="replace"))
                self._bytes[name] += size
                # A word may go on in the next chunk.
                grown = 0 if run.isspace() else self._open[name] + size
                self.words += max(0, -(-grown // LONGEST_TOKEN) - -(-self._open[name] // LONGEST_TOKEN))
                self._open[name] = grown
        return self.most - before

    def settled(self, reported: int | None) -> int:
        """Return the number of tokens that is charged: the server's own count, unless it is impossible.

        Args:
            reported: The server's count, if it has sent one. It may include tokens without text.
        """
        possible = reported is not None and self.least <= reported <= max(self.most, self._length)
        return reported if reported is not None and possible else self.most
