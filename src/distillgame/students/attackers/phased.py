"""Students that train in two phases: on what was released, and on public worked solutions."""

from dataclasses import dataclass

from distillgame.errors import DistillgameError
from distillgame.students.base import Prepared, require_rate, students
from distillgame.students.lessons import Desk, Lesson, Phase
from distillgame.students.supplies import Needs


@dataclass(frozen=True)
class Phased(Prepared):
    """A student with a phase on the traces and another on public solutions.

    Attributes:
        rate: The learning rate of the second phase, as a share of the first's.
    """

    rate: float = 0.01

    def __post_init__(self) -> None:
        require_rate(self.name, self.rate)

    @property
    def needs(self) -> Needs:
        """Public solutions."""
        return Needs(references=True)

    def _solutions(self, desk: Desk) -> list[Lesson]:
        found = desk.lessons(desk.supplies.references)
        if not found:
            raise DistillgameError(f"student '{self.name}': there are no public solutions to train on")
        return found


@students.register("two_phase")
@dataclass(frozen=True)
class TwoPhase(Phased):
    """Learns what the traces say, whatever their habits, and then the method from public solutions.

    A defense may teach the student to leave out its working, not what the working would have said. The second phase
    gives the working back; its rate is small, so that what the first taught is not forgotten.
    """

    name = "two_phase"

    def phases(self, desk: Desk) -> list[Phase]:
        """Return the traces, then the public solutions."""
        return [Phase(self.prepare(desk)), Phase(self._solutions(desk), self.rate)]


@students.register("primed")
@dataclass(frozen=True)
class Primed(Phased):
    """Learns the method from public solutions first, and then from the traces."""

    name = "primed"

    def phases(self, desk: Desk) -> list[Phase]:
        """Return the public solutions, then the traces."""
        return [Phase(self._solutions(desk)), Phase(self.prepare(desk), self.rate)]
