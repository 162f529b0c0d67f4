"""Tiers that mark what they release, over real sockets: each owner's text shows that owner's key and no other."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from distillgame.gateway.ledger import ledger_digest, mark_secret, open_database, reading, stream_secret

from ...processes import Command
from ..servers import Running, server
from .detecting import KEYED, MARKED, PROMPTS, WATERMARK, detected, owners, recorded, release

EPOCH = int(time.time() // 86_400) // 90


@pytest.fixture(scope="module")
def marking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with server(tmp_path_factory.mktemp("marks"), MARKED) as found:
        yield found


@pytest.mark.parametrize(("tier", "mark"), [("watermark", WATERMARK), ("again", WATERMARK), ("keyed", KEYED)])
def test_text_is_recognised_by_the_key_of_its_owner_alone(marking: Running, tier: str, mark: str) -> None:
    """At four standard errors, false with probability 3e-5; the right key stands at more than ten."""
    names = {side: f"{tier}-{side}" for side in ("ann", "bob")}
    texts = {side: release(marking, marking.key(tier, name)) for side, name in names.items()}
    for name in names.values():
        marking.settled(owner=name)
    known = {side: owners(marking.url)[name, mark, EPOCH] for side, name in names.items()}
    for side, mine in texts.items():
        for whose, marked in known.items():
            z = detected(mine, marked)
            assert z > 10 if side == whose else abs(z) < 4, (side, whose, z)


def test_streams_and_repeated_seeds_carry_the_same_mark(marking: Running) -> None:
    ann, bob = (marking.key("watermark", f"seed-{side}") for side in ("ann", "bob"))
    asked: dict[str, Any] = {"temperature": 2.0, "max_tokens": 40, "seed": 5}
    texts = [marking.ask(key, **asked).json()["choices"][0]["message"]["content"] for key in (ann, ann, bob)]
    assert texts[0] == texts[1] != texts[2]
    lines = [line[6:] for line in marking.ask(ann, **asked, stream=True).text.splitlines() if line[:6] == "data: "]
    choices = [choice for line in lines if line != "[DONE]" for choice in json.loads(line)["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == texts[0]


def test_completions_of_a_prompt_repeat_their_races_unless_salts_differ(marking: Running) -> None:
    """As the documentation says: completions of one prompt are the same up to a context that repeats."""

    def starts(tier: str) -> set[str]:
        texts = release(marking, marking.key(tier, f"races-{tier}"), prompt=[PROMPTS[0]], n=8, max_tokens=5)
        return {text for _, text in texts}

    assert len(starts("keyed")) == 1
    assert len(starts("salted")) > 3


def test_the_ledger_records_marked_requests_and_no_others(marking: Running) -> None:
    key = marking.key("keyed", "rows")
    assert marking.ask(key, temperature=1.0).status_code == 200
    assert marking.ask(key, temperature=0.0).status_code == 200
    assert marking.ask(marking.key("standard", "rows")).status_code == 200
    keyed, greedy, plain = recorded(marking, "rows")
    assert keyed[1] == '{"name":"keyed","options":{"salts":1,"width":4}}'
    assert greedy[1] is plain[1] is None
    assert min(keyed[2], greedy[2], plain[2]) > 0
    assert owners(marking.url)["rows", KEYED, EPOCH].tokens == keyed[2]


def test_the_tilt_of_a_watermark_is_charged_and_races_cost_nothing(marking: Running) -> None:
    for tier in ("watermark", "keyed"):
        assert marking.ask(marking.key(tier, f"cost-{tier}"), temperature=2.0).status_code == 200
    (tilted,), (raced,) = (marking.settled(owner=f"cost-{tier}") for tier in ("watermark", "keyed"))
    assert tilted.kl > 0.05 * tilted.tokens
    assert raced.kl == pytest.approx(0, abs=1e-6)


def test_all_policies_of_a_tier_are_marked_but_answers(marking: Running) -> None:
    for tier, beyond in (("soft", "strong"), ("answers", "answer")):
        key = marking.key(tier, f"beyond-{tier}")
        for _ in range(3):
            assert marking.ask(key).status_code == 200
        rows = recorded(marking, f"beyond-{tier}")
        assert {row[0] for row in rows} == {"poe", beyond}
        assert {row[0] for row in rows if row[1]} == ({"poe", "strong"} if tier == "soft" else {"poe"})


def test_metrics_count_marked_tokens_by_policy_and_name_no_owner(marking: Running) -> None:
    before = [counted(marking, metric) for metric in ("marked_tokens", "tokens")]
    for tier, temperature in (("keyed", 1.0), ("soft", None), ("keyed", 0.0), ("standard", None)):
        assert marking.ask(marking.key(tier, f"count-{tier}"), temperature=temperature).status_code == 200
    assert marking.ask(marking.key("watermark", "count-stream"), stream=True, max_tokens=7).status_code == 200
    keyed, greedy = recorded(marking, "count-keyed")
    (soft,), (plain,), (streamed,) = (recorded(marking, f"count-{name}") for name in ("soft", "standard", "stream"))
    assert greedy[1] is plain[1] is None
    after = [counted(marking, metric) for metric in ("marked_tokens", "tokens")]
    marked, every = (
        {name: new[name] - old.get(name, 0) for name in new} for old, new in zip(before, after, strict=True)
    )
    assert marked["hot"] == keyed[2] + streamed[2] > 7
    assert marked["poe"] == soft[2] > 0
    assert every["hot"] == marked["hot"] + greedy[2] > marked["hot"]
    assert every["poe"] == marked["poe"] + plain[2] > marked["poe"]


def counted(running: Running, metric: str) -> dict[str, float]:
    """A counter's values by policy, which is all that it names."""
    headers = {"Authorization": f"Bearer {running.key(None, 'boss')}"}
    text = httpx2.get(f"{running.base}/metrics", headers=headers).text
    lines = [line for line in text.splitlines() if line.startswith(f"distillgame_{metric}_total")]
    found = [re.fullmatch(r'distillgame_\w+\{policy="(\w+)"\} ([0-9.]+)', line) for line in lines]
    assert None not in found, lines
    return {match[1]: float(match[2]) for match in found if match}


