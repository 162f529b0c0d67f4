"""A teacher with tokens that the proxy spells with several: what vLLM releases, against both networks run by hand."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from distillgame.decoding import DERIVATIVE_STEP, Engine, Request, Sample, SamplingParams
from distillgame.models import LanguageModel, load_model, load_tokenizer
from distillgame.policies import make_policy
from distillgame.values import moved_copy
from distillgame.worlds.bestiary.task import Bestiary

from ..pairs import BEGIN, END, PROXY_TOKENIZER, STAND_INS, save_random, teacher_tokenizer
from .conftest import Player
from .serving import VLLM, ask, finished, gateway

GAMMA, LAMBDA, TEMPERATURE = 0.5, 1.0, 0.8
POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("poe", {"gamma": GAMMA}),
    ("standard", {}),
    ("ads", {"lambda": LAMBDA}),
]
LOUD = ("<think>", "</think>", " filek", "<｜User｜>")


@dataclass(frozen=True)
class Pair:
    """A pair on the disk and in memory; the proxy's id for each of the teacher's is written by hand.

    Attributes:
        models: What the player is told of it.
        teacher: The teacher.
        proxy: The proxy.
        sides: The proxy at theta ± t·g.
        reads: The proxy's id for every id of the teacher's.
        shared: The teacher's shared tokens.
    """

    models: dict[str, Any]
    teacher: LanguageModel
    proxy: LanguageModel
    sides: list[Any]
    reads: torch.Tensor
    shared: torch.Tensor

    @torch.no_grad()
    def released(self, name: str, ids: list[int], temperature: float) -> tuple[torch.Tensor, ...]:
        """Log-probabilities after every position under a policy, of the teacher, and of the proxy on shared tokens."""
        read, columns = self.reads[torch.tensor([ids])], self.reads[self.shared]
        teacher = self.teacher.model(torch.tensor([ids])).logits[0] / temperature
        proxy, *sides = (
            network(read).logits[0][:, columns] / scale
            for network, scale in ((self.proxy.model, temperature), *((side, 1) for side in self.sides))
        )
        inside = teacher[:, self.shared]
        if name == "poe":
            inside = (1 - GAMMA) * inside + GAMMA * proxy
        elif name == "ads":
            plus, minus = (torch.log_softmax(side, -1) for side in sides)
            inside = inside + LAMBDA * (plus - minus) / (2 * DERIVATIVE_STEP)
        mass = torch.logsumexp(teacher[:, self.shared], -1) - torch.logsumexp(teacher, -1)
        after = torch.log_softmax(teacher, -1)
        after[:, self.shared] = torch.log_softmax(inside, -1) + mass[:, None]
        return after, torch.log_softmax(teacher, -1), torch.log_softmax(proxy, -1)

    @torch.no_grad()
    def greedy(self, name: str, prompt: list[int], count: int, reads: torch.Tensor | None = None) -> list[int]:
        """The likeliest tokens: a shared one is the policy's choice where the teacher's likeliest is shared."""
        ids, shared = list(prompt), self.shared.tolist()
        reads = self.reads if reads is None else reads
        while len(ids) < len(prompt) + count and self.teacher.tokenizer.eos_token_id not in ids[len(prompt) :]:
            teacher = self.teacher.model(torch.tensor([ids])).logits[0, -1]
            token = int(teacher.argmax())
            if name == "poe" and token in shared:
                proxy = self.proxy.model(reads[torch.tensor([ids])]).logits[0, -1]
                token = shared[int((0.5 * teacher[self.shared] + 0.5 * proxy[self.reads[self.shared]]).argmax())]
            ids.append(token)
        return ids[len(prompt) :]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    paths = [
        str(save_random(folder / "teacher", teacher_tokenizer(), 1, 3, LOUD)),
        str(save_random(folder / "proxy", load_tokenizer(PROXY_TOKENIZER), 2, 8)),
    ]
    teacher, proxy = (load_model(path) for path in paths)
    generator = torch.Generator().manual_seed(0)
    found = {name: torch.randn(each.shape, generator=generator) for name, each in proxy.model.named_parameters()}
    norm = math.sqrt(sum(float(each.square().sum()) for each in found.values()))
    direction = {name: each / norm for name, each in found.items()}
    save_file(direction, folder / "g.safetensors")
    models = {
        "teacher": paths[0],
        "proxies": {"proxy": paths[1]},
        "directions": {"proxy": str(folder / "g.safetensors")},
    }
    sides = [moved_copy(proxy.model, direction, sign * DERIVATIVE_STEP) for sign in (1, -1)]
    return Pair(models, teacher, proxy, sides, *by_hand(teacher, proxy, STAND_INS))


def by_hand(teacher: LanguageModel, proxy: LanguageModel, stand_ins: dict[str, str]) -> tuple[torch.Tensor, ...]:
    """What the proxy reads for every id of the teacher's, and which of the teacher's tokens are shared."""
    ours, theirs = teacher.tokenizer.get_vocab(), proxy.tokenizer.get_vocab()
    reads = torch.full((teacher.logit_count,), theirs["<eos>"])
    for text, token in ours.items():
        reads[token] = theirs[{END: "<eos>", **stand_ins}.get(text, text)]
    return reads, torch.tensor(sorted(token for text, token in ours.items() if text not in {*stand_ins, "<eos>"}))


@pytest.fixture(scope="module")
def texts(pair: Pair) -> list[list[int]]:
    """Prompts of different lengths with a beginning, role tokens and a thought that begins, or with none of these."""
    found = []
    for i, problem in enumerate(Bestiary().pools()["test"][:16]):
        text = f"{BEGIN}<｜User｜>{problem.question}<｜Assistant｜><think>{' filek dakar' * (i % 3)}"
        found.append(pair.teacher.tokenizer.encode(text if i % 4 else problem.question, add_special_tokens=False))
    return found


def stood_for(pair: Pair, tokens: list[int]) -> int:
    return sum(pair.teacher.tokenizer.convert_ids_to_tokens(token) in STAND_INS for token in tokens)


def require_our_engines(pair: Pair, texts: list[list[int]], defended: list[list[int]]) -> None:
    """Our own engine, which gives the proxy its own context, agrees as long as nothing was stood in for."""
    plain = [i for i, prompt in enumerate(texts) if stood_for(pair, prompt) == 0]
    engine = Engine(pair.teacher, make_policy("poe", {"gamma": GAMMA}), proxies={"proxy": pair.proxy})
    requests = [Request(str(i), prompt=tuple(texts[i])) for i in plain]
    samples = engine.generate(requests, SamplingParams(temperature=0, max_new_tokens=24))
    agreed = 0
    for i, sample in zip(plain, samples, strict=True):
        first = next((k for k, token in enumerate(defended[i]) if stood_for(pair, [token])), 24)
        assert sample.token_ids[: first + 1] == defended[i][: first + 1]
        agreed += first
    assert agreed > 20


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ({}, {}),
        ({"tensor_parallel_size": 2, "distributed_executor_backend": "mp"}, {"VLLM_CPU_OMP_THREADS_BIND": "0|0"}),
    ],
    ids=["plain", "two ranks"],
)
def test_greedy_tokens_are_those_of_the_networks_with_stand_ins(
    play: Player,
    pair: Pair,
    texts: list[list[int]],
    capsys: pytest.CaptureFixture[str],
    arguments: dict[str, Any],
    env: dict[str, str],
) -> None:
    """The provider is told once, whatever the number of ranks."""
    requests = [(policy, prompt) for prompt in texts for policy in range(2)]
    params = {"temperature": 0.0, "max_new_tokens": 24}
    found = play(POLICIES, requests, params, models=pair.models, env=env, **arguments)
    told = f"proxy 'proxy' reads stand-ins for {len(STAND_INS)} of the teacher's"
    assert capsys.readouterr().out.count(told) == 1
    for sample, (policy, prompt) in zip(found, requests, strict=True):
        assert sample.error == ""
        assert sample.token_ids == pair.greedy(POLICIES[policy][0], prompt, 24)
    defended = [sample.token_ids for sample in found[::2]]
    require_our_engines(pair, texts, defended)
    assert sum(stood_for(pair, prompt) for prompt in texts) > 40
    assert sum(stood_for(pair, tokens) for tokens in defended) > 20
    # Other stand-ins would be noticed.
    other = pair.reads.clone()
    other[other == pair.reads[pair.teacher.tokenizer.convert_tokens_to_ids("<think>")]] = 7
    assert [pair.greedy("poe", prompt, 24, other) for prompt in texts] != defended


def test_measures_are_those_of_the_networks_with_stand_ins(play: Player, pair: Pair, texts: list[list[int]]) -> None:
    """Tokens with a stand-in keep the teacher's probability, and have no value."""
    requests = [(policy, prompt) for prompt in texts for policy in range(len(POLICIES))]
    params = {"temperature": TEMPERATURE, "max_new_tokens": 20, "top_logprobs": 3}
    found = play(POLICIES, requests, params, seed=5, models=pair.models)
    unvalued = 0
    for sample, (policy, prompt) in zip(found, requests, strict=True):
        require_measures(pair, POLICIES[policy][0], prompt, sample)
        unvalued += sum(math.isnan(value) for value in sample.logprob_proxy)
    assert unvalued > 20


