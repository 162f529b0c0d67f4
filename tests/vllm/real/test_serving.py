"""The gateway with vLLM behind it: as its own engine, and as another server that runs the plugin."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from distillgame.models import LanguageModel, locate

from .attacks import attack_the_gateway, attack_vllm
from .conftest import PROXIES, TEACHER, environment
from .scoring import Scorer
from .serving import BASE, POLICIES, TIERS, VLLM, ask, finished, free_port, gateway, new_key, process


def test_vllm_serves_what_our_own_engine_serves_and_measures_it(tmp_path: Path) -> None:
    """Greedy answers are equal; at a temperature KL and value are measured, and KL is 0 without a defense."""
    import openai

    answers, costs = {}, {}
    reference = tmp_path / "ordinary.txt"
    reference.write_text("\n".join(f"please translate letter {i} about the weather" for i in range(64)))
    watching = {
        "policies": POLICIES
        | {"answers": {"release": {"poe": {"gamma": 0.5, "form": "answer_only"}}, "temperature": 0, "max_tokens": 100}},
        "tiers": TIERS | {"watched": {"policy": "guarded", "flagged": "answers"}},
        "monitor": {"reference": str(reference), "window": 8},
    }
    for name, section in (("ours", {}), ("vllm", {"vllm": VLLM, **watching})):
        with gateway(tmp_path / name, BASE | section) as clients:
            answers[name] = [ask(clients[tier]).choices[0].message.content for tier in ("trusted", "standard")]
            shown = ask(clients["trusted"], logprobs=True, top_logprobs=2, temperature=1, seed=5, max_tokens=8)
            assert all(len(token.top_logprobs) == 2 for token in shown.choices[0].logprobs.content)
            streamed = list(ask(clients["standard"], temperature=1, stream=True))
            assert streamed[-1].choices[0].finish_reason in ("stop", "length")
            costs[name] = finished(tmp_path / name, 4)
            if name == "vllm":
                long = [{"role": "user", "content": "3 gapek , " * 60}]
                with pytest.raises(openai.BadRequestError, match="do not fit the context of 256"):
                    ask(clients["trusted"], messages=long, max_tokens=90)
                attack_the_gateway(clients["standard"])
                require_seen(tmp_path / name, clients["watched"], answers[name][1], asked=6)
    assert answers["ours"] == answers["vllm"]
    for entry in costs["vllm"][2:]:
        assert entry["kl"] is not None
        assert entry["value"] > 0
    assert costs["vllm"][-1]["kl"] > 0
    assert costs["vllm"][2]["kl"] == 0


def require_seen(folder: Path, client: Any, text: str, asked: int) -> None:
    """A campaign is flagged and gets a text's answer alone; metrics and dashboard count tokens as the log does."""
    headers = {"Authorization": f"Bearer {new_key(folder, '--owner', 'boss', '--admin')}"}
    pages = httpx2.Client(base_url=str(client.base_url).removesuffix("v1/"), headers=headers)
    for _ in range(8):
        ask(client, max_tokens=2)
    deadline = time.monotonic() + 30
    while 'class="flag"' not in pages.get("dashboard").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    answer = ask(client).choices[0].message.content
    assert answer == f"The final answer is {text.rsplit(maxsplit=1)[-1]}"
    entries = finished(folder, asked + 9)
    tokens = {
        each: sum(entry["tokens"] for entry in entries if entry["policy"] == each) for each in ("guarded", "answers")
    }
    # As much as the whole text, which was the second answer, though little of it was released.
    assert tokens["answers"] == entries[1]["tokens"]
    kl = sum(entry.get("kl", 0) for entry in entries if entry["policy"] == "guarded")
    lines = [line.rsplit(" ", 1) for line in pages.get("metrics").text.splitlines()]
    shown = {name: float(value) for name, value in lines if name[0] != "#"}
    assert {each: shown[f'distillgame_tokens_total{{policy="{each}"}}'] for each in tokens} == tokens
    assert shown['distillgame_kl_nats_total{policy="guarded"}'] == pytest.approx(kl, abs=1e-4)
    released = 8 * 2 + tokens["answers"]
    while f'<td class="n">{released}</td>' not in owners_row(pages.get("dashboard").text, "watched"):
        assert time.monotonic() < deadline, "leases are not settled"
        time.sleep(0.1)


