"""The gateway with vLLM behind it: as its own engine, and as another server that runs the plugin."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from distillgame.models import LanguageModel, locate
from distillgame.policies import make_policy

from .conftest import PROXIES, TEACHER, environment
from .scoring import Scorer

POLICIES = {
    "open": {"release": "standard", "temperature": [0, 1], "logprobs": 2, "max_tokens": 100},
    "guarded": {"release": {"poe": {"gamma": 0.5}}, "temperature": [0, 1], "max_tokens": 100},
}
TIERS = {"trusted": {"policy": "open"}, "standard": {"policy": "guarded"}}
VLLM = {"max_model_len": 256, "arguments": {"enforce_eager": True, "gpu_memory_utilization": 0.1}}
QUESTION = [{"role": "user", "content": "3 gapek , 2 dakar ?"}]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def process(command: list[str], folder: Path, ready: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server until its log says that it is ready."""
    log = folder / "log"
    with log.open("w") as out:
        env = {"PYTHONUNBUFFERED": "1", **more}
        running = subprocess.Popen(command, stdout=out, stderr=out, text=True, cwd=folder, env=environment(**env))
        try:
            deadline = time.monotonic() + 180
            while ready not in log.read_text():
                if running.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text()[-3000:])
                time.sleep(0.2)
            yield running
        finally:
            running.terminate()
            running.wait(60)


@contextmanager
def gateway(folder: Path, config: dict[str, Any], **more: str) -> Iterator[dict[str, Any]]:
    """Serve a configuration; yields an official client per tier."""
    import openai

    folder.mkdir(parents=True, exist_ok=True)
    path, port = folder / "serve.yaml", free_port()
    path.write_text(json.dumps({"ledger": f"sqlite:///{folder}/ledger.db", **config}))
    command = [sys.executable, "-m", "distillgame"]
    clients = {}
    for tier in config["tiers"]:
        created = subprocess.run(
            [*command, "keys", "create", "-c", str(path), "--owner", tier, "--tier", tier],
            capture_output=True, text=True, check=True, cwd=folder,
        )  # fmt: skip
        key = created.stdout.split()[-1]
        clients[tier] = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0)
    with process([*command, "serve", str(path), "--port", str(port)], folder, '"serving"', **more):
        yield clients


def ask(client: Any, **more: Any) -> Any:
    settings = {"temperature": 0, "max_tokens": 40, "messages": QUESTION, **more}
    return client.chat.completions.create(model="distillgame", **settings)


def finished(folder: Path, count: int, outcome: str = "finished") -> list[dict[str, Any]]:
    """Return the log's entries of the first `count` answers; an answer's last entry comes after its last byte."""
    deadline = time.monotonic() + 30
    while True:
        lines = [line for line in (folder / "log").read_text().splitlines(keepends=True) if line.startswith("{")]
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        if len(found := [entry for entry in entries if entry.get("outcome") == outcome]) >= count:
            return found
        assert time.monotonic() < deadline, f"{len(found)} of {count} answers are in the log"
        time.sleep(0.1)


BASE = {"teacher": TEACHER, "proxy": PROXIES["proxy"], "policies": POLICIES, "tiers": TIERS}


def test_vllm_serves_what_our_own_engine_serves_and_measures_it(tmp_path: Path) -> None:
    """Greedy answers are equal; at a temperature KL and value are measured, and KL is 0 without a defense."""
    import openai

    answers, costs = {}, {}
    for name, section in (("ours", {}), ("vllm", {"vllm": VLLM})):
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
    assert answers["ours"] == answers["vllm"]
    for entry in costs["vllm"][2:]:
        assert entry["kl"] is not None
        assert entry["value"] > 0
    assert costs["vllm"][-1]["kl"] > 0
    assert costs["vllm"][2]["kl"] == 0


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
        attack(direct, Scorer(teacher, proxies, {}, 1.0))
        section = {"upstream": {"url": f"http://127.0.0.1:{port}/v1", "secret_env": "GATEWAY_SECRET"}}
        with gateway(tmp_path / "gateway", BASE | section, GATEWAY_SECRET=secret) as clients:
            chunks = list(ask(clients["trusted"], stream=True))
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            guarded = ask(clients["standard"]).choices[0].message.content
            for field in ("vllm_xargs", "prompt_logprobs", "guided_json", "use_beam_search"):
                with pytest.raises(openai.BadRequestError):
                    ask(clients["standard"], extra_body={field: {"distillgame_policy": "standard"}})
    with gateway(tmp_path / "ours", BASE) as clients:
        assert text == ask(clients["trusted"]).choices[0].message.content
        assert guarded == ask(clients["standard"]).choices[0].message.content
    assert strict != text


def attack(direct: Any, scorer: Scorer) -> None:
    """Read log-probabilities off vLLM itself: those of a prompt, of the likeliest tokens, and where one is wished for.

    All are those of the strictest policy, and none the teacher's.
    """
    import openai

    policy = make_policy("poe", {"gamma": 0.9})
    ids = scorer.teacher.prompt_ids(QUESTION)
    known = scorer.score(policy, ids[:1], ids[1:])
    read = direct.completions.create(
        model="distillgame", prompt=ids, max_tokens=1, temperature=0, extra_body={"prompt_logprobs": 0}
    )
    found = [
        entry[str(token)]["logprob"] for entry, token in zip(read.choices[0].prompt_logprobs[1:], ids[1:], strict=True)
    ]
    assert found == pytest.approx(known["logprob_released"], abs=1e-3)
    assert found != pytest.approx(known["logprob_reference"], abs=0.1)
    release, experts = scorer.released(policy, ids, [0])
    ours, theirs = release.released.logprobs[0], torch.log_softmax(experts.teacher[0], -1)
    for more in ({}, {"logit_bias": {"7": 5}}, {"extra_body": {"structured_outputs": {"regex": ".*"}}}):
        shown = ask(direct, temperature=1, max_tokens=1, logprobs=True, top_logprobs=5, **more)
        entries = {
            scorer.teacher.tokenizer.encode(entry.token, add_special_tokens=False)[0]: entry.logprob
            for entry in shown.choices[0].logprobs.content[0].top_logprobs
        }
        assert list(entries.values()) == pytest.approx(ours[list(entries)].tolist(), abs=1e-3)
        assert list(entries.values()) != pytest.approx(theirs[list(entries)].tolist(), abs=0.1)
    body = {"model": "distillgame", "input": "3", "text_1": "3", "text_2": "4", "query": "3", "documents": ["4"]}
    for path in ("score", "pooling", "classify", "v1/embeddings", "rerank"):
        with pytest.raises(openai.APIStatusError):
            direct.post(f"http://{direct.base_url.host}:{direct.base_url.port}/{path}", body=body, cast_to=object)


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
