"""The commands of keys and ledger start at once: they import neither PyTorch nor the server."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "matplotlib", "fastapi", "numpy")


@pytest.mark.parametrize("command", ["keys", "ledger"])
def test_the_command_imports_nothing_heavy(command: str) -> None:
    program = f"import sys, distillgame.cli.main, distillgame.cli.{command}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in HEAVY if name in done.stdout.split()] == []
