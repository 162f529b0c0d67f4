import pytest

from distillgame.models import LanguageModel, training_example
from distillgame.values import Direction, collate, objective_gradient


@pytest.fixture(scope="session")
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
