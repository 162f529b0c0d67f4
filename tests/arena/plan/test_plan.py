from typing import Any

from distillgame.arena import load_config
from distillgame.arena.plan import DefenseTarget, Lineup, Planner
from distillgame.arena.run.scheduler import in_order
from distillgame.arena.stages import (
    CostStage,
    DistillStage,
    GreenGradientStage,
    ProxyGradientStage,
    SampleStage,
    stage_from_spec,
)
from distillgame.policies import MarkPolicy, PolicyChoice


def stages(tiny: dict[str, Any], **changes: Any) -> list[Any]:
    return in_order(Lineup(Planner(load_config({**tiny, **changes}), resolve=False)).expected())


def test_a_game_has_each_stage_once_and_after_its_inputs(tiny: dict[str, Any]) -> None:
    ordered = stages(tiny)
    assert len(set(ordered)) == len(ordered)
    for position, stage in enumerate(ordered):
        assert all(ordered.index(needed) < position for needed in stage.inputs())
    kinds = [type(stage) for stage in ordered]
    assert kinds.count(DistillStage) == 3 * 2 * 2
    assert kinds.count(ProxyGradientStage) == 2
    assert kinds.count(CostStage) == 1
    # per seed: defender, 3 train, 3 test, 3 x 2 evaluations; and one untrained student, decoded greedily
    assert kinds.count(SampleStage) == 2 * (1 + 3 + 3 + 6) + 1


def test_an_ensemble_needs_each_proxy_and_a_gradient_at_each(tiny: dict[str, Any]) -> None:
    tiny["proxies"] = {"olmo2": "embedded:proxy-olmo2"}
    tiny["policies"] = ["standard", {"poe": {"gamma": 0.5}}, {"ads": {"lambda": 0.2, "proxies": ["proxy", "olmo2"]}}]
    ordered = stages(tiny, seeds=[0])
    gradients = [stage for stage in ordered if isinstance(stage, ProxyGradientStage)]
    assert {stage.proxy.spec.source for stage in gradients} == {"embedded:proxy", "embedded:proxy-olmo2"}
    sampled = {s.policy.name: s for s in ordered if isinstance(s, SampleStage) and s.problems.name == "train"}
    assert list(sampled["poe"].proxies) == ["proxy"]
    assert set(sampled["ads"].gradients) == set(sampled["ads"].proxies) == {"proxy", "olmo2"}
    assert set(gradients) <= set(sampled["ads"].inputs())
    assert not sampled["standard"].proxies


def test_stages_survive_being_sent_to_a_worker(tiny: dict[str, Any]) -> None:
    for stage in stages(tiny):
        assert stage_from_spec(stage.spec()) == stage
        assert stage_from_spec(stage.spec()).key("cpu") == stage.key("cpu")


def test_one_sample_is_planned_once_and_is_that_of_its_own_text(tiny: dict[str, Any]) -> None:
    """Strengths 1 and 1.0 are equal to Python; their stages have different texts, hence different keys."""
    planner = Planner(load_config(tiny), resolve=False)
    whole, real = (PolicyChoice(name="poe", options={"gamma": gamma}) for gamma in (1, 1.0))
    assert planner.sample(whole, "test", 0) is planner.sample(whole, "test", 0)
    assert planner.gradient("proxy", 0) is planner.gradient("proxy", 0)
    planned = [
        planner.sample(policy, split, seed, draw, first, exposed)
        for policy in (whole, real)
        for split in ("train", "test")
        for seed, draw in ((0, 0), (0, 1), (1, 0))
        for first, exposed in ((None, 0), (2, 0), (None, 2))
    ]
    assert len(set(planned)) == len(planned)


def test_a_passive_student_does_not_depend_on_the_objective(tiny: dict[str, Any]) -> None:
    def trainings(objective: str) -> dict[str, set[str]]:
        result: dict[str, set[str]] = {}
        for stage in stages(tiny, attacker={"objective": objective}):
            if isinstance(stage, DistillStage):
                result.setdefault(stage.student.name, set()).add(stage.key("cpu"))
        return result

    reference, clean = trainings("reference"), trainings("clean")
    assert reference["passive"] == clean["passive"]
    assert not reference["adaptive"] & clean["adaptive"]


def test_the_key_follows_inputs_and_device(tiny: dict[str, Any]) -> None:
    hotter = {**tiny["sampling"], "temperature": 0.7}
    one, other = (Planner(load_config({**tiny, "sampling": s}), resolve=False) for s in (tiny["sampling"], hotter))
    target, student = DefenseTarget.of(one.config.policies[1]), one.config.students[1]
    assert one.distill(target, student, 0).key("cpu") != other.distill(target, student, 0).key("cpu")
    assert one.distill(target, student, 0).key("cpu") != one.distill(target, student, 0).key("cuda")
    assert one.distill(target, student, 0).key("cpu") != one.distill(target, student, 1).key("cpu")


def test_attacker_and_defender_never_share_a_problem(tiny: dict[str, Any]) -> None:
    planner = Planner(load_config(tiny))
    sets = [{p.question for p in planner.problems(name).load()} for name in tiny["splits"]]
    assert sum(map(len, sets)) == len(set.union(*sets))


def test_each_seed_marks_with_a_key_of_its_own(tiny: dict[str, Any]) -> None:
    """Or traces of several seeds would be one draw; what is not marked stays as it is."""
    planner = Planner(load_config(tiny), resolve=False)
    keyed = PolicyChoice(name="keyed", options={"epoch": 3})
    policies = [planner.sample(keyed, "train", seed).policy.policy for seed in (0, 2)]
    assert [policy.epoch for policy in policies if isinstance(policy, MarkPolicy)] == [3, 5]
    assert len({policy.marking.key for policy in policies if policy.marking is not None}) == 2
    tilted = planner.sample(PolicyChoice(name="fingerprint", options={"lambda": 0.5}), "train", 2)
    (direction,) = tilted.gradients.values()
    assert isinstance(direction, GreenGradientStage)
    assert direction.policy.options == {"epoch": 2}
    poe = PolicyChoice(name="poe", options={"gamma": 0.5})
    assert planner.sample(poe, "train", 2).policy == poe
