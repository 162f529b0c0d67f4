import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.students import make_student, students

VALUES = torch.tensor([0.5, -1.0, 2.0, 0.0])


def weights(name: str, **settings: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.softmax(make_student(name, settings).log_weights(VALUES, generator), 0)


def test_the_students_of_the_paper_and_their_controls_are_registered() -> None:
    assert {"untrained", "passive", "adaptive", "shuffled"} <= set(students.names())


def test_passive_weights_are_equal() -> None:
    assert torch.allclose(weights("passive"), torch.full((4,), 0.25))


def test_adaptive_weights_are_proportional_to_exp_eta_v() -> None:
    expected = torch.exp(3 * VALUES) / torch.exp(3 * VALUES).sum()
    assert torch.allclose(weights("adaptive", eta=3), expected)


def test_adaptive_with_eta_zero_is_passive() -> None:
    assert torch.equal(weights("adaptive", eta=0), weights("passive"))


def test_shuffled_weights_have_the_same_sizes_elsewhere() -> None:
    adaptive, shuffled = weights("adaptive", eta=3), weights("shuffled", eta=3)
    assert torch.allclose(adaptive.sort().values, shuffled.sort().values)
    assert not torch.allclose(adaptive, shuffled)


def test_controls_say_that_they_are() -> None:
    controls = {
        name
        for name in ("untrained", "passive", "shuffled")
        if make_student(name, {"eta": 1} if name == "shuffled" else {}).control
    }
    assert controls == {"untrained", "shuffled"}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adaptive", {"eta": -1}, "student 'adaptive': eta must be a number at least 0 (found -1)"),
        ("adaptive", {"eta": float("nan")}, "found nan"),
        ("adaptive", {}, "student 'adaptive': missing 1 required positional argument: 'eta'"),
        ("passive", {"eta": 1}, "student 'passive'"),
        ("greedy", {}, "unknown student 'greedy': choose one of"),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict[str, float], message: str) -> None:
    with pytest.raises(DistillgameError) as caught:
        make_student(name, settings)
    assert message in str(caught.value)
