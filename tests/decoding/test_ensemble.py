"""Several proxies at once, of other sizes and with other vocabularies."""

import math

import pytest
import torch
from scipy.stats import chisquare

from distillgame.decoding import Engine, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import Experts, make_policy, release
from distillgame.values import Direction
from tests.conftest import make_model
from tests.decoding.common import drafting, encoded, requests
from tests.models.test_alignment import PROXY, TEACHER, word_model

FALSE_ALARM = 1e-5
COPIES = 2500
WEIGHTS = {"small": 1.0, "large": 2.0}


@pytest.fixture(scope="module")
def large() -> LanguageModel:
    return make_model(width=32, layers=3, seed=9)


def test_the_first_token_follows_the_weighted_product(
    teacher: LanguageModel, proxy: LanguageModel, large: LanguageModel
) -> None:
    policy = make_policy("poe", {"gamma": 0.6, "proxies": WEIGHTS})
    (request,) = requests(["4 dog"])
    ids = torch.tensor([teacher.prompt_ids(request.messages)])
    with torch.no_grad():
        ours, *theirs = (each.model(ids).logits[:, -1] for each in (teacher, proxy, large))
        expected = release(policy, Experts(ours, 0.8, tuple(theirs))).released.probabilities[0].double()
    for speculative in (False, True):
        engine = Engine(
            teacher, policy, proxies={"large": large, "small": proxy}, batch_size=1000,
            speculative=speculative, calibration=drafting(),
        )  # fmt: skip
        samples = engine.generate(
            encoded(teacher, ["4 dog"], COPIES), SamplingParams(temperature=0.8, max_new_tokens=1), 3
        )
        counts = torch.bincount(torch.tensor([s.token_ids[0] for s in samples]), minlength=len(expected))
        likely = expected * COPIES >= 8
        observed = [*counts[likely].tolist(), int(counts[~likely].sum())]
        masses = [*expected[likely].tolist(), float(expected[~likely].sum())]
        assert likely.sum() > 5
        assert chisquare(observed, [m / sum(masses) * COPIES for m in masses]).pvalue > FALSE_ALARM


@pytest.mark.parametrize("name", ["poe", "ads", "equilibrium_gap", "equilibrium_grad"])
def test_traces_are_the_same_however_far_ahead_is_drafted(
    teacher: LanguageModel, proxy: LanguageModel, large: LanguageModel, direction: Direction, name: str
) -> None:
    strength = {"poe": {"gamma": 0.5}, "ads": {"lambda": 0.5}}.get(name, {"eta": 0.3, "kappa": 0.8})
    policy = make_policy(name, {**strength, "proxies": WEIGHTS})
    along = {n: torch.randn(p.shape, generator=torch.Generator().manual_seed(4)) for n, p in named(large)}
    norm = math.sqrt(sum(float(d.square().sum()) for d in along.values()))
    directions = {"small": direction, "large": {n: d / norm for n, d in along.items()}}
    params = SamplingParams(temperature=0.8, max_new_tokens=14, forced_answer_tokens=3)

    def run(speculative: bool, batch_size: int) -> list[list[int]]:
        engine = Engine(
            teacher, policy, proxies={"small": proxy, "large": large}, directions=directions, batch_size=batch_size,
            speculative=speculative, calibration=drafting(),
        )  # fmt: skip
        return [s.token_ids for s in engine.generate(requests(copies=4), params, seed=5)]

    assert run(False, 64) == run(True, 64) == run(True, 5)


def named(model: LanguageModel) -> list[tuple[str, torch.nn.Parameter]]:
    return list(model.model.named_parameters())


def test_the_measured_proxy_is_the_weighted_mean(
    teacher: LanguageModel, proxy: LanguageModel, large: LanguageModel
) -> None:
    policy = make_policy("poe", {"gamma": 0.5, "proxies": WEIGHTS})
    engine = Engine(teacher, policy, proxies={"small": proxy, "large": large})
    request = requests(["4 dog"])[0]
    (sample,) = engine.generate([request], SamplingParams(temperature=0.8, max_new_tokens=6))
    ids = [*teacher.prompt_ids(request.messages), *sample.token_ids]
    start = len(ids) - len(sample.token_ids)
    expected = torch.zeros(len(sample.token_ids))
    for model, weight in ((proxy, 1 / 3), (large, 2 / 3)):
        with torch.no_grad():
            scores = torch.log_softmax(model.model(torch.tensor([ids])).logits[0] / 0.8, -1)
        expected += weight * scores[range(start - 1, len(ids) - 1), ids[start:]]
    assert sample.logprob_proxy == pytest.approx(expected.tolist(), abs=1e-4)


def test_proxies_mix_where_all_share_a_token() -> None:
    """Tokens that one of them has not keep the teacher's own probability; both read them as well as they can."""
    teacher = word_model(TEACHER, "<end>", seed=1)
    other = ["d", "<halt>", "a", "c", "only-other", "x"]
    proxies = {"a": word_model(PROXY, "<stop>", seed=2), "b": word_model(other, "<halt>", seed=3)}
    policy = make_policy("poe", {"gamma": 0.5, "proxies": ["a", "b"]})
    params = SamplingParams(temperature=1.0, max_new_tokens=12)
    plain = Engine(teacher, policy, proxies=proxies)
    assert plain.proxies is not None
    assert plain.proxies.shared is not None
    assert [TEACHER[i] for i in plain.proxies.shared.tolist()] == ["a", "c", "d", "<end>"]
    ahead = Engine(teacher, policy, proxies=proxies, speculative=True, calibration=drafting())
    asked = requests(["a c d", "d"], 20)
    samples = plain.generate(asked, params)
    assert [s.token_ids for s in samples] == [s.token_ids for s in ahead.generate(asked, params)]
    alone = [
        (reference, released)
        for s in samples
        for token, reference, released in zip(s.token_ids, s.logprob_reference, s.logprob_released, strict=True)
        if TEACHER[token] in ("b", "only-teacher")
    ]
    assert alone
    assert all(reference == pytest.approx(released, abs=1e-4) for reference, released in alone)


def test_proxies_that_share_too_little_between_them_are_refused() -> None:
    teacher = word_model(["a", "b", "c", "d", "e", "<end>"], "<end>")
    proxies = {
        "left": word_model(["a", "b", "<end>", "p"], "<end>"),
        "right": word_model(["c", "d", "<end>", "q"], "<end>"),
    }
    policy = make_policy("poe", {"gamma": 0.5, "proxies": ["left", "right"]})
    with pytest.raises(DistillgameError, match="share only 1 tokens"):
        Engine(teacher, policy, proxies=proxies)


def test_a_proxy_that_is_missing_is_named(teacher: LanguageModel, proxy: LanguageModel, direction: Direction) -> None:
    with pytest.raises(DistillgameError, match="policy 'poe' needs a proxy called 'large': name one"):
        Engine(teacher, make_policy("poe", {"gamma": 0.5, "proxies": WEIGHTS}), proxies={"small": proxy})
    with pytest.raises(DistillgameError, match="the defender's gradient at the proxy 'large'"):
        Engine(
            teacher, make_policy("ads", {"lambda": 0.5, "proxies": WEIGHTS}), proxies={"small": proxy, "large": proxy},
            directions={"small": direction},
        )  # fmt: skip
