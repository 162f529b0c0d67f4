import copy
import math
from collections import Counter

import numpy as np
import pytest
import torch

from distillgame.decoding import Engine, Request, Sample, SamplingParams, Update
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import Experts, ReleasePolicy, make_policy
from distillgame.values import Direction
from tests.conftest import make_model
from tests.decoding.common import POLICIES, PROMPTS, drafting, requests


def make_engine(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, policy: ReleasePolicy, batch_size: int = 64
) -> Engine:
    return Engine(teacher, policy, proxies={"proxy": proxy}, directions={"proxy": direction}, batch_size=batch_size)


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
            reverse = float((ours[at].exp() * (ours[at] - mixture[at])).sum())
            assert sample.logprob_reference[step] == pytest.approx(float(ours[at, token]), abs=1e-3)
            assert sample.logprob_proxy[step] == pytest.approx(float(theirs[at, token]), abs=1e-3)
            assert sample.logprob_released[step] == pytest.approx(float(mixture[at, token]), abs=1e-3)
            assert sample.kl[step] == pytest.approx(kl, abs=1e-3)
            assert sample.kl_reverse[step] == pytest.approx(reverse, abs=1e-3)
            assert sample.v_gap[step] == pytest.approx(float(ours[at, token] - theirs[at, token]), abs=2e-3)


def test_summed_step_kl_is_an_unbiased_estimate_of_the_sequence_kl(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction
) -> None:
    """The mean of the steps' KL agrees with the mean log ratio, whose expectation it is (5 standard errors)."""
    engine = make_engine(teacher, proxy, direction, make_policy("poe", {"gamma": 0.5}), batch_size=1000)
    samples = engine.generate(requests(copies=700), SamplingParams(temperature=1.0, max_new_tokens=8))
    gaps = [sum(s.logprob_released) - sum(s.logprob_reference) - sum(s.kl) for s in samples]
    assert abs(np.mean(gaps)) < 5 * np.std(gaps) / math.sqrt(len(gaps))


def ending_teacher(teacher: LanguageModel, bonus: float) -> ReleasePolicy:
    class Ending(ReleasePolicy):
        name = "ending"

        def logits(self, experts: Experts) -> torch.Tensor:
            logits = experts.teacher.clone()
            logits[:, teacher.tokenizer.eos_token_id] += bonus
            return logits

    return Ending()


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
    engine = Engine(teacher, make_policy("poe", {"gamma": 0.5}), proxies={"proxy": proxy})
    sample = engine.generate(requests(), SamplingParams(temperature=0, max_new_tokens=3))[0]
    assert sample.kl == []
    assert len(sample.token_ids) == 3


def test_top_p_truncates_the_released_distribution_but_not_the_measurements(
    teacher: LanguageModel, proxy: LanguageModel
) -> None:
    engine = Engine(teacher, make_policy("poe", {"gamma": 0.5}), proxies={"proxy": proxy}, batch_size=400)
    wide, narrow = (
        engine.generate(requests(PROMPTS[:1], 400), SamplingParams(temperature=1.0, max_new_tokens=1, top_p=top_p))
        for top_p in (1.0, 0.3)
    )
    assert len({s.token_ids[0] for s in narrow}) < len({s.token_ids[0] for s in wide})
    assert [s.kl[0] for s in narrow] == pytest.approx([s.kl[0] for s in wide])


def test_callbacks_see_every_sample_once(teacher: LanguageModel) -> None:
    seen: list[str] = []
    engine = Engine(teacher, make_policy("standard"), batch_size=2)
    engine.generate(requests(copies=3), SamplingParams(max_new_tokens=4), on_sample=lambda s: seen.append(s.id))
    assert sorted(seen) == sorted(r.id for r in requests(copies=3))


def test_missing_experts_are_named(teacher: LanguageModel, proxy: LanguageModel) -> None:
    with pytest.raises(DistillgameError, match="policy 'poe' needs a proxy"):
        Engine(teacher, make_policy("poe", {"gamma": 0.5}))
    with pytest.raises(DistillgameError, match="policy 'ads' needs the defender's gradient"):
        Engine(teacher, make_policy("ads", {"lambda": 0.5}), proxies={"proxy": proxy})


def test_a_gradient_of_another_model_is_refused(teacher: LanguageModel, proxy: LanguageModel) -> None:
    wrong = {name: torch.zeros_like(p) for name, p in teacher.model.named_parameters()}
    with pytest.raises(DistillgameError, match="the gradient does not belong to this proxy"):
        Engine(teacher, make_policy("ads", {"lambda": 0.5}), proxies={"proxy": proxy}, directions={"proxy": wrong})


