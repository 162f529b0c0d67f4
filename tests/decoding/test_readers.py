import copy
import gc
import weakref

import pytest
import torch

from distillgame.decoding.networks.proxy import Proxy
from distillgame.decoding.networks.readers import make_derivative
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.values import Direction, v_grad_jvp

NAMES = ["central", "low_rank", "jvp"]


def read_all(model: object, direction: Direction, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and delta after a script of ragged reads, forgetting, and a row that leaves."""
    reader = make_derivative(name, model, direction).start()
    with torch.inference_mode():
        reader.admit([[5, 6, 7], [8], [9, 10, 11, 12]])
        reader.read([[13], [14, 15], []])
        reader.truncate(1, 2)
        reader.remove(0)
        assert reader.lengths == [4, 2]
        reader.admit([[20, 21]])
        outputs = reader.read([[30], [31], [32]])
        logits, delta = reader.combine(*(output[:, 0] for output in outputs))
    assert delta is not None
    return torch.log_softmax(logits, -1), delta


def test_delta_is_the_derivative_of_the_proxys_log_probabilities(proxy: LanguageModel, direction: Direction) -> None:
    """Against the value of each token by a forward-mode pass over the whole sequence."""
    eager = copy.deepcopy(proxy.model)
    eager.set_attn_implementation("eager")
    rows = [[9, 10, 11, 12, 30], [8, 14, 31], [20, 21, 32]]
    for name in NAMES:
        delta = read_all(proxy.model, direction, name)[1]
        for i, row in enumerate(rows):
            for token in (5, 20, 60):
                batch = {
                    "input_ids": torch.tensor([[*row, token]]),
                    "attention_mask": torch.ones(1, len(row) + 1, dtype=torch.long),
                    "labels": torch.tensor([[-100] * len(row) + [token]]),
                }
                exact = -float(v_grad_jvp(eager, batch, direction))
                assert float(delta[i, token]) == pytest.approx(exact, rel=0.02, abs=0.02), name


def test_the_three_ways_agree_on_logits_and_derivative(proxy: LanguageModel, direction: Direction) -> None:
    reference = read_all(proxy.model, direction, "jvp")
    for name in ("central", "low_rank"):
        logits, delta = read_all(proxy.model, direction, name)
        assert torch.allclose(logits, reference[0], atol=5e-3)
        assert float((delta - reference[1]).norm() / reference[1].norm()) < 0.02


def test_half_precision_weights_are_perturbed_in_full(proxy: LanguageModel, direction: Direction) -> None:
    half = copy.deepcopy(proxy.model).bfloat16()
    expected = read_all(half.float(), direction, "jvp")[1]
    for name in NAMES:
        delta = read_all(copy.deepcopy(proxy.model).bfloat16(), direction, name)[1]
        assert delta.dtype == torch.float32
        assert float((delta - expected).norm() / expected.norm()) < 0.02


def test_the_model_is_left_alone(proxy: LanguageModel, direction: Direction) -> None:
    before = {name: p.clone() for name, p in proxy.model.named_parameters()}
    kinds = {name: type(module) for name, module in proxy.model.named_modules()}
    for name in NAMES:
        read_all(proxy.model, direction, name)
    assert kinds == {name: type(module) for name, module in proxy.model.named_modules()}
    assert proxy.model.config._attn_implementation == "sdpa"
    for name, p in proxy.model.named_parameters():
        assert torch.equal(p, before[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_direction_of_another_model_is_refused(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, name: str
) -> None:
    with pytest.raises(DistillgameError, match=r"the gradient does not belong to this proxy: '.*' has another shape"):
        make_derivative(name, proxy.model, {key: torch.zeros(3) for key in direction})
    with pytest.raises(DistillgameError, match="the gradient does not belong to this proxy"):
        Proxy(teacher, teacher, direction, name)


def test_engines_share_a_derivative_while_any_of_them_lives(proxy: LanguageModel, direction: Direction) -> None:
    """Each is a float32 network of the proxy's size, so three ADS policies must not hold three."""
    first = make_derivative("low_rank", proxy.model, direction)
    assert make_derivative("low_rank", proxy.model, direction) is first
    assert make_derivative("jvp", proxy.model, direction) is not first
    other = {name: -part for name, part in direction.items()}
    assert make_derivative("low_rank", proxy.model, other) is not first
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
