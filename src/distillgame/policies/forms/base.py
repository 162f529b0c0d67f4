"""The interface of forms of release."""

from abc import ABC, abstractmethod
from typing import ClassVar

from distillgame.choices import NamedChoice
from distillgame.models import WriterSpec
from distillgame.registry import Registry
from distillgame.tasks import Message, Notation


class Form(ABC):
    """A form of release.

    Attributes:
        whole: Whether it leaves nothing out, so that the policy alone decides what is told.
    """

    whole: ClassVar[bool] = False

    @abstractmethod
    def release(self, completion: str, notation: Notation) -> str:
        """Return the text that is released.

        Args:
            completion: The completion.
            notation: How answers are written.
        """


class WrittenForm(Form):
    """A form of release that a model writes; the others are derived by rules.

    Attributes:
        writer: The model; the teacher itself, undefended, if it is None.
        tries: Texts that are asked for per completion.
        instruction: What the model is told, where the task does not say it.
    """

    writer: WriterSpec | None = None
    tries: int = 1
    instruction: str = ""

    @abstractmethod
    def ask(self, prompt: list[Message], completion: str, notation: Notation) -> list[Message]:
        """Return the messages that ask for the text.

        Args:
            prompt: The messages that the completion answers.
            completion: The completion.
            notation: How the task asks.
        """

    @abstractmethod
    def accepts(self, completion: str, written: str) -> bool:
        """Return whether a text will do, so that no other is asked for.

        Args:
            completion: The completion.
            written: A text that ended by itself.
        """

    @abstractmethod
    def choose(self, completion: str, written: str | None, notation: Notation) -> str:
        """Return the text that is released.

        Args:
            completion: The completion.
            written: The text that was accepted; None if none was.
            notation: How answers are written.
        """

    def release(self, completion: str, notation: Notation) -> str:
        """Return what is released if nothing was written."""
        return self.choose(completion, None, notation)


forms: Registry[Form] = Registry("form", "distillgame.forms")


def make_form(choice: NamedChoice) -> Form:
    """Make the form that ``choice`` names.

    Raises:
        DistillgameError: If the name or an option is not acceptable.
    """
    return forms.make(choice.name, choice.options)
