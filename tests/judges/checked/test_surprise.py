import pytest
import torch

from distillgame.judges import Exhibit
from distillgame.judges.checked.surprise import mean_log_probability
from distillgame.models import LanguageModel


def test_it_is_the_mean_over_the_tokens(teacher: LanguageModel) -> None:
    exhibit = Exhibit("a", "4 dog", "4 dog total 16 . #### 16")
    prompt = teacher.prompt_ids([{"role": "user", "content": exhibit.question}])
    target = teacher.tokenizer.encode(exhibit.text, add_special_tokens=False)
    ids = torch.tensor([[*prompt, *target]])
    with torch.no_grad():
        logprobs = torch.log_softmax(teacher.model(ids).logits[0].double(), -1)
    each = [float(logprobs[len(prompt) - 1 + place, token]) for place, token in enumerate(target)]
    assert mean_log_probability(teacher, exhibit) == pytest.approx(sum(each) / len(each), rel=1e-4)


def test_of_a_long_trace_the_beginning_counts(teacher: LanguageModel) -> None:
    step = "4 dog total 16 . "
    room = int(teacher.context)
    longer, longest = (Exhibit("a", "4 dog", step * (room // 5 * times)) for times in (2, 3))
    assert mean_log_probability(teacher, longer) == mean_log_probability(teacher, longest)


def test_without_a_token_there_is_nothing_to_read(teacher: LanguageModel) -> None:
    assert mean_log_probability(teacher, Exhibit("a", "4 dog", "")) is None
    assert mean_log_probability(teacher, Exhibit("a", "4 dog " * 4000, "16")) is None
