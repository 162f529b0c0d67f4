"""Training of one embedded model from its recipe."""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.optim import AdamW, Optimizer

from distillgame.models import Example, embedded_config, training_example
from distillgame.seeding import derive_seed
from distillgame.values import collate, mean_logprob
from distillgame.worlds.atlas import WORLDS
from distillgame.worlds.muon import Muon
from distillgame.worlds.notation import STYLES, is_reserved
from distillgame.worlds.recipe import ADAMW_RATE, BATCH, MUON_RATE, Phase, Recipe
from distillgame.worlds.tokenizers import byte_pair_tokenizer, word_tokenizer

WARMUP = 50
"""Steps over which the first phase's learning rate rises."""


def train(recipe: Recipe, progress: Callable[[int, int, float], None] | None = None) -> tuple[Any, Any]:
    """Train a model from scratch.

    Args:
        recipe: The model's recipe.
        progress: Called after each step with steps done, total steps, and the step's loss in nats per token.

    Returns:
        The network and its tokenizer.
    """
    tokenizer = make_tokenizer(recipe)
    torch.manual_seed(derive_seed(recipe.seed, "weights"))
    model = _network(recipe, tokenizer)
    optimizers = _optimizers(model)
    base = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    steps = sum(phase.steps for phase in recipe.phases)
    done = 0
    for index, phase in enumerate(recipe.phases):
        examples = stream(tokenizer, recipe, phase, derive_seed(recipe.seed, "phase", index, bits=20))
        for step in range(phase.steps):
            rate = phase.rate + (phase.until - phase.rate) * step / phase.steps
            rate *= min(1.0, (done + 1) / WARMUP)
            for optimizer, rates in zip(optimizers, base, strict=True):
                for group, lr in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = lr * rate
            batch = collate(list(islice(examples, BATCH)), tokenizer.pad_token_id)
            loss = -mean_logprob(model, batch).mean()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            done += 1
            if progress is not None:
                progress(done, steps, loss.item())
    return model.eval(), tokenizer


def make_tokenizer(recipe: Recipe) -> Any:
    """Make the recipe's tokenizer."""
    world = WORLDS[recipe.world]
    if recipe.tokenizer == "word":
        return word_tokenizer(world.words())
    rng = random.Random(recipe.seed)
    lessons = islice(world.lessons(recipe.seed, recipe.knowledge), 2000)
    return byte_pair_tokenizer(f"{lesson.question} {lesson.solution('full', rng)}" for lesson in lessons)


def stream(tokenizer: Any, recipe: Recipe, phase: Phase, seed: int) -> Iterator[Example]:
    """Yield training examples without end, from problems that are not reserved for the game."""
    rng = random.Random(seed)
    shares = [getattr(phase, style) for style in STYLES]
    for lesson in WORLDS[recipe.world].lessons(seed, recipe.knowledge):
        if is_reserved(lesson.question):
            continue
        solution = lesson.solution(rng.choices(STYLES, shares)[0], rng)
        messages = [{"role": "user", "content": lesson.question}, {"role": "assistant", "content": solution}]
        yield training_example(tokenizer, messages, ended=True)


def _network(recipe: Recipe, tokenizer: Any) -> Any:
    from transformers import LlamaForCausalLM, Olmo2Config, Olmo2ForCausalLM, Qwen2Config, Qwen2ForCausalLM

    ids = {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    config = embedded_config(recipe.width, recipe.layers, len(tokenizer), **ids)
    if recipe.family == "llama":
        return LlamaForCausalLM(config)
    settings = {key: value for key, value in config.to_dict().items() if key not in ("model_type", "architectures")}
    if recipe.family == "olmo2":
        return Olmo2ForCausalLM(Olmo2Config(**settings))
    return Qwen2ForCausalLM(Qwen2Config(**settings))


def _optimizers(model: Any) -> list[Optimizer]:
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embed" not in name else others).append(parameter)
    muon = Muon(matrices, MUON_RATE)
    return [muon, AdamW(others, lr=ADAMW_RATE, betas=(0.9, 0.95), weight_decay=0.0)]
