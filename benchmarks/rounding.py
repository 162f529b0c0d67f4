"""The number of traces that differ between plain and speculative decoding with other batches, due to rounding alone.

Run ``python benchmarks/rounding.py``: it prints one line per precision.
"""

import copy
from dataclasses import replace

import torch

from distillgame.arena.bench.pairs import POLICIES, TEMPERATURE, embedded_pair
from distillgame.decoding import Calibration, Engine, SamplingParams
from distillgame.models import LanguageModel, quiet

FAR_AHEAD = Calibration(teacher={1: [1.0] * 9}, proxy={1: 0.01})
"""Costs with which drafts are as long as acceptance allows."""


def main() -> None:
    quiet()
    pair = embedded_pair("cpu")
    requests = [replace(r, id=f"{r.id}/{k}") for k in range(8) for r in pair.requests("poe", 256)]
    params = SamplingParams(temperature=TEMPERATURE, max_new_tokens=96)
    for dtype in (torch.float32, torch.bfloat16):
        teacher, proxy = (
            LanguageModel(copy.deepcopy(model.model).to(dtype), model.tokenizer, model.source)
            for model in (pair.teacher, pair.proxy)
        )
        plain = Engine(teacher, POLICIES["poe"], proxies={"proxy": proxy}, batch_size=64).generate(requests, params)
        ahead = Engine(
            teacher, POLICIES["poe"], proxies={"proxy": proxy}, batch_size=17, speculative=True, calibration=FAR_AHEAD
        ).generate(requests, params)
        differ = sum(a.token_ids != b.token_ids for a, b in zip(plain, ahead, strict=True))
        tokens = sum(len(sample.token_ids) for sample in plain)
        print(f"{dtype}: {differ} of {len(plain)} traces ({tokens} tokens) differ")


if __name__ == "__main__":
    main()
