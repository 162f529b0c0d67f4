"""Positions against brute force, on small models."""

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from distillgame.attribution import Positions, Reading, from_data, read_samples, read_weights, to_data
from distillgame.attribution import positions as positions_module
from distillgame.attribution.positions import CLIP, likeliest
from distillgame.attribution.reading import grouped
from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel
from distillgame.records import ReleasedTrace
from tests.models.test_alignment import TEACHER, word_model

TEXTS = [
    ReleasedTrace([{"role": "user", "content": "4 dog"}, {"role": "assistant", "content": text}], reason)
    for text, reason in (("4 dog total 16", "stop"), ("4 cat 4 cat 4", "length"), ("", "length"))
]


def brute(teacher: LanguageModel, suspect: LanguageModel | None, width: int) -> dict[tuple[int, ...], list[np.ndarray]]:
    """Rows of (reference, preference), first occurrences only, by context; one text at a time."""
    found: dict[tuple[int, ...], list[np.ndarray]] = {}
    for text in TEXTS:
        prompt = teacher.prompt_ids(text.messages[:-1])
        target = teacher.text_ids(text.messages[-1]["content"])
        if not target:
            continue
        target = [*target, *([next(iter(teacher.stop_ids))] if text.finish_reason == "stop" else [])]
        ids = [*prompt, *target]
        seen = {tuple(prompt[max(0, end - width) : end]) for end in range(len(prompt))} if width else set()
        for place in range(len(prompt), len(ids)):
            context = tuple(ids[place - width : place])
            if context in seen:
                continue
            seen.add(context)
            with torch.no_grad():
                inputs = torch.tensor([ids[:place]])
                ours = torch.log_softmax(teacher.model(inputs).logits[0, -1].double() / 0.7, -1).numpy()
                if suspect is None:
                    theirs = np.zeros_like(ours)
                    theirs[ids[place]] = min(math.exp(-ours[ids[place]]) - 1, CLIP)
                else:
                    theirs = torch.log_softmax(suspect.model(inputs).logits[0, -1].double(), -1).numpy() - ours
            found.setdefault(context, []).append(np.stack([np.exp(ours), theirs.clip(-CLIP, CLIP)]))
    return found


@pytest.mark.parametrize("width", [0, 1, 2])
@pytest.mark.parametrize("open_weights", [True, False])
def test_positions_are_first_occurrences_merged_over_texts(
    teacher: LanguageModel, proxy: LanguageModel, width: int, open_weights: bool
) -> None:
    reading = Reading(teacher, 0.7, width)
    positions = read_weights(TEXTS, reading, proxy) if open_weights else read_samples(TEXTS, reading)
    expected = brute(teacher, proxy if open_weights else None, width)
    assert positions.texts == 2
    assert [p.context for p in positions.found] == list(expected)
    entropy = -sum((row[0] * np.log2(row[0])).sum() for rows in expected.values() for row in rows)
    assert positions.bits == pytest.approx(entropy, rel=1e-4)
    for p in positions.found:
        rows = expected[p.context]
        assert p.count == len(rows)
        assert len(p.tokens) == 32
        assert p.reference.sum() == pytest.approx(1)
        assert (p.reference * p.preference).sum() == pytest.approx(0, abs=1e-9)
        if len(rows) == 1:
            reference = rows[0][0][p.tokens] / rows[0][0][p.tokens].sum()
            np.testing.assert_allclose(p.reference, reference, rtol=1e-3)
            chosen = rows[0][1][p.tokens]
            np.testing.assert_allclose(p.preference, chosen - (reference * chosen).sum(), atol=2e-3)


