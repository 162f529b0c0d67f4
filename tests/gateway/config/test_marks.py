"""Marks in the owner's configuration: who is marked by what, and what is refused."""

from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.gateway.config import load_serving
from distillgame.gateway.config.marks import MarkSettings
from distillgame.policies import Keyed, MarkPolicy, Watermark

MARK = "tiers.standard.mark"
WRITER = {"endpoint": "http://127.0.0.1:1/v1", "model": "w"}
REWRITTEN = {"release": {"poe": {"gamma": 0.7, "form": {"rewrite": {"writer": WRITER}}}}}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({MARK: {"watermark": {"delta": 2.0, "owner": "me"}}}, "the server sets 'owner' itself"),
        ({MARK: {"keyed": {"secret": "s"}}}, "the server sets 'secret' itself"),
        ({MARK: {"keyed": {"epoch": 3}}}, "the server sets 'epoch' itself"),
        ({MARK: {"keyed": {"on": "standard"}}}, "the server sets 'on' itself"),
        ({MARK: "poe"}, "'poe' is no mark: choose keyed or watermark"),
        ({MARK: "nothing"}, "'nothing' is no mark: choose keyed or watermark"),
        ({MARK: {"fingerprint": {"lambda": 0.1}}}, "choose keyed or watermark, whose key comes with each request"),
        ({MARK: {"keyed": {"width": 0}}}, "width must be at least 1"),
        ({MARK: {"keyed": {"breadth": 1}}}, "unknown option 'breadth'"),
        ({MARK: {"watermark": {"delta": 0}}}, "with delta 0 it marks nothing"),
        ({MARK: {"keyed": {}, "watermark": {}}}, "tiers.standard.mark"),
        ({"tiers.answer_only.mark": "keyed"}, "nothing would be marked"),
        ({MARK: "keyed", "policies.r": REWRITTEN, "tiers.standard.flagged": "r"}, "which no mark survives"),
        ({"tiers.trusted.mark": "watermark"}, "policy 'undefended' shows log-probabilities"),
        ({"tiers.front": {"policy": "poe", "gateway": True, "mark": "keyed"}}, "the keys of this tier are a gateway's"),
        ({"vllm.enabled": True, MARK: "keyed"}, "vLLM samples, and it draws tokens without an owner's key"),
        ({"upstream": {"url": "http://h/v1", "measured": True}, MARK: "keyed"}, "another server samples"),
        ({"policies.k": {"release": {"keyed": {"on": {"poe": {"gamma": 0.5}}}}}}, "policies.k: 'keyed' is a mark"),
        ({"policies.k": {"release": "watermark"}, "vllm.enabled": True}, "policies.k: 'watermark' is a mark"),
        ({"policies.k": {"release": "keyed"}, "upstream": {"url": "http://h/v1", "measured": True}}, "is a mark"),
        ({"marks.epoch_days": 0}, "marks.epoch_days"),
        ({"marks.secret": "s"}, "unknown key 'marks.secret'"),
    ],
)  # fmt: skip
def test_what_cannot_be_marked_is_said_in_one_line(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(DistillgameError) as error:
        load_serving(overrides=overrides)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_every_policy_of_a_tier_is_marked_and_equal_marks_share_an_engine() -> None:
    green = {"watermark": {"delta": 2}}
    config = load_serving(overrides={
        "tiers.standard.mark": {"keyed": {"salts": 1}}, "tiers.guarded.mark": "keyed",
        "tiers.trusted.mark": green, "policies.undefended.logprobs": None,
        "tiers.more": {"policy": "undefended", "mark": {"watermark": {"delta": 2.0, "green": 0.5}}},
        "tiers.plain": {"policy": "poe"}, "policies.spare": {"release": "standard"},
    })  # fmt: skip
    keyed, watermark = config.mark("standard"), config.mark("trusted")
    assert keyed is not None
    assert watermark is not None
    assert keyed == config.mark("guarded")
    assert watermark == config.mark("more")
    assert config.mark("plain") is None
    # Standard and guarded share their stronger policy; answers are served unmarked, as is what no tier serves.
    assert set(config.sampled) == {
        ("poe", keyed.text), ("poe_strong", keyed.text), ("undefended", watermark.text),
        ("answer_only", None), ("poe", None), ("spare", None),
    }  # fmt: skip
    marked = config.sampled["poe_strong", keyed.text]
    assert isinstance(marked, Keyed)
    assert marked.inner.parameters == {"gamma": 0.7}
    tilted = config.sampled["undefended", watermark.text]
    assert isinstance(tilted, Watermark)
    assert (tilted.delta, tilted.inner.name) == (2.0, "standard")
    assert not isinstance(config.sampled["poe", None], MarkPolicy)


def test_without_marks_every_policy_is_sampled_as_it_is() -> None:
    config = load_serving()
    assert set(config.sampled) == {(name, None) for name in config.policies}


def test_epochs_count_days_since_1970() -> None:
    marks = MarkSettings(epoch_days=90)
    assert [marks.epoch(day * 86_400.0) for day in (0, 89, 90, 179.99, 180)] == [0, 0, 1, 1, 2]
    assert marks.epoch(90 * 86_400 - 0.1) == 0
