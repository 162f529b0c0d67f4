import dataclasses
import random
import shutil
from itertools import islice
from pathlib import Path

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import load_model
from distillgame.models.spec import EMBEDDED
from distillgame.worlds.assess import accuracy, assess, violations
from distillgame.worlds.atlas import WORLDS
from distillgame.worlds.build import build, check
from distillgame.worlds.notation import is_reserved
from distillgame.worlds.recipe import Phase, Recipe
from distillgame.worlds.recipes import RECIPES
from distillgame.worlds.training import make_tokenizer, stream, train

TASK = WORLDS["leg_counting"].task(train=300, test=1)
POOL = TASK.pools()["train"]
SHORT = Recipe(width=16, layers=1, phases=(Phase(30, 0.5, 0.2, 0.2, 0.1), Phase(10, 0, 0, 1, 0, rate=0.5, until=0)))


def test_a_recipe_gives_the_same_weights_again() -> None:
    losses: list[float] = []
    first, _ = train(SHORT, lambda done, total, loss: losses.append(loss))
    second, _ = train(SHORT)
    other, _ = train(dataclasses.replace(SHORT, seed=1))
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(p, q) for p, q in zip(first.parameters(), other.parameters(), strict=True))
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", RECIPES)
def test_models_are_never_trained_on_problems_of_the_game(name: str) -> None:
    tokenizer = make_tokenizer(RECIPES[name])
    for example in islice(stream(tokenizer, RECIPES[name], RECIPES[name].phases[0], 5), 300):
        question = tokenizer.decode(example.prompt, skip_special_tokens=True)
        assert not is_reserved(question)


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_tokenizers_are_the_recipes(name: str) -> None:
    shipped = load_model(f"embedded:{name}").tokenizer
    made = make_tokenizer(RECIPES[name])
    assert shipped.get_vocab() == made.get_vocab()
    rng = random.Random(0)
    for lesson in islice(WORLDS[RECIPES[name].world].lessons(9, 1.0), 50):
        text = f"{lesson.question} {lesson.solution('full', rng)}"
        assert shipped.encode(text) == made.encode(text)


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_models_have_the_recipes_shape(name: str) -> None:
    config = load_model(f"embedded:{name}").model.config
    recipe = RECIPES[name]
    assert (config.hidden_size, config.num_hidden_layers, config.model_type) == (
        recipe.width,
        recipe.layers,
        recipe.family,
    )


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_models_meet_their_preconditions(name: str) -> None:
    """On 150 problems, with three standard errors of room."""
    found = assess(load_model(str(EMBEDDED / name)), WORLDS[RECIPES[name].world], 150)
    room = 3 * (0.25 / 150) ** 0.5
    required = {key: (low - room, high + room) for key, (low, high) in RECIPES[name].require.items()}
    assert violations(found, required) == []


def test_working_helps_the_student_so_that_there_is_something_to_protect() -> None:
    student = load_model("embedded:student")
    assert accuracy(student, "full", TASK, POOL)[0] > accuracy(student, "terse", TASK, POOL)[0] + 0.15


def test_modes_show_or_drop_the_working() -> None:
    teacher = load_model("embedded:teacher")
    assert accuracy(teacher, "full", TASK, POOL[:50])[1] > 0.98
    assert accuracy(teacher, "terse", TASK, POOL[:50])[1] == 0


def test_broken_preconditions_are_listed() -> None:
    assert violations({"full": 0.5, "terse": 0.2}, {"full": (0.6, 0.9), "terse": (0.1, 0.3)}) == [
        "full is 0.500, not within 0.6 to 0.9"
    ]


def test_unknown_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match="unknown model 'wizard': choose among teacher, proxy"):
        build(tmp_path, ["wizard"], lambda *_: None)


def test_models_that_do_not_meet_their_preconditions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distillgame.worlds.build.CHECKED_ON", 100)
    shutil.copytree(EMBEDDED / "proxy", tmp_path / "teacher")
    with pytest.raises(DistillgameError, match="preconditions of the embedded worlds do not hold: teacher: full is"):
        check(tmp_path, ["teacher"])
