"""What each student makes of released traces before training."""

import copy
import dataclasses
import math
from collections.abc import Sequence

import pytest
import torch

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, Lesson, Supplies, TrainingSettings, appraise, distill, make_student
from distillgame.students.lessons import encode
from distillgame.students.valuation import VALUES
from distillgame.values import collate, mean_logprob, objective_gradient, v_grad_jvp


def conversation(prompt: str, completion: str) -> ReleasedTrace:
    return ReleasedTrace([{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}])


TRACES = [
    conversation(f"{k} dog", f"{k} dog : {k} x 4 = {4 * k} total {4 * k} . #### {4 * k}")
    if k % 2
    else conversation(f"{k} dog", f"{k} dog total {4 * k} . #### {4 * k}")
    for k in range(1, 9)
]
REFERENCES = [conversation("3 crab", "3 crab : 3 x 10 = 30 total 30 . #### 30")]


def desk(model: LanguageModel, traces: Sequence[ReleasedTrace] = TRACES, **supplied: object) -> Desk:
    objective = [lesson for trace in TRACES[:3] if (lesson := encode(model, trace, 256)) is not None]
    return Desk(model, Supplies(traces=traces, **supplied), objective, 256, 4, 1e-3, 1e-3)  # type: ignore[arg-type]


def texts(model: LanguageModel, lessons: Sequence[Lesson]) -> list[str]:
    return [model.tokenizer.decode(lesson.example.target, skip_special_tokens=True).strip() for lesson in lessons]


def test_values_at_the_desk_are_the_directional_derivative(teacher: LanguageModel) -> None:
    at = desk(teacher)
    lessons = at.lessons(TRACES)
    eager = copy.deepcopy(teacher.model)
    eager.set_attn_implementation("eager")
    direction = objective_gradient(eager, [collate([lesson.example for lesson in at.objective], 0)])
    exact = v_grad_jvp(eager, collate([lesson.example for lesson in lessons], 0), direction)
    assert appraise(at, lessons, "grad") == pytest.approx(exact.tolist(), rel=0.1, abs=0.02)


def test_the_gap_is_what_the_reader_finds_likelier_than_the_base_model(teacher: LanguageModel) -> None:
    network = copy.deepcopy(teacher.model)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.9)
    student = dataclasses.replace(teacher, model=network)
    at = desk(student, reader=teacher)
    lessons = at.lessons(TRACES)
    batch = collate([lesson.example for lesson in lessons], 0)
    with torch.no_grad():
        expected = mean_logprob(teacher.model, batch) - mean_logprob(student.model, batch)
    assert appraise(at, lessons, "gap") == pytest.approx(expected.tolist(), abs=1e-3)


def test_length_is_tokens_of_the_completion_per_token_of_its_prompt_and_needs_no_objective(
    teacher: LanguageModel,
) -> None:
    at = dataclasses.replace(desk(teacher), objective=())
    lessons = at.lessons(TRACES)
    expected = [len(lesson.example.target) / len(lesson.example.prompt) for lesson in lessons]
    assert appraise(at, lessons, "length") == pytest.approx(expected)
    unasked = dataclasses.replace(lessons[0], example=Example((), (1, 2, 3)))
    assert appraise(at, [unasked], "length") == [3]
    student = make_student("filter", {"share": 0.5, "value": "length"})
    assert (student.needs_objective, student.needs.level, student.needs.reader) == (False, "text", None)


def test_values_differ_in_kind_and_need_what_they_take(teacher: LanguageModel) -> None:
    at = desk(teacher)
    lessons = at.lessons(TRACES)
    found = {value: appraise(at, lessons, value) for value in VALUES if value != "gap"}
    assert all(len(values) == len(lessons) for values in found.values())
    assert len({tuple(values) for values in found.values()}) == 4
    student = make_student("filter", {"share": 0.3, "value": "gap"})
    assert student.needs.reader == NamedChoice(name="passive")
    assert not student.needs_objective
    with pytest.raises(DistillgameError, match="values need validation examples, and there are none"):
        appraise(dataclasses.replace(at, objective=()), lessons, "influence")
    with pytest.raises(DistillgameError, match="student 'filter': value"):
        make_student("filter", {"share": 0.3, "value": "luck"})


