"""A process with one vLLM engine that is timed: a line of JSON asks for completions, a line answers with the seconds.

The first line says what is loaded: ``teacher``, a folder; ``proxies``, folders by name, or null for vLLM as it is,
without the plugin; and ``arguments`` of vLLM's engine. Each further line has a ``policy`` with its ``options``, a
``count`` of completions, their length in ``tokens``, and the ``temperature``. It ends when its input ends.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from distillgame.errors import DistillgameError

Timer = Callable[[dict[str, Any]], float]
"""Samples what a line asks for, and returns the seconds that it took."""

ERROR = re.compile(r"[\w.]*(Error|Exception)\b.*")
"""The last line of a traceback."""

PROMPT = (4, 5, 6)
"""The end of every prompt; before it comes one token that tells prompts apart."""


@dataclass(frozen=True)
class VllmServer:
    """A process with one engine.

    Attributes:
        name: The engine's name, for messages.
        process: The process.
        log: What it says beside its answers.
    """

    name: str
    process: subprocess.Popen[str]
    log: IO[str]

    def ask(self, line: Mapping[str, Any]) -> str:
        """Return the answer to a line.

        Raises:
            DistillgameError: If the process has ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
        if answer := self.process.stdout.readline().strip():
            return answer
        code = self.process.wait()
        self.log.seek(0)
        errors = [each for each in self.log.read().splitlines() if ERROR.match(each)]
        raise DistillgameError(
            f"vLLM ({self.name}) ended with status {code}: {(errors or ['no reason was given'])[-1]}"
        )


@contextmanager
def serving(name: str, launch: Mapping[str, Any]) -> Iterator[VllmServer]:
    """Run an engine in a process of its own until the block ends.

    Args:
        name: The engine's name, for messages.
        launch: The first line.

    Raises:
        DistillgameError: If vLLM does not start.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            server = VllmServer(name, process, log)
            server.ask(launch)
            yield server
        finally:
            process.kill()
            process.wait()


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # vLLM prints.
    launch = json.loads(sys.stdin.readline())
    start = plain if launch["proxies"] is None else defended
    timer = start(launch["teacher"], launch["proxies"], launch["arguments"])
    answers.write("ready\n")
    for line in sys.stdin:
        answers.write(f"{timer(json.loads(line))}\n")


def plain(teacher: str, _: None, arguments: dict[str, Any]) -> Timer:
    """Start vLLM without the plugin's architecture."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from vllm import LLM, SamplingParams

    llm = LLM(model=teacher, disable_log_stats=True, **arguments)

    def seconds(asked: dict[str, Any]) -> float:
        prompts = [{"prompt_token_ids": list(prompt)} for prompt in _prompts(asked["count"])]
        params = SamplingParams(
            temperature=asked["temperature"], max_tokens=asked["tokens"], ignore_eos=True, detokenize=False
        )
        begun = time.perf_counter()
        llm.generate(prompts, params, use_tqdm=False)
        return time.perf_counter() - begun

    return seconds


def defended(teacher: str, proxies: dict[str, str], arguments: dict[str, Any]) -> Timer:
    """Start the architecture with the teacher and its proxies."""
    from distillgame.decoding import Request, SamplingParams
    from distillgame.models import ModelSpec
    from distillgame.policies import PolicyChoice, make_policy
    from distillgame.vllm.core import VllmCore
    from distillgame.vllm.engine import VllmEngine
    from distillgame.vllm.launching import plain_settings

    dtype = arguments.pop("dtype")
    spec = ModelSpec(source=teacher, dtype=dtype)
    others = {name: ModelSpec(source=source, dtype=dtype) for name, source in proxies.items()}
    core = VllmCore(spec, plain_settings(PolicyChoice(name="standard"), spec, others, {}), arguments)

    def seconds(asked: dict[str, Any]) -> float:
        engine = VllmEngine(core, make_policy(asked["policy"], asked["options"]))
        params = SamplingParams(temperature=asked["temperature"], max_new_tokens=asked["tokens"], ignore_end=True)
        requests = [Request(str(i), prompt=prompt) for i, prompt in enumerate(_prompts(asked["count"]))]
        begun = time.perf_counter()
        engine.generate(requests, params)
        return time.perf_counter() - begun

    return seconds


def _prompts(count: int) -> list[tuple[int, ...]]:
    return [(3 + i, *PROMPT) for i in range(count)]


if __name__ == "__main__":
    main()
