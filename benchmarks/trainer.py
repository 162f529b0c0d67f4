"""The cost of a training step: the trainer against a bare loop, and the adaptive student against the passive one.

Run ``python benchmarks/trainer.py``: it prints a Markdown table, medians over interleaved repetitions with their range.
"""

import copy
import statistics
import time
from collections.abc import Callable

import torch

from distillgame.models import LanguageModel, load_model, quiet
from distillgame.records import ReleasedTrace
from distillgame.students import Supplies, TrainingSettings, distill, make_student
from distillgame.students.lessons import collate_lessons, encode
from distillgame.tasks import split
from distillgame.values import mean_logprob
from distillgame.worlds.leg_counting import LegCounting

STEPS = 40
BATCH = 48
REPETITIONS = 5
SETTINGS = TrainingSettings(epochs=1, batch_size=BATCH, learning_rate=1e-4, max_length=256)


def bare_loop(model: LanguageModel, traces: list[ReleasedTrace]) -> None:
    lessons = [lesson for trace in traces if (lesson := encode(model, trace, SETTINGS.max_length)) is not None]
    optimizer = torch.optim.AdamW(model.model.parameters(), lr=SETTINGS.learning_rate, weight_decay=0.0)
    model.model.train()
    for start in range(0, len(lessons), BATCH):
        batch = collate_lessons(lessons[start : start + BATCH], model.tokenizer.pad_token_id)
        torch.autograd.backward(-mean_logprob(model.model, batch).mean())
        torch.nn.utils.clip_grad_norm_(model.model.parameters(), SETTINGS.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()


def trainer(student: str, **settings: float) -> Callable[[LanguageModel, list[ReleasedTrace]], None]:
    def run(model: LanguageModel, traces: list[ReleasedTrace]) -> None:
        distill(model, make_student(student, settings), Supplies(traces), traces[:200], SETTINGS, seed=0)

    return run


def main() -> None:
    quiet()
    torch.set_num_threads(1)
    base = load_model("embedded:student")
    task = LegCounting()
    traces = [
        ReleasedTrace([*task.messages(p), {"role": "assistant", "content": p.solution}])
        for p in split(task, {"train": STEPS * BATCH})["train"]
    ]
    contenders = {
        "bare loop, passive": bare_loop,
        "trainer, passive": trainer("passive"),
        "trainer, adaptive": trainer("adaptive", eta=3.0),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(REPETITIONS + 1):
        for name, contender in contenders.items():
            model = LanguageModel(copy.deepcopy(base.model), base.tokenizer, base.source)
            start = time.perf_counter()
            contender(model, traces)
            if repetition > 0:  # the first one warms up
                seconds[name].append((time.perf_counter() - start) / STEPS)
    print(f"embedded:student, minibatches of {BATCH}, one thread, torch {torch.__version__.split('+')[0]}\n")
    print("| | ms per step | relative to the trainer's passive step |\n|---|---:|---:|")
    for name, values in seconds.items():
        ratios = [value / passive for value, passive in zip(values, seconds["trainer, passive"], strict=True)]
        print(
            f"| {name} | {1e3 * statistics.median(values):.0f} ({1e3 * min(values):.0f} to {1e3 * max(values):.0f}) "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )


if __name__ == "__main__":
    main()