def test_the_name_of_a_value_is_a_setting_where_it_is_not_the_usual_one() -> None:
    assert make_student("filter", {"share": 0.3, "value": "grad"}).settings == {"share": 0.3}
    assert make_student("filter", {"share": 0.3, "value": "gap"}).settings == {"share": 0.3, "value": "gap"}


def test_token_logprobs_average_to_the_likelihood(teacher: LanguageModel) -> None:
    lessons = desk(teacher).lessons(TRACES)
    means = [float(row.mean()) for row in desk(teacher).token_logprobs(lessons)]
    with torch.no_grad():
        expected = mean_logprob(teacher.model, collate([lesson.example for lesson in lessons], 0))
    assert means == pytest.approx(expected.tolist(), abs=1e-4)


def test_adaptive_once_weighs_the_whole_set_with_mean_one(teacher: LanguageModel) -> None:
    at = desk(teacher)
    lessons = make_student("adaptive_once", {"eta": 5.0}).prepare(at)
    weights = [math.exp(lesson.log_weight) for lesson in lessons]
    assert sum(weights) / len(weights) == pytest.approx(1)
    values = appraise(at, lessons, "grad")
    assert math.log(weights[0] / weights[1]) == pytest.approx(5 * (values[0] - values[1]), abs=1e-4)


def test_filter_keeps_the_most_valuable_in_order(teacher: LanguageModel) -> None:
    at = desk(teacher)
    values = appraise(at, at.lessons(TRACES), "grad")
    best = sorted(sorted(range(8), key=lambda i: -values[i])[:3])
    kept = make_student("filter", {"share": 0.3}).prepare(at)
    assert texts(teacher, kept) == texts(teacher, at.lessons([TRACES[i] for i in best]))


def test_best_of_k_keeps_one_trace_a_prompt(teacher: LanguageModel) -> None:
    groups = TRACES[:4], TRACES[4:]
    at = desk(teacher, groups[0], further=[groups[1]])
    kept = make_student("best_of_k", {"k": 2}).prepare(at)
    values = [appraise(at, at.lessons(group), "grad") for group in groups]
    expected = [groups[0][i] if values[0][i] >= values[1][i] else groups[1][i] for i in range(4)]
    assert texts(teacher, kept) == texts(teacher, at.lessons(expected))


def test_verified_keeps_right_traces(teacher: LanguageModel) -> None:
    at = desk(teacher, verdicts=[k == 2 for k in range(8)])
    assert texts(teacher, make_student("verified").prepare(at)) == texts(teacher, at.lessons([TRACES[2]]))


def test_who_finds_nothing_to_learn_keeps_its_base_model(teacher: LanguageModel) -> None:
    model = LanguageModel(copy.deepcopy(teacher.model), teacher.tokenizer, teacher.source)
    supplies = Supplies(TRACES, verdicts=[False] * 8)
    trained, report = distill(model, make_student("verified"), supplies, [], TrainingSettings(), 0)
    assert (report.traces, report.steps) == (0, 0)
    for ours, theirs in zip(trained.model.parameters(), teacher.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_answer_only_learns_nothing_but_answers(teacher: LanguageModel) -> None:
    at = desk(teacher, final_answer=lambda answer: f"#### {answer}")
    lessons = make_student("answer_only").prepare(at)
    assert texts(teacher, lessons)[0].replace(" ", "") == "####4"
    assert len({len(lesson.example.target) for lesson in lessons}) <= 2


def test_truncated_cuts_and_does_not_teach_to_end(teacher: LanguageModel) -> None:
    at = desk(teacher)
    whole = at.lessons(TRACES)
    for short, long in zip(make_student("truncated", {"share": 0.5}).prepare(at), whole, strict=True):
        assert short.example.target == long.example.target[: math.ceil(len(long.example.target) / 2)]
        assert teacher.tokenizer.eos_token_id not in short.example.target


def test_loss_masked_drops_the_least_likely_tokens(teacher: LanguageModel) -> None:
    at = desk(teacher)
    lessons = make_student("loss_masked", {"share": 0.25}).prepare(at)
    logprobs = at.token_logprobs(at.lessons(TRACES))
    kept = [
        float(v) for x, row in zip(lessons, logprobs, strict=True) for v, k in zip(row, x.keep or (), strict=True) if k
    ]
    dropped = [
        float(v)
        for x, row in zip(lessons, logprobs, strict=True)
        for v, k in zip(row, x.keep or (), strict=True)
        if not k
    ]
    assert max(dropped) < min(kept)
    assert len(dropped) / (len(kept) + len(dropped)) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 8), (0.2, 2)])