def test_broken_weights_are_reported_with_the_request(teacher: LanguageModel) -> None:
    broken = copy.deepcopy(teacher.model)
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    engine = Engine(LanguageModel(broken, teacher.tokenizer, "broken"), make_policy("standard"))
    with pytest.raises(DistillgameError, match="request '4 dog/0': the models' logits are not finite numbers"):
        engine.generate(requests()[:1], SamplingParams(max_new_tokens=2))


def test_an_empty_request_list_is_fine(teacher: LanguageModel) -> None:
    assert Engine(teacher, make_policy("standard")).generate([], SamplingParams()) == []


class Broken(ReleasePolicy):
    """Yields something that is no number for one request, from its third token on."""

    name = "broken"

    def __init__(self, key: int, value: float):
        self.key, self.value = key, value

    def logits(self, experts: Experts) -> torch.Tensor:
        logits = experts.teacher.clone()
        logits[[key == self.key for key in experts.keys], 7] = self.value
        return logits


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("speculative", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_one_broken_sequence_leaves_the_others_alone(
    teacher: LanguageModel, proxy: LanguageModel, value: float, speculative: bool, temperature: float
) -> None:
    from distillgame.decoding.drawing.streams import policy_keys

    params = SamplingParams(temperature=temperature, max_new_tokens=8, ignore_end=True)
    chosen = requests()[1].id
    policy = Broken(int(policy_keys(0, chosen, 8)[2]), value)
    seen: list[Sample] = []
    engine = Engine(teacher, policy, proxies={"proxy": proxy}, speculative=speculative, calibration=drafting())
    with pytest.raises(DistillgameError, match=f"request '{chosen}': the models' logits are not finite numbers"):
        engine.generate(requests(), params, on_sample=seen.append)
    sound = Engine(
        teacher, make_policy("standard"), proxies={"proxy": proxy}, speculative=speculative, calibration=drafting()
    )
    expected = {s.id: s.token_ids for s in sound.generate(requests(), params)}
    assert {s.id: s.token_ids for s in seen} == {k: v for k, v in expected.items() if k != chosen}
    assert not engine.busy


def test_an_empty_prompt_is_refused_by_name(teacher: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LanguageModel, "prompt_ids", lambda self, messages, told=None: [])
    with pytest.raises(DistillgameError, match="request '4 dog/0': the prompt is empty"):
        Engine(teacher, make_policy("standard")).generate(requests(), SamplingParams())


def test_a_prompt_beyond_the_context_is_refused_before_anything_is_sampled(teacher: LanguageModel) -> None:
    engine = Engine(teacher, make_policy("standard"))
    long = Request("long", [{"role": "user", "content": "4 dog , " * 900}])
    with pytest.raises(DistillgameError, match=r"request 'long': its prompt of \d+ tokens and 8 new ones do not fit"):
        engine.generate([*requests(), long], SamplingParams(max_new_tokens=8))
    assert engine.counters.tokens == 0
    with pytest.raises(DistillgameError, match="do not fit the token budget of 64"):
        Engine(teacher, make_policy("standard"), token_budget=64).generate(requests(), SamplingParams())


def test_a_completion_may_fill_the_context_to_its_last_place(proxy: LanguageModel) -> None:
    teacher = make_model(seed=1)
    teacher.model.config.max_position_embeddings = 256
    prompt = teacher.prompt_ids(requests()[0].messages)
    params = SamplingParams(max_new_tokens=256 - len(prompt), ignore_end=True)
    engine = Engine(
        teacher, make_policy("poe", {"gamma": 0.4}), proxies={"proxy": proxy}, speculative=True, calibration=drafting()
    )
    short = Request("short", requests()[0].messages, params=SamplingParams(max_new_tokens=3, ignore_end=True))
    long, other = engine.generate([requests()[0], short], params)
    assert len(prompt) + len(long.token_ids) == 256
    assert len(other.token_ids) == 3


def test_requests_may_bring_their_own_parameters(teacher: LanguageModel, proxy: LanguageModel) -> None:
    """Each as if it were alone: temperatures, truncations and lengths share a batch."""
    mine = [
        SamplingParams(temperature=0, max_new_tokens=5),
        SamplingParams(temperature=1.2, top_p=0.7, max_new_tokens=9),
        SamplingParams(temperature=0.6, top_k=4, max_new_tokens=7),
    ]
    policy = make_policy("poe", {"gamma": 0.4})
    mixed = [Request(r.id, r.messages, params=p) for r, p in zip(requests(), mine, strict=True)]
    together = Engine(teacher, policy, proxies={"proxy": proxy}).generate(mixed, SamplingParams())
    for request, params, sample in zip(requests(), mine, together, strict=True):
        alone = Engine(teacher, policy, proxies={"proxy": proxy}).generate([request], params)[0]
        assert sample.token_ids == alone.token_ids
        assert len(sample.token_ids) <= params.max_new_tokens


@pytest.mark.parametrize("speculative", [False, True])
def test_streamed_text_joins_to_the_completion(teacher: LanguageModel, proxy: LanguageModel, speculative: bool) -> None:
    texts: Counter[str] = Counter()
    joined: dict[str, str] = {}

    def listen(update: Update) -> None:
        joined[update.sample.id] = joined.get(update.sample.id, "") + update.text
        texts[update.sample.id] += 1

    engine = Engine(
        teacher,
        make_policy("poe", {"gamma": 0.4}),
        proxies={"proxy": proxy},
        speculative=speculative,
        calibration=drafting(),
    )
    params = SamplingParams(max_new_tokens=12, forced_answer_tokens=3)
    for sample in engine.generate(requests(copies=3), params, on_update=listen):
        assert joined[sample.id] == sample.completion
        assert texts[sample.id] > (1 if speculative else 5) or len(sample.token_ids) < 6


def test_a_stop_string_ends_a_completion_and_is_not_part_of_it(teacher: LanguageModel) -> None:
    params = SamplingParams(max_new_tokens=30, ignore_end=True)
    engine = Engine(teacher, make_policy("standard"))
    whole = engine.generate(requests(), params)
    for request, sample in zip(requests(), whole, strict=True):
        stop = sample.completion[len(sample.completion) // 2 :][:4]
        cut = engine.generate([request], params.model_copy(update={"stop": (stop,)}))[0]
        assert cut.finish_reason == "stop"
        assert cut.completion == sample.completion.split(stop)[0]
        assert cut.token_ids == sample.token_ids[: len(cut.token_ids)]


def test_one_sequence_can_be_cancelled(teacher: LanguageModel) -> None:
    engine = Engine(teacher, make_policy("standard"), batch_size=2)
    params = SamplingParams(max_new_tokens=20, ignore_end=True)
    handles = [engine.add(request, params) for request in requests()]
    finished: dict[int, Update] = {}
    for step in range(200):
        if step == 4:
            engine.cancel(handles[1])
            engine.cancel(handles[2])
            engine.cancel(99)
        finished |= {update.handle: update for update in engine.step() if update.finished}
        if not engine.busy:
            break
    reasons = [finished[handle].sample.finish_reason for handle in handles]
    assert reasons == ["length", "cancelled", "cancelled"]
    assert 0 < len(finished[handles[1]].sample.token_ids) < 20
    assert finished[handles[2]].sample.token_ids == []
    expected = Engine(teacher, make_policy("standard")).generate(requests()[:1], params)[0]
    assert finished[handles[0]].sample.token_ids == expected.token_ids


def test_waiting_requests_enter_as_others_leave(teacher: LanguageModel) -> None:
    """Long and short ones: a static batch would take as many steps as its longest rows together."""
    lengths = [40, 4, 4, 4, 4, 4, 4, 4, 4, 4]
    mixed = [
        Request(str(i), requests()[0].messages, params=SamplingParams(max_new_tokens=n, ignore_end=True))
        for i, n in enumerate(lengths)
    ]
    engine = Engine(teacher, make_policy("standard"), batch_size=2)
    samples = engine.generate(mixed, SamplingParams())
    assert [len(s.token_ids) for s in samples] == lengths
    assert engine.counters.teacher_passes <= 40


def test_an_interrupted_engine_can_be_used_again(teacher: LanguageModel) -> None:
    engine = Engine(teacher, make_policy("standard"))

    def interrupt(update: Update) -> None:
        raise KeyboardInterrupt

    params = SamplingParams(max_new_tokens=5)
    with pytest.raises(KeyboardInterrupt):
        engine.generate(requests(), params, on_update=interrupt)
    expected = Engine(teacher, make_policy("standard")).generate(requests(), params)
    assert [s.token_ids for s in engine.generate(requests(), params)] == [s.token_ids for s in expected]


def test_an_unknown_derivative_is_named(teacher: LanguageModel, proxy: LanguageModel, direction: Direction) -> None:
    with pytest.raises(
        DistillgameError, match="derivative 'exact' does not exist; choose one of low_rank, jvp, central"
    ):
        Engine(
            teacher,
            make_policy("ads", {"lambda": 0.5}),
            proxies={"proxy": proxy},
            directions={"proxy": direction},
            derivative="exact",  # type: ignore[arg-type]
        )