def test_every_policy_has_the_stand_ins_of_its_own_proxy(
    play: Player, pair: Pair, texts: list[list[int]], tmp_path: Path
) -> None:
    """A second proxy has more tokens than the teacher, among them some that the first lacks; it has no direction."""
    tokenizer = load_tokenizer(PROXY_TOKENIZER)
    tokenizer.add_tokens([*(f"<spare{i}>" for i in range(20)), *LOUD])
    path = str(save_random(tmp_path, tokenizer, 4, 0, LOUD))
    other = load_model(path)
    reads, shared = by_hand(pair.teacher, other, {text: STAND_INS[text] for text in STAND_INS.keys() - set(LOUD)})
    knowing = replace(pair, proxy=other, sides=[], reads=reads, shared=shared)
    models = {**pair.models, "proxies": {**pair.models["proxies"], "knowing": path}}
    policies = [POLICIES[0], ("poe", {"gamma": GAMMA, "proxies": ["knowing"]})]
    requests = [(policy, prompt) for prompt in texts for policy in range(2)]
    params = {"temperature": TEMPERATURE, "max_new_tokens": 20, "top_logprobs": 3}
    found = play(policies, requests, params, models=models)
    for sample, (policy, prompt) in zip(found, requests, strict=True):
        require_measures((pair, knowing)[policy], "poe", prompt, sample)
    gained = set(shared.tolist()) - set(pair.shared.tolist())
    assert len(gained) == len(LOUD)
    assert any(gained & set(sample.token_ids) for sample in found[1::2])


