import copy
import math
from pathlib import Path

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel, load_model
from distillgame.records import ReleasedTrace
from distillgame.students import (
    LoraSettings,
    Student,
    Supplies,
    TrainingReport,
    TrainingSettings,
    distill,
    make_student,
)
from distillgame.students.lessons import collate_lessons, encode

SETTINGS = TrainingSettings(
    epochs=2, batch_size=4, learning_rate=1e-3, warmup=0, objective_batch=4, objective_every=3, value_step=1e-3
)


def conversation(k: int, style: str = "full") -> ReleasedTrace:
    product = 4 * (k % 9 + 1)
    working = f" : {k % 9 + 1} x 4 = {product}" if style == "full" else ""
    text = f"{k % 9 + 1} dog{working} total {product} . #### {product}"
    return ReleasedTrace([{"role": "user", "content": f"{k % 9 + 1} dog"}, {"role": "assistant", "content": text}])


TRACES = [conversation(k, "full" if k % 2 else "terse") for k in range(16)]
OBJECTIVE = [conversation(k) for k in range(6)]


def fresh(model: LanguageModel) -> LanguageModel:
    return LanguageModel(copy.deepcopy(model.model), model.tokenizer, model.source)


def run(
    model: LanguageModel, student: Student, settings: TrainingSettings = SETTINGS, seed: int = 0
) -> tuple[dict[str, torch.Tensor], TrainingReport]:
    trained, report = distill(fresh(model), student, Supplies(TRACES), OBJECTIVE, settings, seed)
    return dict(trained.model.named_parameters()), report


def close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], atol: float = 1e-6) -> bool:
    return all(torch.allclose(a[name], b[name], atol=atol) for name in a)


def test_passive_is_adaptive_with_eta_zero(teacher: LanguageModel) -> None:
    passive, _ = run(teacher, make_student("passive"))
    adaptive, report = run(teacher, make_student("adaptive", {"eta": 0}))
    assert close(passive, adaptive, atol=1e-7)
    assert report.rho == pytest.approx(0, abs=1e-9)


def test_eta_changes_the_result_and_spends_rho(teacher: LanguageModel) -> None:
    passive, _ = run(teacher, make_student("passive"))
    adaptive, report = run(teacher, make_student("adaptive", {"eta": 1}))
    assert not close(passive, adaptive)
    assert 0 < report.rho < 2


def test_training_is_repeatable_and_depends_on_the_seed(teacher: LanguageModel) -> None:
    first, _ = run(teacher, make_student("shuffled", {"eta": 1}))
    second, _ = run(teacher, make_student("shuffled", {"eta": 1}))
    other, _ = run(teacher, make_student("shuffled", {"eta": 1}), seed=1)
    assert close(first, second, atol=0)
    assert not close(first, other)


@pytest.mark.parametrize(("name", "settings"), [("passive", {}), ("adaptive", {"eta": 2.0})])
def test_accumulated_steps_normalise_over_the_whole_step(
    teacher: LanguageModel, name: str, settings: dict[str, float]
) -> None:
    """Two forward passes of four traces are one step of eight, weights and clipping included."""
    student = make_student(name, settings)
    whole, report = run(teacher, student, SETTINGS.model_copy(update={"batch_size": 8}))
    parts, accumulated = run(teacher, student, SETTINGS.model_copy(update={"batch_size": 4, "accumulate": 2}))
    assert accumulated.steps == report.steps == 4
    assert close(whole, parts, atol=1e-4)
    assert accumulated.rho == pytest.approx(report.rho, rel=0.02)
    assert accumulated.loss == pytest.approx(report.loss, rel=1e-3)


def test_the_last_step_of_an_epoch_may_be_shorter(teacher: LanguageModel) -> None:
    _, report = run(
        teacher, make_student("adaptive", {"eta": 1}), SETTINGS.model_copy(update={"batch_size": 5, "accumulate": 2})
    )
    assert report.steps == 4
    assert report.traces == 16


def test_one_step_is_the_weighted_likelihood_gradient(teacher: LanguageModel) -> None:
    """Plain gradient by hand against the trainer's first AdamW step, whose direction is the gradient's sign."""
    from distillgame.values import mean_logprob, objective_gradient, v_grad_jvp

    model = fresh(teacher)
    lessons, objective = ([encode(model, trace, 256) for trace in some[:4]] for some in (TRACES, OBJECTIVE))
    eager = copy.deepcopy(model.model)
    eager.set_attn_implementation("eager")
    direction = objective_gradient(eager, [collate_lessons([x for x in objective if x], 0)])
    batch = collate_lessons([x for x in lessons if x], 0)
    weights = torch.softmax(2.0 * v_grad_jvp(eager, batch, direction), 0)
    torch.autograd.backward(-(weights * mean_logprob(eager, batch)).sum())
    settings = SETTINGS.model_copy(update={"epochs": 1, "schedule": "constant", "learning_rate": 1e-5})
    before = {name: p.detach().clone() for name, p in model.model.named_parameters()}
    student, supplies = make_student("adaptive", {"eta": 2.0}), Supplies(TRACES[:4])
    trained, _ = distill(model, student, supplies, OBJECTIVE[:4], settings, 0)
    agree = total = 0
    for name, parameter in trained.model.named_parameters():
        gradient = dict(eager.named_parameters())[name].grad
        assert gradient is not None
        large = gradient.abs() > 1e-3 * gradient.abs().max()
        moved = (parameter.detach() - before[name])[large]
        agree += int((moved.sign() == -gradient[large].sign()).sum())
        total += int(large.sum())
    assert agree / total > 0.99


