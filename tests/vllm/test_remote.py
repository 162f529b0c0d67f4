"""The process with vLLM, seen from the one that started it; a script that knows the messages stands for vLLM."""

import os
import signal
import sys
from pathlib import Path

import pytest

from distillgame.decoding import Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm import DefenseSettings
from distillgame.vllm.remote import Launch, RemoteEngine, VllmProcess

STANDARD = PolicyChoice(name="standard")
LAUNCH = Launch(ModelSpec(source="embedded:teacher"), DefenseSettings(policy=STANDARD))

STANDIN = """
import os, sys, types
import distillgame.vllm.process as process
from distillgame.decoding import Sample
from distillgame.errors import DistillgameError

class Engine:
    def __init__(self, core, policy, adapter):
        self.policy, self.adapter = policy, adapter
    def generate(self, requests, params, seed, on_sample):
        if params.max_new_tokens == 13:
            raise DistillgameError("13 tokens are too many")
        if params.max_new_tokens == 14:
            raise ValueError("nobody foresaw this")
        if params.max_new_tokens == 15:
            os.kill(os.getpid(), 9)
        texts = [f"{r.messages[0]['content']} {self.policy.name} {self.adapter} {seed}" for r in requests]
        samples = [Sample(r.id, text) for r, text in zip(requests, texts)]
        for sample in reversed(samples):
            on_sample(sample)
        return samples

def start(launch):
    if launch.teacher.source != "embedded:teacher":
        raise DistillgameError("vLLM does not take this one")
    return types.SimpleNamespace(require_drawing=lambda temperature: None)

sys.modules["distillgame.vllm.engine"] = types.SimpleNamespace(VllmEngine=Engine)
process._start = start
process.main()
"""


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> VllmProcess:
    stand_in(monkeypatch, tmp_path)
    return VllmProcess(LAUNCH)


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "standin.py").write_text(STANDIN)
    monkeypatch.setattr("distillgame.vllm.remote.MODULE", "standin")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, sys.path)]))
    # pytest replaces standard error by something without a descriptor.
    monkeypatch.setattr("sys.stderr", sys.__stderr__)


def asked(*texts: str) -> list[Request]:
    """Requests that all have one name: it stands for their draws, not for their places."""
    return [Request("same", [{"role": "user", "content": text}]) for text in texts]


def test_samples_come_in_the_order_of_the_requests_and_are_told_as_they_finish(process: VllmProcess) -> None:
    told: list[str] = []
    engine = RemoteEngine(process, PolicyChoice(name="poe", options={"gamma": 0.5}), "adapters/a")
    for _ in range(2):
        samples = engine.generate(
            asked("a", "b"), SamplingParams(), 7, lambda sample: told.append(sample.completion[0])
        )
        assert [sample.completion for sample in samples] == ["a poe adapters/a 7", "b poe adapters/a 7"]
    assert told == ["b", "a", "b", "a"]
    assert engine.generate([], SamplingParams()) == []
    process.close()


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        (13, DistillgameError, "13 tokens are too many"),
        (14, RuntimeError, "ValueError: nobody foresaw this"),
        (15, DistillgameError, r"vLLM's process died \(signal 9, perhaps out of memory\)"),
    ],
)
def test_failures_are_told_and_end_the_process(
    process: VllmProcess, tokens: int, error: type[Exception], message: str
) -> None:
    """What is left of an answer would be taken for the next one's."""
    with pytest.raises(error, match=message):
        RemoteEngine(process, STANDARD).generate(asked("a"), SamplingParams(max_new_tokens=tokens))
    assert not process.alive


def test_an_interrupted_answer_ends_the_process(process: VllmProcess) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RemoteEngine(process, STANDARD).generate(asked("a", "b"), SamplingParams(), on_sample=interrupt)
    assert not process.alive


def test_one_that_was_killed_while_nobody_asked_is_noticed(process: VllmProcess) -> None:
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert not process.alive
    with pytest.raises(DistillgameError, match="died"):
        RemoteEngine(process, STANDARD).generate(asked("a"), SamplingParams())


def test_what_vllm_refuses_at_its_start_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(monkeypatch, tmp_path)
    with pytest.raises(DistillgameError, match="does not take this one"):
        VllmProcess(Launch(ModelSpec(source="embedded:proxy"), DefenseSettings(policy=STANDARD)))


def test_without_vllm_the_real_one_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vllm.py").write_text("raise ImportError('no module named vllm here')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    monkeypatch.setattr("sys.stderr", sys.__stderr__)
    with pytest.raises(DistillgameError, match=r"vLLM is not installed.*docs/vllm\.md"):
        VllmProcess(LAUNCH)