def test_mixed_repeats_public_solutions_up_to_its_share(teacher: LanguageModel, share: float, wanted: int) -> None:
    lessons = make_student("mixed", {"share": share}).prepare(desk(teacher, references=REFERENCES))
    assert len(lessons) == 8 + wanted
    assert len(set(texts(teacher, lessons[8:]))) == 1


def test_curriculum_weighs_by_how_uncertain_success_is(teacher: LanguageModel) -> None:
    rates = [(0, 4), (2, 4), (4, 4), *[(1, 4)] * 5]
    lessons = make_student("curriculum", {"k": 4}).prepare(desk(teacher, pass_rates=rates))
    never, half, always = (math.exp(lesson.log_weight) for lesson in lessons[:3])
    assert half == pytest.approx(0.25)
    assert never == pytest.approx(always) == pytest.approx(0.1 * 0.9)


def test_reconstructed_takes_the_first_rewriting_with_the_same_answer(teacher: LanguageModel) -> None:
    wrong, right = conversation("1 dog", "1 dog total 5 . #### 5"), conversation("1 dog", "so 1 dog total 4 . #### 4")
    rewrites = [[wrong, right, right], *[[wrong]] * 7]
    lessons = make_student("reconstructed", {"k": 3}).prepare(desk(teacher, rewrites=rewrites))
    plain = desk(teacher).lessons(TRACES)
    assert texts(teacher, lessons[:1]) == texts(teacher, desk(teacher).lessons([right]))
    assert texts(teacher, lessons[1:]) == texts(teacher, plain[1:])


def test_a_trace_whose_answer_is_a_dangling_marker_stays_as_it_is(teacher: LanguageModel) -> None:
    traces = [conversation("1 dog", "1 dog ####")]
    at = desk(teacher, traces, rewrites=[[conversation("1 dog", "1 dog total 4 . #### 4")]])
    lessons = make_student("reconstructed", {"k": 1}).prepare(at)
    assert texts(teacher, lessons) == texts(teacher, at.lessons(traces))


def test_reference_sees_no_released_trace(teacher: LanguageModel) -> None:
    student = make_student("reference")
    assert not student.needs.traces
    lessons = student.prepare(desk(teacher, [], references=REFERENCES))
    assert texts(teacher, lessons) == texts(teacher, desk(teacher).lessons(REFERENCES))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("filter", {"share": 1.0}, "share must be above 0 and below 1"),
        ("truncated", {"share": 0.0}, "share must be above 0 and below 1"),
        ("adaptive_once", {"eta": -1.0}, "eta must be a number at least 0"),
        ("best_of_k", {"k": 1}, "k must be at least 2"),
        ("curriculum", {"k": 0}, "k must be at least 1"),
        ("logit", {"gamma": 1.0}, "gamma must be at least 0 and below 1"),
        ("eta_zero", {"eta": 1.0}, "eta is 0"),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict[str, float], message: str) -> None:
    with pytest.raises(DistillgameError, match=f"student '{name}': {message}"):
        make_student(name, settings)
