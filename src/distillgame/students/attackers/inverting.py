"""Students that reconstruct the working that was not released."""

from dataclasses import dataclass

from distillgame.students.attackers.assisted import comes_to_same
from distillgame.students.base import Prepared, require_at_least, require_rate, students
from distillgame.students.lessons import Desk, Lesson
from distillgame.students.supplies import Inversion, Needs


@students.register("inverted")
@dataclass(frozen=True)
class Inverted(Prepared):
    """Trains on the traces as an inverter writes them out, where that comes to the released answer.

    The inverter is the base model, trained to write a whole solution from the prompt and the solution's reduction. It
    learns from public solutions, and from ``draws`` completions of each prompt by a student that those solutions taught
    the method, at ``rate`` of the learning rate: a solution that is wrong about the world still shows how its working
    follows from its reduction. Traces whose expansion comes to another answer are dropped, for they would teach to
    leave the working out.
    """

    draws: int = 1
    rate: float = 0.05
    name = "inverted"

    def __post_init__(self) -> None:
        require_at_least(self.name, "draws", self.draws, 0)
        require_rate(self.name, self.rate)

    @property
    def needs(self) -> Needs:
        """Public solutions, and an inverter."""
        return Needs(references=True, inversion=Inversion(self.draws, self.rate))

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return the expansions that come to their trace's answer."""
        pairs = zip(desk.supplies.traces, desk.supplies.expansions, strict=True)
        return desk.lessons([expansion for trace, expansion in pairs if comes_to_same(trace, expansion)])