def owners_row(page: str, owner: str) -> str:
    """Return an owner's row on the dashboard."""
    found = re.search(rf'<tr><th scope="row">{owner} .*?</tr>', page, re.DOTALL)
    assert found is not None
    return found[0]


def test_a_budget_of_kl_ends_a_tier_of_vllm(tmp_path: Path) -> None:
    import openai

    tiers = TIERS | {"standard": {"policy": "guarded", "budget": {"kl_per_day": 1}}}
    policies = {
        "open": {"release": "standard", "temperature": 1, "max_tokens": 100},
        "guarded": {"release": {"poe": {"gamma": 0.9}}, "max_tokens": 100},
    }
    with gateway(tmp_path, BASE | {"policies": policies, "tiers": tiers, "vllm": VLLM}) as clients:
        with pytest.raises(openai.APIError):
            [ask(clients["standard"]) for _ in range(40)]
        assert ask(clients["trusted"]).choices[0].message.content


def test_a_gateway_in_front_of_vllm_with_the_plugin_chooses_the_policy_and_nobody_else(
    tmp_path: Path, teacher: LanguageModel, proxies: dict[str, LanguageModel]
) -> None:
    """Without the secret every request is released under the strictest policy, whatever it asks for."""
    import openai

    port, secret = free_port(), "known to the gateway"
    settings = {"policy": {"poe": {"gamma": 0.9}}, "proxies": {"proxy": locate(PROXIES["proxy"]).name}}
    overrides = {"architectures": ["DistillgameForCausalLM"], "distillgame": settings}
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", locate(TEACHER).name, "--port",
        str(port), "--served-model-name", "distillgame", "--hf-overrides", json.dumps(overrides), "--dtype", "float32",
        "--enforce-eager", "--max-model-len", "256", "--gpu-memory-utilization", "0.1", "--host", "127.0.0.1",
    ]  # fmt: skip
    folder = tmp_path / "vllm"
    folder.mkdir()
    with process(command, folder, "Application startup complete", DISTILLGAME_VLLM_SECRET=secret):
        direct = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
        strict = ask(direct).choices[0].message.content
        for claim in ({}, {"distillgame_request_secret": "guessed"}):
            xargs = {"distillgame_policy": "standard", **claim}
            assert ask(direct, extra_body={"vllm_xargs": xargs}).choices[0].message.content == strict
        attack_vllm(direct, Scorer(teacher, proxies, {}, 1.0))
        section = {"upstream": {"url": f"http://127.0.0.1:{port}/v1", "secret_env": "GATEWAY_SECRET"}}
        with gateway(tmp_path / "gateway", BASE | section, GATEWAY_SECRET=secret) as clients:
            chunks = list(ask(clients["trusted"], stream=True))
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            guarded = ask(clients["standard"]).choices[0].message.content
            attack_the_gateway(clients["standard"])
    with gateway(tmp_path / "ours", BASE) as clients:
        assert text == ask(clients["trusted"]).choices[0].message.content
        assert guarded == ask(clients["standard"]).choices[0].message.content
    assert strict != text


@pytest.mark.parametrize("break_it", ["version", "plugin", "settings"])
def test_a_broken_plugin_stops_the_server(tmp_path: Path, break_it: str) -> None:
    """Nothing is served undefended: an unknown version, no plugin and wrong settings end the start."""
    folder = tmp_path / "patch"
    folder.mkdir()
    code = {
        "version": "import vllm; vllm.__version__ = '9.9'",
        "plugin": "import distillgame.vllm as plugin; plugin.register = lambda: None",
        "settings": "from distillgame.vllm import DefenseSettings; DefenseSettings.of = lambda config: None",
    }[break_it]
    script = (
        f"{code}\n"
        "from distillgame.models import ModelSpec\nfrom distillgame.policies import PolicyChoice\n"
        "from distillgame.vllm.core import VllmCore\nfrom distillgame.vllm.launching import plain_settings\n"
        f"teacher, proxies = ModelSpec(source={TEACHER!r}), {{'proxy': ModelSpec(source={PROXIES['proxy']!r})}}\n"
        "settings = plain_settings(PolicyChoice(name='poe', options={'gamma': 0.5}), teacher, proxies, {})\n"
        f"VllmCore(teacher, settings, {{'enforce_eager': True, 'gpu_memory_utilization': 0.1}})\n"
        "print('it started')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), timeout=300, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode != 0
    assert "it started" not in done.stdout
    assert "DistillgameError" in done.stderr
    if break_it == "version":
        assert "0.32.*" in done.stderr