def test_secrets_and_keys_leave_the_server_nowhere(marking: Running, tmp_path: Path) -> None:
    key, admin = marking.key("keyed", "quiet"), marking.key(None, "boss")
    said = [marking.ask(key, temperature=1.0), marking.ask(key, stream=True), marking.ask(key, logprobs=True)]
    said += [marking.ask(key, nonsense=1), marking.ask("dg-nobody")]
    for path in ("/dashboard", "/metrics", "/openapi.json", "/v1/models", "/readyz", "/healthz"):
        headers = {"Authorization": f"Bearer {admin if path in ('/dashboard', '/metrics') else key}"}
        said.append(httpx2.get(marking.base + path, headers=headers))
    marking.settled(owner="quiet")
    printed = []
    for form in ([], ["--json"]):
        command = Command(["ledger", "--ledger", marking.url, *form], tmp_path / "printed")
        assert command.wait() == 0
        printed.append(command.output())
    assert "marked tokens" in printed[0]
    seen = "\n".join([(marking.folder / "log").read_text(), *printed, *(f"{r.headers}{r.text}" for r in said)])
    assert "quiet" in seen
    engine = open_database(marking.url)
    with engine.begin() as connection:
        secrets = [mark_secret(connection), stream_secret(connection)]
    engine.dispose()
    assert len({*secrets}) == 2
    for secret in [*secrets, *(one.key for one in owners(marking.url).values())]:
        assert len(secret) == 32
        assert secret.hex() not in seen
        assert repr(secret)[2:-1] not in seen
    assert not any(one.key.hex() in repr(one) or repr(one.key) in repr(one) for one in owners(marking.url).values())


def test_keys_change_with_the_epoch_and_stay_over_restarts(tmp_path: Path) -> None:
    with server(tmp_path, MARKED) as running:
        key = running.key("watermark", "ann")
        before = release(running, key)
        asked: dict[str, Any] = {"temperature": 2.0, "max_tokens": 20, "seed": 1}
        draw = running.ask(key, **asked).json()["choices"]
        running.settled()
        (first,) = owners(running.url).values()
    assert first.epoch == EPOCH
    with server(tmp_path, MARKED) as again:
        assert again.ask(key, **asked).json()["choices"] == draw
        again.settled()
        (same,) = owners(again.url).values()
        assert (same.key, same.epoch) == (first.key, first.epoch)
        assert same.tokens > first.tokens
    day = int(time.time() // 86_400)
    with server(tmp_path, MARKED | {"marks": {"epoch_days": 1}}) as later:
        after = release(later, key)
        assert later.ask(key, **asked).json()["choices"] != draw
        later.settled()
        known = owners(later.url)
    epoch = max(name[2] for name in known)
    assert epoch in (day, day + 1)
    old, new = known["ann", WATERMARK, EPOCH], known["ann", WATERMARK, epoch]
    assert old == same
    for texts, right, wrong in ((before, old, new), (after, new, old)):
        assert detected(texts, right) > 10
        assert abs(detected(texts, wrong)) < 4


def test_the_ledger_of_a_running_server_is_read_beside_it(marking: Running) -> None:
    engine = open_database(marking.url, create=False)
    with reading(engine) as connection:
        digests = [ledger_digest(connection) for _ in range(2)]
    marking.ask(marking.key("keyed", "digest"))
    marking.settled(owner="digest")
    with reading(engine) as connection:
        digests.append(ledger_digest(connection))
    engine.dispose()
    assert digests[0] == digests[1] != digests[2]
