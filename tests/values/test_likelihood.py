import pytest
import torch

from distillgame.models import Example, LanguageModel
from distillgame.values import IGNORED, collate, mean_logprob

EXAMPLES = [Example((5, 6, 7), (8, 9)), Example((10,), (11, 12, 13, 14)), Example((15, 16), (17,))]


def test_collate_labels_targets_only() -> None:
    batch = collate(EXAMPLES, pad_id=0)
    assert batch["labels"].tolist() == [
        [IGNORED, IGNORED, IGNORED, 8, 9],
        [IGNORED, 11, 12, 13, 14],
        [IGNORED, IGNORED, 17, IGNORED, IGNORED],
    ]
    assert batch["input_ids"][2].tolist() == [15, 16, 17, 0, 0]
    assert batch["attention_mask"].sum(-1).tolist() == [5, 5, 3]


def test_mean_logprob_is_the_mean_over_target_tokens(teacher: LanguageModel) -> None:
    with torch.no_grad():
        together = mean_logprob(teacher.model, collate(EXAMPLES, 0))
        for example, got in zip(EXAMPLES, together, strict=True):
            logprobs = torch.log_softmax(
                teacher.model(torch.tensor([[*example.prompt, *example.target]])).logits[0], -1
            )
            first = len(example.prompt) - 1
            each = [float(logprobs[first + k, token]) for k, token in enumerate(example.target)]
            assert float(got) == pytest.approx(sum(each) / len(each), abs=1e-4)


def test_replaced_parameters_are_used_and_the_model_is_left_alone(teacher: LanguageModel) -> None:
    batch = collate(EXAMPLES, 0)
    before = {name: p.clone() for name, p in teacher.model.named_parameters()}
    with torch.no_grad():
        plain = mean_logprob(teacher.model, batch)
        other = mean_logprob(teacher.model, batch, {name: p * 0.5 for name, p in before.items()})
    assert not torch.allclose(plain, other)
    assert all(torch.equal(p, before[name]) for name, p in teacher.model.named_parameters())
