import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from distillgame.decoding import Engine, Request, SamplingParams
from distillgame.decoding.experts import DERIVATIVE_STEP
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, training_example
from distillgame.policies import Experts, ReleasePolicy, make_policy, release
from distillgame.values import Direction, collate, objective_gradient, v_grad_jvp

PROMPTS = ["4 dog", "3 cat , 2 snake", "9 crab , 1 ant , 5 bee"]
POLICIES = [
    ("standard", {}),
    ("temperature", {"temperature": 1.1}),
    ("poe", {"gamma": 0.5}),
    ("ads", {"lambda": 0.5}),
    ("permutation", {"lambda": 0.5}),
]


def requests(prompts: list[str] = PROMPTS, copies: int = 1) -> list[Request]:
    return [
        Request(f"{prompt}/{k}", [{"role": "user", "content": prompt}], " #### ")
        for prompt in prompts
        for k in range(copies)
    ]


@pytest.fixture(scope="module")
def direction(proxy: LanguageModel) -> Direction:
    texts = ["4 dog total 16 . #### 16", "3 cat total 12 . #### 12"]
    examples = [
        training_example(
            proxy.tokenizer,
            [{"role": "user", "content": "4 dog"}, {"role": "assistant", "content": text}],
            True,
        )
        for text in texts
    ]
    return objective_gradient(proxy.model, [collate(examples, 0)])


def make_engine(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    policy: ReleasePolicy,
    batch_size: int = 64,
) -> Engine:
    return Engine(teacher, policy, proxy=proxy, direction=direction, batch_size=batch_size)


