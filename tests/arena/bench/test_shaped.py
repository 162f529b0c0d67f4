import pytest
import torch

from distillgame.arena.bench import shaped
from distillgame.arena.bench.pairs import POLICIES, TEMPERATURE, embedded_pair, lengths, shaped_sizes
from distillgame.arena.bench.recording import record
from distillgame.arena.bench.shaped import Recording, Shape, shaped_model, shaped_text
from distillgame.decoding import Engine, Request, SamplingParams
from distillgame.decoding.networks.context import Context
from distillgame.policies import Experts, release

TINY = Shape("tiny", 16, 2, 2, 1, 32)
VOCABULARY = 4096


def made_up() -> Recording:
    generator = torch.Generator().manual_seed(0)
    tables = [torch.randn(3, 5, 20, generator=generator) * 3 for _ in range(2)]
    return Recording([[1, 2, 3], [4, 5], [6, 7, 8, 9]], *tables)


def test_a_shaped_network_has_the_recorded_distributions_by_trace_and_position() -> None:
    recording = made_up()
    model = shaped_model(TINY, VOCABULARY, torch.float32, "cpu", seed=0)
    model.model.replay(recording.prompts, recording.teacher)
    prompts = [model.tokenizer.encode(shaped_text(recording, trace)) for trace in (2, 0, 1)]
    context = Context(model.model)
    with torch.inference_mode():
        probabilities = [torch.softmax(context.admit(prompts), -1)]
        for _ in range(6):
            blocks = [[trace * 20 + 11] for trace in (2, 0, 1)]
            probabilities.append(torch.softmax(context.read(blocks)[:, 0], -1))
    for place, found in enumerate(probabilities):
        for row, trace in enumerate((2, 0, 1)):
            expected = torch.softmax(recording.teacher[trace, place % 5], -1)
            assert torch.allclose(found[row, trace * 20 : trace * 20 + 20], expected, atol=1e-6)


def test_a_recording_holds_what_the_policy_would_release_and_draft() -> None:
    """For ADS too, whose tilt is recorded with the logits: acceptance along a trace is the trained pair's own."""
    pair = embedded_pair("cpu")
    params = SamplingParams(temperature=TEMPERATURE, max_new_tokens=20)
    for name, policy in POLICIES.items():
        requests = pair.requests(name, 6)
        recording = record(pair.teacher, pair.proxy, pair.direction, policy, requests, params)
        engine = Engine(pair.teacher, policy, proxies={"proxy": pair.proxy}, directions={"proxy": pair.direction})
        for i, sample in enumerate(engine.generate(requests, params)):
            for step, token in enumerate(sample.token_ids):
                teacher = recording.teacher[i, step : step + 1]
                if name == "ads":
                    released = torch.log_softmax(teacher / TEMPERATURE, -1)
                else:
                    experts = Experts(teacher, TEMPERATURE, (recording.proxy[i, step : step + 1],))
                    released = release(policy, experts).released.logprobs
                assert abs(float(released[0, token]) - sample.logprob_released[step]) < 0.02


def test_the_shaped_tokenizer_reads_its_own_prompts() -> None:
    recording = made_up()
    model = shaped_model(TINY, VOCABULARY, torch.float32, "cpu", seed=0)
    request = Request("0", [{"role": "user", "content": shaped_text(recording, 1)}])
    assert model.prompt_ids(request.messages) == [24, 25]
    assert model.logit_count == VOCABULARY


def test_stated_sizes_are_the_sizes() -> None:
    with torch.device("meta"):
        counts = {}
        for name, shape in shaped.SHAPES.items():
            model = shaped_model(shape, shaped.VOCABULARY, torch.bfloat16, "meta", seed=0)
            counts[name] = sum(p.numel() for p in model.model.parameters())
    assert 130e6 < counts["135M"] < 140e6
    assert 15e6 < counts["16M"] < 17e6
    assert 6.4e9 < counts["7B"] < 7.6e9
    assert 2.7e9 < counts["3B"] < 3.3e9
    assert 0.38e9 < counts["0.5B"] < 0.5e9
    for name, shape in shaped.SHAPES.items():
        assert abs(shape.parameters(shaped.VOCABULARY) / counts[name] - 1) < 1e-3


@pytest.mark.parametrize(
    ("gigabytes", "sizes"),
    [
        (139, ("7B", "3B")),
        (79, ("7B", "0.5B")),
        (24, ("3B", "0.5B")),
        (15, ("0.5B", "135M")),
        (4, ("135M", "16M")),
    ],
)
def test_the_shaped_pair_fits_the_memory_of_the_gpu(
    gigabytes: int, sizes: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an H100 of 80 GB, 7B with 3B ran out of memory."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (gigabytes * 2**30, 0))
    assert shaped_sizes("cuda", shaped.VOCABULARY) == sizes
    assert shaped_sizes("cpu", shaped.VOCABULARY) == ("135M", "16M")


def test_long_tailed_lengths_are_log_normal_and_clipped() -> None:
    drawn = sorted(lengths(4000, 32))
    assert 29 <= drawn[2000] <= 35
    assert drawn[-1] == 16 * 32
    assert 1.5 < sum(drawn) / 4000 / 32 < 1.8
