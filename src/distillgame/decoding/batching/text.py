"""The text of a growing sequence: increments for streaming, and stop strings."""

from collections.abc import Callable, Sequence

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""The character that a tokenizer decodes incomplete bytes to."""


class TextStream:
    """Turns tokens into text as they arrive.

    Text is held back while a later token may still change it: an unfinished character, or a possible beginning of a
    stop string. The increments together are the text of all tokens up to the first stop string.

    Args:
        decode: Returns the text of a list of token ids.
        stop: Strings that end the text; they are not part of it.
    """

    def __init__(self, decode: Callable[[list[int]], str], stop: Sequence[str] = ()):
        self.decode, self.stop = decode, [text for text in stop if text]
        self.ids: list[int] = []
        self.text = ""
        self.stopped = False
        self._released = 0
        self._settled = 0  # tokens before this one are in ``text`` and are not decoded again
        self._context = 0  # the first token of the context in which new ones are decoded

    def push(self, *tokens: int) -> None:
        """Add tokens; afterwards ``stopped`` says whether the text has ended."""
        self.ids.extend(tokens)
        # A token's text can depend on the one before it (a space), so new ones are decoded behind old ones.
        before = self.decode(self.ids[self._context : self._settled])
        now = self.decode(self.ids[self._context :])
        if len(now) > len(before) and not now.endswith(UNFINISHED):
            self._extend(now[len(before) :])
            self._context, self._settled = self._settled, len(self.ids)

    def take(self, final: bool = False) -> str:
        """Return the text that was added since the last call and will no longer change.

        Args:
            final: Whether no token will follow, so that nothing needs to be held back.
        """
        if final:
            self._settle()
        end = len(self.text) if final or self.stopped else len(self.text) - self._held()
        text = self.text[self._released : end]
        self._released = max(end, self._released)
        return text

    def whole(self) -> str:
        """Return all of the text, when no token will follow."""
        self._settle()
        return self.text

    def _settle(self) -> None:
        """Add the text of the last tokens even if a character is unfinished."""
        if not self.stopped and self._settled < len(self.ids):
            before = self.decode(self.ids[self._context : self._settled])
            self._extend(self.decode(self.ids[self._context :])[len(before) :])
            self._settled = len(self.ids)

    def _extend(self, new: str) -> None:
        start = max(0, len(self.text) - max((len(stop) for stop in self.stop), default=0))
        self.text += new
        places = [place for stop in self.stop if (place := self.text.find(stop, start)) >= 0]
        if places:
            self.text = self.text[: min(places)]
            self.stopped = True

    def _held(self) -> int:
        """Return the length of the longest suffix of the text that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self.stop), default=0)
        for length in range(min(longest, len(self.text)), 0, -1):
            if any(stop.startswith(self.text[-length:]) for stop in self.stop):
                return length
        return 0