@pytest.mark.parametrize("open_weights", [True, False])
def test_positions_do_not_depend_on_how_many_are_read_at_a_time(
    teacher: LanguageModel, proxy: LanguageModel, open_weights: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> Positions:
        reading = Reading(teacher, 0.7, 1)
        return read_weights(TEXTS, reading, proxy) if open_weights else read_samples(TEXTS, reading)

    together = read()
    monkeypatch.setattr(positions_module, "NUMBERS_AT_ONCE", 2 * len(teacher.tokenizer))
    apart = read()
    assert apart.bits == pytest.approx(together.bits, rel=1e-12)
    for ours, theirs in zip(together.found, apart.found, strict=True):
        assert (ours.context, ours.count) == (theirs.context, theirs.count)
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_allclose(ours.reference, theirs.reference, rtol=1e-12)
        np.testing.assert_allclose(ours.preference, theirs.preference, atol=1e-12)


def test_among_equally_likely_tokens_those_with_lower_ids_are_kept() -> None:
    rows = torch.zeros(3, 40, dtype=torch.float64)
    rows[0, 5:] = torch.arange(35)
    rows[1, [7, 38, 39]] = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    rows[2, 3:] = -math.inf
    kept = likeliest(rows)
    assert kept[0].tolist() == list(range(8, 40))
    assert kept[1].tolist() == [*range(30), 38, 39]
    assert kept[2].tolist() == list(range(32))
    assert likeliest(rows[:, :6]).tolist() == [list(range(6))] * 3


def test_tokens_that_both_rule_out_say_nothing(teacher: LanguageModel, proxy: LanguageModel) -> None:
    def rule_out(_: torch.nn.Module, __: object, output: Any) -> None:
        output.logits[..., :8] = -math.inf

    def without_some(model: LanguageModel) -> LanguageModel:
        network = copy.deepcopy(model.model)
        network.register_forward_hook(rule_out)
        return replace(model, model=network)

    positions = read_weights(TEXTS, Reading(without_some(teacher), 0.7, 1), without_some(proxy))
    assert 0 < positions.bits < math.inf
    for p in positions.found:
        ruled_out = p.tokens < 8
        assert p.reference[ruled_out].sum() == 0
        assert np.isfinite(p.preference).all()
        assert abs(p.preference[~ruled_out]).max() > 0.01


def test_texts_are_read_together_as_far_as_their_logits_allow() -> None:
    examples = [Example((1,) * 20, (2,) * length) for length in (80, 180, 180, 480, 30)]
    assert [len(group) for group in grouped(examples, 150_000)] == [2, 1, 1, 1]
    assert [len(group) for group in grouped(examples, 1000)] == [5]
    assert [len(group) for group in grouped(examples[:1] * 50, 1000)] == [40, 10]


def test_a_model_prefers_nothing_to_itself(teacher: LanguageModel) -> None:
    positions = read_weights(TEXTS, Reading(teacher, 1.0, 2), teacher)
    assert max(abs(p.preference).max() for p in positions.found) < 1e-6


def test_long_texts_are_cut_and_unreadable_ones_refused(teacher: LanguageModel) -> None:
    long = ReleasedTrace([TEXTS[0].messages[0], {"role": "assistant", "content": "4 dog " * 2000}], "length")
    positions = read_samples([long], Reading(teacher, 1.0, 2))
    assert positions.texts == 1
    with pytest.raises(DistillgameError, match="none of the 1 texts can be read"):
        read_samples([TEXTS[2]], Reading(teacher, 1.0, 2))


def test_broken_weights_are_refused_in_words(teacher: LanguageModel, proxy: LanguageModel) -> None:
    broken = copy.deepcopy(proxy.model)
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    with pytest.raises(DistillgameError, match="not finite numbers"):
        read_weights(TEXTS, Reading(teacher, 0.7, 1), replace(proxy, model=broken))


def test_another_vocabulary_is_refused_in_words(teacher: LanguageModel) -> None:
    other = word_model(TEACHER, "<end>", seed=1)
    with pytest.raises(DistillgameError, match="let it write texts instead"):
        read_weights(TEXTS, Reading(teacher, 1.0, 2), other)


def test_files_keep_what_is_tested(teacher: LanguageModel, proxy: LanguageModel) -> None:
    positions = read_weights(TEXTS, Reading(teacher, 0.7, 1), proxy)
    data = to_data(positions)
    again = from_data(data, "file")
    for ours, theirs in zip(positions.found, again.found, strict=True):
        assert (ours.context, ours.count, ours.tokens.tolist()) == (
            theirs.context,
            theirs.count,
            theirs.tokens.tolist(),
        )
        np.testing.assert_allclose(ours.preference, theirs.preference, atol=1e-5)
    for wrong in ({}, {"texts": 1, "bits": 1, "positions": [[[1], 1, [1, 2], [0.5], [0.1]]]}):
        with pytest.raises(DistillgameError, match="file: its positions are malformed"):
            from_data(wrong, "file")
    broken = replace(positions.found[0], preference=np.full(32, np.nan))
    with pytest.raises(DistillgameError, match="malformed"):
        from_data(to_data(replace(positions, found=[broken])), "file")
