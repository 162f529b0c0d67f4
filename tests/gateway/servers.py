"""Real servers in processes of their own, on real sockets."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from sqlalchemy import select

from distillgame.gateway.ledger import create_key, open_database
from distillgame.gateway.ledger.tables import entries
from tests.processes import Command

MODEL = "distillgame-embedded"

CONFIG: dict[str, Any] = {
    "model": MODEL,
    "proxy": "embedded:proxy",
    "policies": {
        "undefended": {"release": "standard", "temperature": [0.1, 2]},
        "poe": {"release": {"poe": {"gamma": 0.5}}},
        "strong": {"release": {"poe": {"gamma": 0.9}}},
        "ranged": {
            "release": {"poe": {"gamma": 0.5}},
            "temperature": [0.3, 1.5],
            "top_p": [0.5, 1.0],
            "max_tokens": 64,
        },
        "answer": {"release": {"poe": {"gamma": 0.5, "form": "answer_only"}}},
    },
    "tiers": {
        "trusted": {"policy": "undefended"},
        "standard": {"policy": "poe"},
        "ranged": {"policy": "ranged"},
        "answer": {"policy": "answer"},
        "hard": {"policy": "poe", "budget": {"value_per_day": 150, "beyond": "refuse"}},
        "soft": {"policy": "poe", "budget": {"value_per_day": 150, "beyond": "strong"}},
        "slow": {"policy": "poe", "limits": {"requests_per_minute": 3, "tokens_per_minute": 2000}},
        "front": {"policy": "poe", "gateway": True},
        "marked": {"policy": "poe", "mark": "keyed"},
    },
    "engine": {"batch_size": 8, "queue": 256, "threads": 1},
}
"""What most tests serve."""


@dataclass
class Running:
    """A server that runs.

    Attributes:
        process: Its process.
        port: Where it listens.
        folder: Where its configuration, ledger and log are.
        url: Its ledger.
        scheme: http or https.
    """

    process: Command
    port: int
    folder: Path
    url: str
    scheme: str = "http"

    @property
    def base(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def key(self, tier: str | None = "standard", owner: str = "tester") -> str:
        """A new key; for the owner's own pages if there is no tier."""
        engine = open_database(self.url)
        with engine.begin() as connection:
            key = create_key(connection, owner, tier)
        engine.dispose()
        return key

    def rows(self, **where: Any) -> list[Any]:
        """Ledger entries, in the order of time."""
        query = select(entries).order_by(entries.c.opened)
        for name, value in where.items():
            query = query.where(entries.c[name] == value)
        engine = open_database(self.url)
        with engine.begin() as connection:
            found = list(connection.execute(query))
        engine.dispose()
        return found

    def settled(self, seconds: float = 30.0, **where: Any) -> list[Any]:
        """Ledger entries once none is open."""
        end = time.monotonic() + seconds
        found = self.rows(**where)
        while any(row.outcome == "open" for row in found) and time.monotonic() < end:
            time.sleep(0.02)
            found = self.rows(**where)
        return found

    def log(self) -> list[dict[str, Any]]:
        """Its log, line by line."""
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def ask(
        self, key: str, text: str = "4 dog , 3 ant", path: str = "chat/completions", **fields: Any
    ) -> httpx2.Response:
        """Ask once."""
        asked = {"prompt": text} if path == "completions" else {"messages": [{"role": "user", "content": text}]}
        headers = {"Authorization": f"Bearer {key}"}
        body = {"model": MODEL, **asked, **fields}
        return httpx2.post(f"{self.base}/v1/{path}", json=body, headers=headers, timeout=60, verify=False)


@contextmanager
def server(
    folder: Path,
    config: dict[str, Any] = CONFIG,
    url: str | None = None,
    *arguments: str,
    env: dict[str, str] | None = None,
) -> Iterator[Running]:
    """Run `distillgame serve` until the block ends."""
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
    url = url or f"sqlite:///{folder / 'ledger.db'}"
    process = Command(
        ["serve", str(path), "--port", "0", "--ledger", url, *arguments], folder / "log", folder, environment=env
    )
    running = Running(process, 0, folder, url, "https" if "--tls-cert" in arguments else "http")
    try:
        running.port = _port(running)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _port(running: Running) -> int:
    start = time.monotonic()
    while time.monotonic() - start < 300:
        for line in running.log():
            if line["event"] == "serving":
                return int(line["port"])
        assert running.process.poll() is None, (running.folder / "log").read_text()
        time.sleep(0.05)
    raise AssertionError("the server did not start")
