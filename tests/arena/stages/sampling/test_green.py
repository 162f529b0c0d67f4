import torch

from distillgame.arena.stages.sampling.green import green_share
from distillgame.models import LanguageModel
from distillgame.policies.seeds import Marking, context_seed, owner_key, uniform_numbers
from distillgame.values import trainable


def test_the_green_share_is_the_probability_of_green_tokens_and_has_its_gradient(proxy: LanguageModel) -> None:
    """Against one position at a time, and against a central difference along the gradient."""
    marking = Marking(owner_key(b"distillgame", "owner"), width=2)
    ids, start = [3, 9, 4, 7, 7, 12, 5], 3
    expected = 0.0
    for end in range(start, len(ids)):
        probabilities = torch.softmax(proxy.model(torch.tensor([ids[:end]])).logits[0, -1].double(), -1)
        seed = torch.tensor([context_seed(marking.key, ids[end - 2 : end])])
        green = uniform_numbers(seed, torch.arange(len(probabilities)))[0] < 0.3
        expected += float(probabilities[green].sum().detach())
    share = green_share(proxy, ids, start, marking, 0.3)
    torch.testing.assert_close(share.detach().item(), expected, atol=1e-5, rtol=1e-5)
    parameters = trainable(proxy.model)
    gradient = torch.autograd.grad(share, list(parameters.values()), allow_unused=True)
    known = {name: g for name, g in zip(parameters, gradient, strict=True) if g is not None}
    norm = torch.sqrt(sum((g.square().sum() for g in known.values()), torch.zeros(())))
    moved = []
    for step in (1e-2, -1e-2):
        with torch.no_grad():
            for name, g in known.items():
                parameters[name].add_(g, alpha=step / float(norm))
            moved.append(float(green_share(proxy, ids, start, marking, 0.3).detach()))
            for name, g in known.items():
                parameters[name].sub_(g, alpha=step / float(norm))
    assert abs((moved[0] - moved[1]) / 2e-2 - float(norm)) < 0.02 * float(norm)
