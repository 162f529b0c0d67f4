"""The server under load: `python -m benchmarks.serving` (five minutes on two idle cores), or with `--engine vllm`.

Crowd: 200 clients that stream for 60 s. No error, no mixed-up stream, flat memory, and a ledger whose sums are what the
clients received. Throughput, of our own engine: 32 clients against the engine alone at batch 32, by turns, on the same
problems. With vLLM it runs where vLLM is installed: `build/vllm/bin/python -m benchmarks.serving --engine vllm`.
"""

import argparse
import asyncio
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

from benchmarks.load import Client, Received, load
from distillgame.decoding import Engine, Request, SamplingParams
from distillgame.models import load_model, quiet
from distillgame.policies import make_policy
from distillgame.worlds.leg_counting import LegCounting
from tests.gateway.servers import Running, server

CONFIG: dict[str, Any] = {
    "model": "distillgame-embedded",
    "proxy": "embedded:proxy",
    "policies": {"poe": {"release": {"poe": {"gamma": 0.5}}}},
    "tiers": {"standard": {"policy": "poe"}},
    "engine": {"batch_size": 64, "queue": 256, "threads": 1},
}

VLLM = CONFIG | {"vllm": {"max_model_len": 1024}}
"""The same with vLLM in place of the engine."""

REPLAYED = 300
"""Streams that are asked for again, alone, to see that each got its own."""

LENGTH = 512
"""Most tokens of a completion, in the server and in the engine."""


def play(running: Running, keys: list[str], clients: int, seconds: float, stream: bool) -> list[Received]:
    """Let clients ask from a process of their own, so that they do not share this one's lock."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_play, (running.port, keys, clients, seconds, stream))


def _play(port: int, keys: list[str], clients: int, seconds: float, stream: bool) -> list[Received]:
    asked = questions()
    return asyncio.run(
        load(
            port,
            keys,
            clients,
            seconds,
            lambda i: asked[i % len(asked)],
            lambda i: {"stream": stream, "seed": i % len(asked)},
        )
    )


def questions() -> list[str]:
    """Problems of the embedded world."""
    return [problem.question for problem in LegCounting(train=4000, test=10).pools()["train"]]


def crowd(config: dict[str, Any], clients: int, seconds: float) -> dict[str, Any]:
    """Many clients at once."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), config) as running:
        keys = [running.key("standard", f"owner-{i}") for i in range(8)]
        sizes: list[tuple[float, int]] = []
        start = time.monotonic()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            playing = pool.apply_async(_play, (running.port, keys, clients, seconds, True))
            while not playing.ready():
                sizes.append((time.monotonic() - start, memory(running.process.pid)))
                playing.wait(0.5)
            results: list[Received] = playing.get()
        rows = running.settled(30)
        log = (Path(folder) / "log").read_text()
        asked = questions()
        numbers = {received.prompt: received for received in results if received.finished}
        chosen = [(i, numbers[asked[i]]) for i in range(len(asked)) if asked[i] in numbers][:REPLAYED]
        again = asyncio.run(replay(running.port, keys[0], [(i, asked[i]) for i, _ in chosen]))
    whole = [received for received in results if received.finished]
    early = mean(size for at, size in sizes if seconds / 4 < at < seconds / 2)
    late = mean(size for at, size in sizes if 3 * seconds / 4 < at < seconds)
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(results),
        "statuses": dict(Counter(received.status for received in results)),
        "unfinished": len(results) - len(whole),
        "streams with chunks of two requests": sum(len(received.ids) != 1 for received in whole),
        "replayed": len(chosen),
        "replayed and different": sum(a != b.text for a, (_, b) in zip(again, chosen, strict=True)),
        "tokens received": sum(received.tokens or 0 for received in whole),
        "tokens in the ledger": sum(row.tokens for row in rows),
        "entries": len(rows),
        "outcomes": dict(Counter(row.outcome for row in rows)),
        "memory, second quarter (MB)": round(early / 1e6, 1),
        "memory, last quarter (MB)": round(late / 1e6, 1),
        "requests per second": round(len(whole) / seconds, 1),
        "tokens per second": round(sum(received.tokens or 0 for received in whole) / seconds),
        "median seconds to first text": round(median(received.first or 0.0 for received in whole), 3),
        "median seconds": round(median(received.seconds for received in whole), 3),
        "errors logged": log.count('"level": "error"'),
    }


async def replay(port: int, key: str, asked: list[tuple[int, str]]) -> list[str]:
    """Ask once more, one after the other."""
    client = Client(port, key)
    return [(await client.ask(prompt, seed=i)).text for i, prompt in asked]


def memory(pid: int) -> int:
    """Resident bytes of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in [str(pid), *children])
    return pages * 4096


def engine_rate(threads: int, seconds: float) -> float:
    """Tokens a second of the engine alone at batch 32."""
    code = f"from benchmarks.serving import engine_alone; print(engine_alone({threads}, {seconds}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


def engine_alone(threads: int, seconds: float) -> float:
    """The same in this process."""
    quiet()
    torch.set_num_threads(threads)
    proxies = {"proxy": load_model("embedded:proxy")}
    policy = make_policy("poe", {"gamma": 0.5})
    engine = Engine(load_model("embedded:teacher"), policy, proxies=proxies, batch_size=32, speculative=True)
    asked = questions()
    params = SamplingParams(max_new_tokens=LENGTH)
    engine.generate([_request(i, asked) for i in range(200)], params)
    tokens, start, number = 0, time.monotonic(), 0
    while time.monotonic() - start < seconds:
        samples = engine.generate([_request(i, asked) for i in range(number, number + 800)], params)
        tokens += sum(len(sample.token_ids) for sample in samples)
        number += 800
    return tokens / (time.monotonic() - start)


def _request(i: int, asked: list[str]) -> Request:
    return Request(f"r{i}", [{"role": "user", "content": asked[i % len(asked)]}])


def throughput(seconds: float, rounds: int) -> dict[str, Any]:
    """The server with 32 clients and the engine at batch 32, by turns."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for threads in (1, 2):
            found.setdefault(f"engine, {threads} threads", []).append(engine_rate(threads, seconds))
        with tempfile.TemporaryDirectory() as folder, server(Path(folder), CONFIG) as running:
            keys = [running.key("standard", "owner")]
            play(running, keys, 32, 5, True)
            for stream in (False, True):
                results = play(running, keys, 32, seconds, stream)
                # From the first request to the last answer, which comes a little after the time is up.
                duration = max(r.at for r in results) - min(r.at - r.seconds for r in results)
                rate = sum(received.tokens or 0 for received in results) / duration
                found.setdefault("server, streaming" if stream else "server, not streaming", []).append(rate)
    rates = {name: round(median(values)) for name, values in found.items()}
    alone = rates["engine, 1 threads"]
    shares = {f"{name} / engine, 1 thread": round(rates[name] / alone, 3) for name in rates if "server" in name}
    return {"tokens per second": rates, "all": found, **shares}


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["distillgame", "vllm"], default="distillgame")
    parser.add_argument("--out", type=Path, help="default: docs/serving.json, or docs/serving.vllm.json")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    own = options.engine == "distillgame"
    found = {"crowd": crowd(CONFIG if own else VLLM, options.clients, options.seconds)}
    if own:
        found["throughput"] = throughput(15, options.rounds)
    out = options.out or Path("docs/serving.json" if own else "docs/serving.vllm.json")
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
