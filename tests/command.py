"""Run a command of ours in a process that was forked; see ``processes.py``."""

import importlib
import json
import os
import sys

from distillgame.cli import main as command_line
from distillgame.cli.main import VERBS

for module in (*VERBS.values(), "distillgame.arena", "distillgame.arena.bench", "distillgame.gateway.web"):
    importlib.import_module(module)


def main() -> None:
    """Run the command that the first line of standard input names; all its output goes to standard error."""
    asked = json.loads(sys.stdin.readline())
    os.chdir(asked["folder"])
    os.dup2(2, 1)
    command_line.main(asked["arguments"])
