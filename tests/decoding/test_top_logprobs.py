"""The likeliest released tokens, where they are asked for: never the reference's, and the same traces."""

import pytest
import torch

from distillgame.decoding import Engine, SamplingParams
from distillgame.models import LanguageModel
from distillgame.policies import make_policy
from tests.decoding.common import PROMPTS, drafting, requests

PARAMS = SamplingParams(temperature=0.8, top_p=0.9, max_new_tokens=12, top_logprobs=4)


@pytest.mark.parametrize("speculative", [False, True])
def test_they_are_of_the_released_distribution_and_change_no_trace(
    teacher: LanguageModel, proxy: LanguageModel, speculative: bool
) -> None:
    policy = make_policy("poe", {"gamma": 0.5})
    calibration = drafting() if speculative else None
    asked, plain = (
        Engine(teacher, policy, proxies={"proxy": proxy}, speculative=speculative, calibration=calibration).generate(
            requests(), PARAMS.model_copy(update={"top_logprobs": count}), 0
        )
        for count in (4, 0)
    )
    for prompt, sample, other in zip(PROMPTS, asked, plain, strict=True):
        assert sample.token_ids == other.token_ids
        assert other.top_ids == []
        start = teacher.prompt_ids([{"role": "user", "content": prompt}])
        ids = torch.tensor([[*start, *sample.token_ids]])
        with torch.no_grad():
            mixed = 0.5 * teacher.model(ids).logits + 0.5 * proxy.model(ids).logits
        exact = torch.log_softmax(mixed[0, len(start) - 1 : -1] / 0.8, -1)
        for row, tokens, logprobs in zip(exact, sample.top_ids, sample.top_logprobs, strict=True):
            assert logprobs == pytest.approx(row.topk(4).values.tolist(), abs=1e-3)
            assert logprobs == pytest.approx(row[tokens].tolist(), abs=1e-3)


def test_requests_that_ask_for_different_numbers_share_a_batch(teacher: LanguageModel) -> None:
    from dataclasses import replace

    first, second, third = requests()
    mixed = [
        first,
        replace(second, params=PARAMS),
        replace(third, params=PARAMS.model_copy(update={"top_logprobs": 2})),
    ]
    samples = Engine(teacher, make_policy("standard", {})).generate(
        mixed, PARAMS.model_copy(update={"top_logprobs": 0}), 0
    )
    assert [len(sample.top_ids[0]) if sample.top_ids else 0 for sample in samples] == [0, 4, 2]