def test_greedy_decoding_equals_transformers_generate(teacher: LanguageModel) -> None:
    params = SamplingParams(temperature=0, max_new_tokens=20)
    samples = Engine(teacher, make_policy("standard")).generate(requests(), params)
    for request, sample in zip(requests(), samples, strict=True):
        ids = torch.tensor([teacher.prompt_ids(request.messages)])
        expected = teacher.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=20,
            pad_token_id=0,
        )
        assert sample.token_ids == expected[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize(("name", "strength"), POLICIES)
def test_a_trace_does_not_depend_on_its_batch(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, name: str, strength: dict[str, float]
) -> None:
    params = SamplingParams(temperature=0.8, max_new_tokens=12)
    policy = make_policy(name, strength)
    together = make_engine(teacher, proxy, direction, policy).generate(requests(copies=4), params, seed=3)
    for batch_size in (1, 5):
        engine = make_engine(teacher, proxy, direction, policy, batch_size)
        apart = engine.generate(list(reversed(requests(copies=4))), params, seed=3)
        assert [s.token_ids for s in reversed(apart)] == [s.token_ids for s in together]


def exact_distribution(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    policy: ReleasePolicy,
    prompt: str,
    length: int,
) -> dict[tuple[int, ...], float]:
    """Brute force over all continuations that hold most of the mass, each expert run on the whole sequence."""
    messages = [{"role": "user", "content": prompt}]
    start = teacher.prompt_ids(messages)

    def released(tokens: tuple[int, ...]) -> torch.Tensor:
        ids = torch.tensor([[*start, *tokens]])

        def last(parameters: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
            model = proxy.model
            if parameters is None:
                return torch.log_softmax(model(ids).logits[:, -1], -1)
            output = torch.func.functional_call(model, parameters, kwargs={"input_ids": ids})
            return torch.log_softmax(output.logits[:, -1], -1)

        with torch.no_grad():
            plus, minus = (
                last({n: p + sign * DERIVATIVE_STEP * direction[n] for n, p in proxy.model.named_parameters()})
                for sign in (1, -1)
            )
            experts = Experts(
                teacher.model(ids).logits[:, -1], 0.8, last(), (plus - minus) / (2 * DERIVATIVE_STEP), (0,)
            )
            return release(policy, experts).released[0].exp()

    beams: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(length):
        grown: dict[tuple[int, ...], float] = {}
        for tokens, mass in beams.items():
            if tokens and tokens[-1] in teacher.stop_ids:
                grown[tokens] = mass
                continue
            for token, probability in enumerate(released(tokens).tolist()):
                if mass * probability > 2e-3:
                    grown[(*tokens, token)] = mass * probability
        beams = grown
    return beams


@pytest.mark.parametrize(("name", "strength"), [case for case in POLICIES if case[0] != "permutation"])
def test_two_token_joint_distribution_is_exact(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, name: str, strength: dict[str, float]
) -> None:
    """Chi-square over the likeliest pairs of tokens and the rest, in a ragged batch, false-alarm rate 1e-5 each."""
    policy = make_policy(name, strength)
    copies = 3000
    prompts = PROMPTS[:2]
    expected = {p: exact_distribution(teacher, proxy, direction, policy, p, 2) for p in prompts}
    engine = make_engine(teacher, proxy, direction, policy, batch_size=2000)
    samples = engine.generate(requests(prompts, copies), SamplingParams(temperature=0.8, max_new_tokens=2), seed=11)
    for k, prompt in enumerate(prompts):
        pairs = {tokens: mass for tokens, mass in expected[prompt].items() if mass * copies >= 8}
        counts = Counter(tuple(s.token_ids) for s in samples[k * copies : (k + 1) * copies])
        observed = [counts[tokens] for tokens in pairs]
        masses = list(pairs.values())
        assert len(masses) > 5
        observed.append(copies - sum(observed))
        masses.append(1 - sum(masses))
        assert chisquare(observed, np.array(masses) * copies, sum_check=False).pvalue > 1e-5


def test_what_is_recorded_agrees_with_a_second_pass(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction
) -> None:
    params = SamplingParams(temperature=0.7, max_new_tokens=6)
    engine = make_engine(teacher, proxy, direction, make_policy("poe", {"gamma": 0.3}))
    for request, sample in zip(requests(), engine.generate(requests(), params), strict=True):
        start = teacher.prompt_ids(request.messages)
        ids = torch.tensor([[*start, *sample.token_ids]])
        with torch.no_grad():
            ours = torch.log_softmax(teacher.model(ids).logits[0] / 0.7, -1)
            theirs = torch.log_softmax(proxy.model(ids).logits[0] / 0.7, -1)
        mixture = torch.log_softmax(0.7 * ours + 0.3 * theirs, -1)
        for step, token in enumerate(sample.token_ids):
            at = len(start) + step - 1
            kl = float((mixture[at].exp() * (mixture[at] - ours[at])).sum())
            assert sample.logprob_reference[step] == pytest.approx(float(ours[at, token]), abs=1e-3)
            assert sample.logprob_proxy[step] == pytest.approx(float(theirs[at, token]), abs=1e-3)
            assert sample.logprob_released[step] == pytest.approx(float(mixture[at, token]), abs=1e-3)
            assert sample.kl[step] == pytest.approx(kl, abs=1e-3)


def test_summed_step_kl_is_an_unbiased_estimate_of_the_sequence_kl(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction
) -> None:
    """The mean of the steps' KL agrees with the mean log ratio, whose expectation it is (5 standard errors)."""
    engine = make_engine(teacher, proxy, direction, make_policy("poe", {"gamma": 0.5}), batch_size=1000)
    samples = engine.generate(requests(copies=700), SamplingParams(temperature=1.0, max_new_tokens=8))
    gaps = [sum(s.logprob_released) - sum(s.logprob_reference) - sum(s.kl) for s in samples]
    assert abs(np.mean(gaps)) < 5 * np.std(gaps) / math.sqrt(len(gaps))


def test_delta_is_the_derivative_of_the_proxys_log_probabilities(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction
) -> None:
    engine = make_engine(teacher, proxy, direction, make_policy("ads", {"lambda": 0.1}))
    assert engine.proxy is not None
    prompt = proxy.prompt_ids([{"role": "user", "content": "4 dog"}])
    expert = engine.proxy.start([prompt])
    assert expert.delta is not None
    for token in (5, 20, 60):
        batch = {
            "input_ids": torch.tensor([[*prompt, token]]),
            "attention_mask": torch.ones(1, len(prompt) + 1, dtype=torch.long),
            "labels": torch.tensor([[-100] * len(prompt) + [token]]),
        }
        exact = -float(v_grad_jvp(eager(proxy), batch, direction))
        assert float(expert.delta[0, token]) == pytest.approx(exact, rel=0.02, abs=0.02)


def eager(model: LanguageModel) -> torch.nn.Module:
    import copy

    plain: torch.nn.Module = copy.deepcopy(model.model)
    plain.set_attn_implementation("eager")  # type: ignore[operator]
    return plain


def ending_teacher(teacher: LanguageModel, bonus: float) -> ReleasePolicy:
    class Ending(type(make_policy("standard"))):  # type: ignore[misc]
        def logits(self, experts: Experts) -> torch.Tensor:
            logits = experts.teacher.clone()
            logits[:, teacher.tokenizer.eos_token_id] += bonus
            return logits

    policy: ReleasePolicy = Ending()
    return policy


def test_a_completion_ends_at_the_end_token_which_is_measured_but_not_shown(teacher: LanguageModel) -> None:
    engine = Engine(teacher, ending_teacher(teacher, 100.0))
    for sample in engine.generate(requests(), SamplingParams(max_new_tokens=9)):
        assert sample.finish_reason == "stop"
        assert sample.token_ids == [teacher.tokenizer.eos_token_id]
        assert sample.completion == ""
        assert len(sample.kl) == 1


def test_a_cut_completion_gets_a_forced_greedy_answer_that_is_not_measured(teacher: LanguageModel) -> None:
    engine = Engine(teacher, ending_teacher(teacher, -100.0))
    params = SamplingParams(max_new_tokens=7, forced_answer_tokens=4)
    for request, sample in zip(requests(), engine.generate(requests(), params), strict=True):
        assert sample.finish_reason == "length"
        assert len(sample.token_ids) == len(sample.kl) == 7
        lead_in = teacher.tokenizer.encode(" #### ", add_special_tokens=False)
        assert sample.forced_tokens == len(lead_in) + 4
        ids = [*teacher.prompt_ids(request.messages), *sample.token_ids, *lead_in]
        forced = []
        for _ in range(4):
            with torch.no_grad():
                logits = teacher.model(torch.tensor([ids])).logits[0, -1]
            logits[teacher.tokenizer.eos_token_id] -= 100
            forced.append(int(logits.argmax()))
            ids.append(forced[-1])
        body = teacher.decode(sample.token_ids)
        assert sample.completion == body + " #### " + teacher.decode(forced)


def test_finished_rows_leave_and_do_not_disturb_the_others(teacher: LanguageModel) -> None:
    """Many rows end at different steps, so that the batch is compacted several times."""
    engine = Engine(teacher, ending_teacher(teacher, 2.0), batch_size=40)
    params = SamplingParams(temperature=1.0, max_new_tokens=30, forced_answer_tokens=3)
    together = engine.generate(requests(copies=13), params)
    alone = Engine(teacher, ending_teacher(teacher, 2.0), batch_size=1).generate(requests(copies=13), params)
    lengths = Counter(len(sample.token_ids) for sample in together)
    assert len(lengths) > 5
    assert [s.token_ids for s in together] == [s.token_ids for s in alone]
    assert [s.completion for s in together] == [s.completion for s in alone]


def test_greedy_samples_carry_no_kl(teacher: LanguageModel, proxy: LanguageModel) -> None:
    engine = Engine(teacher, make_policy("poe", {"gamma": 0.5}), proxy=proxy)
    sample = engine.generate(requests(), SamplingParams(temperature=0, max_new_tokens=3))[0]
    assert sample.kl == []
    assert len(sample.token_ids) == 3


def test_top_p_truncates_the_released_distribution_but_not_the_measurements(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction
) -> None:
    policy = make_policy("poe", {"gamma": 0.5})
    params = SamplingParams(temperature=1.0, max_new_tokens=1, top_p=0.3)
    engine = make_engine(teacher, proxy, direction, policy, batch_size=400)
    samples = engine.generate(requests(PROMPTS[:1], 400), params)
    masses = exact_distribution(teacher, proxy, direction, policy, PROMPTS[0], 1)
    assert len({s.token_ids[0] for s in samples}) < len(masses)
    assert all(math.isfinite(s.kl[0]) and s.kl[0] == samples[0].kl[0] for s in samples)


def test_callbacks_see_every_sample_once(teacher: LanguageModel) -> None:
    seen: list[str] = []
    engine = Engine(teacher, make_policy("standard"), batch_size=2)
    engine.generate(requests(copies=3), SamplingParams(max_new_tokens=4), on_sample=lambda s: seen.append(s.id))
    assert sorted(seen) == sorted(r.id for r in requests(copies=3))


def test_missing_experts_are_named(teacher: LanguageModel, proxy: LanguageModel) -> None:
    with pytest.raises(DistillgameError, match="policy 'poe' needs a proxy"):
        Engine(teacher, make_policy("poe", {"gamma": 0.5}))
    with pytest.raises(DistillgameError, match="policy 'ads' needs the defender's gradient"):
        Engine(teacher, make_policy("ads", {"lambda": 0.5}), proxy=proxy)


def test_a_gradient_of_another_model_is_refused(teacher: LanguageModel, proxy: LanguageModel) -> None:
    wrong = {name: torch.zeros_like(p) for name, p in teacher.model.named_parameters()}
    with pytest.raises(DistillgameError, match="the gradient does not belong to this proxy"):
        Engine(teacher, make_policy("ads", {"lambda": 0.5}), proxy=proxy, direction=wrong)


def test_broken_weights_are_reported_with_the_request(teacher: LanguageModel) -> None:
    import copy

    broken = copy.deepcopy(teacher.model)
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    engine = Engine(LanguageModel(broken, teacher.tokenizer, "broken"), make_policy("standard"))
    with pytest.raises(DistillgameError, match="request '4 dog/0': the models' logits are not numbers"):
        engine.generate(requests()[:1], SamplingParams(max_new_tokens=2))


def test_an_empty_request_list_is_fine(teacher: LanguageModel) -> None:
    assert Engine(teacher, make_policy("standard")).generate([], SamplingParams()) == []
