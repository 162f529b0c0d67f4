"""Students that know the proxy or see log-probabilities: inverting PoE is exact."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from distillgame.decoding import Engine, Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.policies import make_policy
from distillgame.records import ReleasedLogprobs, ReleasedTrace
from distillgame.students import Desk, Supplies, TrainingSettings, distill, make_student
from distillgame.students.lessons import collate_lessons
from distillgame.values import mean_logprob

PROMPT = [{"role": "user", "content": "4 cockroach , 3 dog"}]
TEMPERATURE = 0.6


def released(
    teacher: LanguageModel, proxy: LanguageModel, gamma: float, top: int
) -> tuple[ReleasedTrace, ReleasedLogprobs]:
    engine = Engine(teacher, make_policy("poe", {"gamma": gamma}), proxies={"proxy": proxy})
    params = SamplingParams(temperature=TEMPERATURE, max_new_tokens=12, top_logprobs=top)
    (sample,) = engine.generate([Request("a", PROMPT)], params, seed=3)
    trace = ReleasedTrace([*PROMPT, {"role": "assistant", "content": sample.completion}], sample.finish_reason)
    return trace, ReleasedLogprobs(
        np.array(sample.token_ids, np.int32),
        np.array(sample.top_ids, np.int32),
        np.array(sample.top_logprobs, np.float32),
    )


def reference_logprobs(teacher: LanguageModel, token_ids: list[int]) -> torch.Tensor:
    prompt = teacher.prompt_ids(PROMPT)
    with torch.no_grad():
        logits = teacher.model(torch.tensor([[*prompt, *token_ids]])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits / TEMPERATURE, -1)


def test_all_released_logprobs_and_the_proxy_give_the_reference_teacher(
    teacher: LanguageModel, proxy: LanguageModel
) -> None:
    """Why released log-probabilities are off by default: with the proxy known, PoE hides nothing of the teacher."""
    trace, exposed = released(teacher, proxy, 0.4, teacher.logit_count)
    supplies = Supplies([trace], logprobs=[exposed], proxy=proxy, temperature=TEMPERATURE)
    (lesson,) = make_student("logit", {"gamma": 0.4}).prepare(Desk(teacher, supplies, (), 256, 4, 1e-3, 1e-3))
    assert lesson.soft is not None
    exact = reference_logprobs(teacher, exposed.token_ids.tolist()).gather(-1, lesson.soft.tokens.long())
    likely = exact > -12
    assert torch.allclose(lesson.soft.logprobs[likely], exact[likely], atol=2e-3)


def test_without_inversion_the_targets_are_what_was_released(teacher: LanguageModel, proxy: LanguageModel) -> None:
    trace, exposed = released(teacher, proxy, 0.4, 5)
    supplies = Supplies([trace], logprobs=[exposed], temperature=TEMPERATURE)
    (lesson,) = make_student("logit").prepare(Desk(teacher, supplies, (), 256, 4, 1e-3, 1e-3))
    assert lesson.soft is not None
    assert torch.allclose(lesson.soft.logprobs, torch.log_softmax(torch.tensor(exposed.top_logprobs), -1), atol=1e-5)
    assert lesson.example.target == tuple(exposed.token_ids)


def test_a_certain_soft_target_counts_like_the_token(teacher: LanguageModel, proxy: LanguageModel) -> None:
    trace, exposed = released(teacher, proxy, 0.4, 5)
    certain = ReleasedLogprobs(
        exposed.token_ids, exposed.token_ids[:, None], np.zeros((len(exposed.token_ids), 1), np.float32)
    )
    desk = Desk(teacher, Supplies([trace], logprobs=[certain]), (), 256, 4, 1e-3, 1e-3)
    (lesson,) = make_student("logit").prepare(desk)
    with torch.no_grad():
        soft, hard = (
            mean_logprob(teacher.model, collate_lessons([part], 0)) for part in (lesson, replace(lesson, soft=None))
        )
    assert torch.allclose(soft, hard, atol=1e-5)


def test_soft_targets_train(teacher: LanguageModel, proxy: LanguageModel) -> None:
    trace, exposed = released(teacher, proxy, 0.4, 5)
    model = LanguageModel(copy.deepcopy(teacher.model), teacher.tokenizer, teacher.source)
    supplies = Supplies([trace] * 4, logprobs=[exposed] * 4)
    _, report = distill(model, make_student("logit"), supplies, [], TrainingSettings(epochs=2, batch_size=2), 0)
    assert report.steps == 4


def test_another_vocabulary_is_refused(teacher: LanguageModel) -> None:
    from distillgame.models import load_model

    other = load_model("embedded:student-bpe")
    supplies = Supplies([], logprobs=[], proxy=other)
    with pytest.raises(DistillgameError, match="have different vocabularies"):
        make_student("logit", {"gamma": 0.5}).prepare(Desk(teacher, supplies, (), 256, 4, 1e-3, 1e-3))


def test_proxy_aware_weighs_by_the_proxys_surprise(teacher: LanguageModel, proxy: LanguageModel) -> None:
    traces = [
        ReleasedTrace([*PROMPT, {"role": "assistant", "content": text}])
        for text in ("4 cockroach total 24 . #### 24", "4 dog : 4 x 4 = 16 total 16 . #### 16")
    ]
    desk = Desk(teacher, Supplies(traces, proxy=proxy), (), 256, 4, 1e-3, 1e-3)
    lessons = make_student("proxy_aware", {"eta": 2.0}).prepare(desk)
    at_proxy = Desk(proxy, Supplies(), (), 256, 4, 1e-3, 1e-3)
    surprise = [-float(row.mean()) for row in at_proxy.token_logprobs(at_proxy.lessons(traces))]
    assert [lesson.log_weight for lesson in lessons] == pytest.approx([2 * value for value in surprise])
