"""A process with one vLLM engine that is timed: a line of JSON asks for completions, a line answers with the seconds.

The first line says what is loaded: ``teacher``, a folder; ``proxies``, folders by name, or null for vLLM as it is,
without the plugin; and ``arguments`` of vLLM's engine. Each further line has a ``policy`` with its ``options``, a
``count`` of completions, their length in ``tokens``, and the ``temperature``. It ends when its input ends.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from distillgame.errors import DistillgameError

Timer = Callable[[dict[str, Any]], float]
"""Samples what a line asks for, and returns the seconds that it took."""

PROMPT = (4, 5, 6)
"""The end of every prompt; before it comes one token that tells prompts apart."""


@contextmanager
def serving(launch: Mapping[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Run an engine in a process of its own until the block ends.

    Args:
        launch: The first line.

    Raises:
        DistillgameError: If vLLM does not start.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            if _answer(process, launch) != "ready":
                process.wait()
                log.seek(0)
                said = [line for line in log.read().splitlines() if line.strip()] or ["nothing"]
                raise DistillgameError(f"vLLM did not start: {said[-1][:300]}")
            yield process
        finally:
            process.kill()
            process.wait()


def ask(process: subprocess.Popen[str], asked: Mapping[str, Any], name: str) -> float:
    """Return the seconds that an engine took.

    Args:
        process: Its process.
        asked: The line that it is asked.
        name: Its name, for messages.

    Raises:
        DistillgameError: If the process has ended.
    """
    if not (answer := _answer(process, asked)):
        raise DistillgameError(f"vLLM ({name}) ended with status {process.wait()}")
    return float(answer)


def _answer(process: subprocess.Popen[str], line: Mapping[str, Any]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline().strip()


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
