"""The gateway with vLLM when clients go, and when it is told to stop: as with our own engine."""

from pathlib import Path

from distillgame.models import load_tokenizer

from ..pairs import PROXY_TOKENIZER, save_random, teacher_tokenizer
from .serving import VLLM, ask, finished, gateway

TOKENS = 800


def test_what_nobody_reads_is_cancelled_and_what_streams_is_finished_before_the_end(tmp_path: Path) -> None:
    """Two streams of many seconds; the first client goes, and the server is told to stop while the second streams."""
    models = {
        "teacher": str(save_random(tmp_path / "teacher", teacher_tokenizer(), 1, 3)),
        "proxy": str(save_random(tmp_path / "proxy", load_tokenizer(PROXY_TOKENIZER), 2, 8)),
    }
    policies = {"guarded": {"release": {"poe": {"gamma": 0.5}}, "temperature": [0, 1], "max_tokens": TOKENS}}
    config = {
        **models, "policies": policies, "tiers": {"guarded": {"policy": "guarded"}},
        "vllm": VLLM | {"max_model_len": 1024}, "server": {"shutdown_timeout": 120},
    }  # fmt: skip
    folder = tmp_path / "gateway"
    with gateway(folder, config) as clients:
        left = ask(clients["guarded"], max_tokens=TOKENS, stream=True)
        next(iter(left))
        left.close()
        (cancelled,) = finished(folder, 1, "cancelled")
        kept = iter(ask(clients["guarded"], max_tokens=TOKENS, stream=True))
        chunks = [next(kept)]
    chunks += kept
    (entry,) = finished(folder, 1)
    assert 0 < cancelled["tokens"] < entry["tokens"]
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert "Traceback" not in (folder / "log").read_text()
