"""Students as configurations name them."""

from functools import cached_property

from distillgame.choices import NamedChoice
from distillgame.students.base import Student, make_student


class StudentChoice(NamedChoice):
    """A student and its options: ``adaptive: {eta: 4}`` in YAML."""

    @cached_property
    def student(self) -> Student:
        """The student itself.

        Raises:
            DistillgameError: If the name, an option's name or its value is not acceptable.
        """
        return make_student(self.name, self.options)
