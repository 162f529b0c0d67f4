"""A place among tokens, which moves on as they are read."""

from distillgame.judges.checked.arithmetic.numbers import UnreadableError
from distillgame.judges.checked.arithmetic.tokens import Kind, Token, Tokens


class Cursor:
    """A place among tokens.

    Attributes:
        items: The tokens.
        position: Index of the next one.
    """

    def __init__(self, items: Tokens, first: int):
        self.items = items
        self.position = first

    def is_glued(self) -> bool:
        """Return whether nothing stands around the next token."""
        before, token, behind = self.items[self.position - 1], self.peek(), self.peek(1)
        return token is not None and before.end == token.start and behind is not None and behind.start == token.end

    def takes(self, kind: Kind, text: str | None = None) -> bool:
        """Move behind the next token if it is of a kind, and return whether it was."""
        token = self.peek()
        found = token is not None and token.kind is kind and text in (None, token.text)
        self.position += found
        return found

    def peek(self, ahead: int = 0) -> Token | None:
        """Return the next token, or one behind it; None where there is none."""
        place = self.position + ahead
        return self.items[place] if place < len(self.items) else None

    def next(self) -> Token:
        """Move behind the next token and return it.

        Raises:
            UnreadableError: If there is none.
        """
        token = self.peek()
        if token is None:
            raise UnreadableError
        self.position += 1
        return token