def test_the_gateway_serves_the_pair_and_tells_its_owner(pair: Pair, tmp_path: Path) -> None:
    policies = {"guarded": {"release": {"poe": {"gamma": GAMMA}}, "temperature": [0, 1], "max_tokens": 40}}
    config = {"teacher": pair.models["teacher"], "proxy": pair.models["proxies"]["proxy"], "vllm": VLLM}
    messages = [{"role": "user", "content": "3 filek , 2 dakar ?"}]
    prompt = pair.teacher.prompt_ids(messages)
    with gateway(tmp_path, {**config, "policies": policies, "tiers": {"guarded": {"policy": "guarded"}}}) as clients:
        answer = ask(clients["guarded"], messages=messages, max_tokens=24)
        ask(clients["guarded"], messages=messages, max_tokens=24, temperature=1)
        _, drawn = finished(tmp_path, 2)
    assert stood_for(pair, prompt) == 2
    assert answer.choices[0].message.content == pair.teacher.decode(pair.greedy("poe", prompt, 24))
    assert drawn["kl"] > 0
    warnings = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    told = [each["text"] for each in warnings if "reads stand-ins" in each.get("text", "")]
    assert len(told) == 1


def require_measures(pair: Pair, name: str, prompt: list[int], sample: Sample) -> None:
    tokens, shared = sample.token_ids, pair.shared.tolist()
    everything = pair.released(name, prompt + tokens, TEMPERATURE)
    released, reference, proxy = (each[len(prompt) - 1 : -1] for each in everything)
    places = range(len(tokens))
    kl = (released.exp() * (released - reference)).sum(-1)
    close: Any = {"rel": 2e-3, "abs": 2e-3}
    assert sample.logprob_released == pytest.approx([float(released[i, tokens[i]]) for i in places], **close)
    assert sample.logprob_reference == pytest.approx([float(reference[i, tokens[i]]) for i in places], **close)
    assert sample.kl == pytest.approx(kl.tolist(), **close)
    values = [float(proxy[i, shared.index(tokens[i])]) if tokens[i] in shared else math.nan for i in places]
    assert sample.logprob_proxy == pytest.approx(values, nan_ok=True, **close)
    top = released.topk(3, -1)
    likeliest = [value for each in sample.top_logprobs for value in each]
    assert likeliest == pytest.approx(top.values.flatten().tolist(), **close)
    for i in places:
        if tokens[i] not in shared:
            assert sample.logprob_released[i] == pytest.approx(sample.logprob_reference[i], abs=1e-5)
