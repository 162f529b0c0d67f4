"""Tasks as configurations name them."""

from functools import cached_property

from distillgame.choices import NamedChoice
from distillgame.tasks.base import Task, tasks


class TaskChoice(NamedChoice):
    """A task and its options: ``gsm8k: {path: data}`` in YAML."""

    @cached_property
    def task(self) -> Task:
        """The task itself.

        Raises:
            DistillgameError: If the name, an option's name or its value is not acceptable.
        """
        return tasks.make(self.name, self.options)
