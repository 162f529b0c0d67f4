"""Servers of the tests: the gateway with a configuration, vLLM's own, and what their logs and pages say."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .conftest import PROXIES, TEACHER, environment

POLICIES = {
    "open": {"release": "standard", "temperature": [0, 1], "logprobs": 2, "max_tokens": 100},
    "guarded": {"release": {"poe": {"gamma": 0.5}}, "temperature": [0, 1], "max_tokens": 100},
}
TIERS: dict[str, Any] = {"trusted": {"policy": "open"}, "standard": {"policy": "guarded"}}
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
    clients = {}
    for tier in config["tiers"]:
        key = new_key(folder, "--owner", tier, "--tier", tier)
        clients[tier] = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0)
    command = [sys.executable, "-m", "distillgame", "serve", str(path), "--port", str(port)]
    with process(command, folder, '"serving"', **more):
        yield clients


def new_key(folder: Path, *arguments: str) -> str:
    """Return a new key of the gateway in a folder."""
    command = [sys.executable, "-m", "distillgame", "keys", "create", "-c", str(folder / "serve.yaml"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.split()[-1]


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
