"""Real clients, each in a process of its own: chat, stream, n, stop, usage.

curl and OpenAI's client for Python always run. The others need ``make clients``, which installs them apart.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..servers import MODEL, Running

DRIVERS = Path(__file__).parent / "drivers"
INSTALLED = Path(__file__).parents[3] / "build" / "clients"
TEXT = "4 dog , 3 ant"


def outcome(command: list[str], running: Running, folder: Path) -> dict[str, Any]:
    """What a client got; it may read nothing of the user's own settings."""
    told = {"BASE": f"{running.base}/v1", "KEY": running.key(), "MODEL": MODEL, "TEXT": TEXT, "HOME": str(folder)}
    result = subprocess.run(
        command,
        check=False,
        env={"PATH": os.environ["PATH"], **told},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    got: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return got


def expected(running: Running) -> dict[str, Any]:
    """The same answers without any client."""
    key = running.key()
    several = running.ask(key, TEXT, seed=2, n=3).json()
    whole, stopped = running.ask(key, TEXT, seed=2).json(), running.ask(key, TEXT, seed=2, stop="####").json()
    text, tokens = whole["choices"][0]["message"]["content"], whole["usage"]["completion_tokens"]
    assert stopped["choices"][0]["message"]["content"] == text.partition("####")[0]
    return {
        "chat": text,
        "stream": text,
        "n": [choice["message"]["content"] for choice in several["choices"]],
        "stop": stopped["choices"][0]["message"]["content"],
        "usage": tokens,
        "stream usage": tokens,
    }


def test_openais_client_for_python(running: Running, tmp_path: Path) -> None:
    assert outcome([sys.executable, str(DRIVERS / "openai_python.py")], running, tmp_path) == expected(running)


def test_curl(running: Running, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    assert outcome([sys.executable, str(DRIVERS / "curl.py")], running, tmp_path) == expected(running)


@pytest.mark.clients
@pytest.mark.parametrize("name", ["litellm_client", "langchain_client", "llm_client"])
def test_other_clients_for_python(running: Running, tmp_path: Path, name: str) -> None:
    python = INSTALLED / "python" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs the clients: make clients")
    got, wanted = outcome([str(python), str(DRIVERS / f"{name}.py")], running, tmp_path), expected(running)
    if name == "llm_client":
        # It has no option for several completions, and removes white space at the end.
        del wanted["n"]
    assert {field: str(value).strip() for field, value in got.items()} == {
        field: str(value).strip() for field, value in wanted.items()
    }


@pytest.mark.clients
def test_openais_client_for_node(running: Running, tmp_path: Path) -> None:
    node, modules = shutil.which("node"), INSTALLED / "node_modules"
    if node is None or not modules.exists():
        pytest.skip("needs Node and its client: make clients")
    script = tmp_path / "openai_node.mjs"
    shutil.copy(DRIVERS / "openai_node.mjs", script)
    (tmp_path / "node_modules").symlink_to(modules)
    assert outcome([node, str(script)], running, tmp_path) == expected(running)