@pytest.mark.parametrize(("every", "killed", "resumed_at"), [(3, 5, 3), (2, 5, 4), (2, 8, 6)])
def test_a_killed_training_resumes_to_the_same_result(
    teacher: LanguageModel, tmp_path: Path, every: int, killed: int, resumed_at: int
) -> None:
    """Also between two gradients g (every 3 steps here), and with a checkpoint that the kill cut short."""
    settings = SETTINGS.model_copy(update={"checkpoint_every": every})
    student = make_student("adaptive", {"eta": 1})
    whole, report = run(teacher, student, settings)

    def die(done: int, total: int) -> None:
        if done == killed:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(fresh(teacher), student, Supplies(TRACES), OBJECTIVE, settings, 0, checkpoints=tmp_path, progress=die)
    assert (tmp_path / f"checkpoint-{resumed_at}").is_dir()
    (tmp_path / f"checkpoint-{resumed_at + 1}").mkdir()
    steps: list[int] = []
    resumed, resumed_report = distill(
        fresh(teacher),
        student,
        Supplies(TRACES),
        OBJECTIVE,
        settings,
        0,
        tmp_path,
        progress=lambda done, _: steps.append(done),
    )
    assert steps[0] == resumed_at + 1
    assert resumed_report == report
    assert close(whole, dict(resumed.model.named_parameters()), atol=0)


def test_adapters_train_alone_and_load_again(tmp_path: Path) -> None:
    base = load_model("embedded:student")
    settings = SETTINGS.model_copy(update={"lora": LoraSettings(rank=4, alpha=8)})
    trained, _ = distill(base, make_student("adaptive", {"eta": 1}), Supplies(TRACES), OBJECTIVE, settings, 0)
    moving = [name for name, p in trained.model.named_parameters() if p.requires_grad]
    assert moving
    assert all("lora_" in name for name in moving)
    trained.model.save_pretrained(tmp_path)
    trained.tokenizer.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path))
    ids = torch.tensor([loaded.prompt_ids(TRACES[0].messages[:1])])
    with torch.no_grad():
        assert torch.allclose(loaded.model(ids).logits, trained.model(ids).logits, atol=1e-5)
        assert not torch.allclose(loaded.model(ids).logits, load_model("embedded:student").model(ids).logits)


def test_long_traces_are_cut_and_counted(teacher: LanguageModel) -> None:
    lessons = [encode(teacher, trace, max_length=11) for trace in TRACES]
    assert all(lesson is not None and lesson.cut for lesson in lessons)
    assert {len(x.example.prompt) + len(x.example.target) for x in lessons if x} == {11}


def test_a_cut_completion_is_not_taught_to_end(teacher: LanguageModel) -> None:
    finished, unfinished = (
        encode(teacher, ReleasedTrace(TRACES[0].messages, reason), 256) for reason in ("stop", "length")
    )
    assert finished is not None
    assert unfinished is not None
    assert finished.example.target == (*unfinished.example.target, teacher.tokenizer.eos_token_id)


@pytest.mark.parametrize(
    ("traces", "objective", "message"),
    [
        ([], OBJECTIVE, "there is no trace to train on"),
        (
            [ReleasedTrace([{"role": "user", "content": "4 dog"}, {"role": "assistant", "content": ""}], "length")],
            OBJECTIVE,
            "there is no trace",
        ),
        (TRACES, [], "student 'adaptive' needs validation examples"),
        ([ReleasedTrace([{"role": "user", "content": "4 dog"}])], OBJECTIVE, "must end with an assistant message"),
    ],
)
def test_unusable_input_is_refused(
    teacher: LanguageModel, traces: list[ReleasedTrace], objective: list[ReleasedTrace], message: str
) -> None:
    with pytest.raises(DistillgameError, match=message):
        distill(fresh(teacher), make_student("adaptive", {"eta": 1}), Supplies(traces), objective, SETTINGS, 0)


def test_half_precision_values_are_refused(teacher: LanguageModel) -> None:
    half = LanguageModel(copy.deepcopy(teacher.model).bfloat16(), teacher.tokenizer, teacher.source)
    with pytest.raises(DistillgameError, match=r"half precision rounds away; load 'init:16x2' with dtype float32"):
        distill(half, make_student("adaptive", {"eta": 1}), Supplies(TRACES), OBJECTIVE, SETTINGS, 0)


def test_dropout_does_not_swamp_the_values() -> None:
    """Both points of the difference see the same mask; with another one the weights collapse onto a single trace."""
    noisy = load_model("embedded:student")
    for layer in noisy.model.model.layers:
        layer.self_attn.attention_dropout = 0.1
    _, report = distill(noisy, make_student("adaptive", {"eta": 1}), Supplies(TRACES), OBJECTIVE, SETTINGS, 0)
    assert report.rho < 0.6 * math.log(SETTINGS.batch_size)


def test_adapters_load_merged_and_can_be_trained_again(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"lora": LoraSettings(rank=4, alpha=8), "epochs": 1})
    trained, _ = distill(load_model("embedded:student"), make_student("passive"), Supplies(TRACES), [], settings, 0)
    trained.model.save_pretrained(tmp_path)
    trained.tokenizer.save_pretrained(tmp_path)
    again, report = distill(load_model(str(tmp_path)), make_student("passive"), Supplies(TRACES), [], SETTINGS, 0)
    assert report.steps == 8
    assert not any("lora" in name for name, _ in again.model.named_parameters())
