from distillgame.arena.plan import pairs, rungs
from distillgame.students import SUITES, StudentChoice


def test_rungs_halve_and_stay_within_the_budget() -> None:
    assert rungs(0) == []
    assert rungs(2) == [(1.0, 2)]
    # Of three pairs, two reach the second rung and one the third.
    assert rungs(6) == [(0.25, 3), (0.5, 2), (1.0, 1)]
    assert rungs(7) == [(0.25, 4), (0.5, 2), (1.0, 1)]
    for budget in range(6, 80):
        widths = [width for _, width in rungs(budget)]
        assert sum(widths) <= budget < sum(widths) + 3
        assert [share for share, _ in rungs(budget)] == [0.25, 0.5, 1.0]


def test_pairs_that_can_be_composed_come_most_promising_first() -> None:
    choices = [
        StudentChoice(name="passive"),
        StudentChoice(name="verified"),
        StudentChoice(name="filter", options={"share": 0.25}),
        StudentChoice(name="adaptive", options={"eta": 4}),
    ]
    accuracies = {"passive": 0.9, "verified": 0.2, "filter share=0.25": 0.6, "adaptive eta=4": 0.5}
    labels = [choice.label for choice in pairs(choices, accuracies)]
    # The filter needs nothing but text, so it can come second; what is verified needs verdicts, and weighs nothing.
    assert labels == [
        "composed first=filter:share:0.25 then=adaptive:eta:4",
        "composed first=verified then=filter:share:0.25",
        "composed first=verified then=adaptive:eta:4",
    ]


def test_a_composition_that_is_a_student_already_does_not_race() -> None:
    """Version 2 of the suite has some, and a game may list one of their students with its defaults written out."""
    written = StudentChoice(name="inverted", options={"draws": 8, "k": 4, "rate": 0.05})
    members = [written, *(each for each in SUITES["standard v2"].members if each.name != "inverted")]
    composed = {choice.label for choice in members if choice.name == "composed"}
    found = [choice.label for choice in pairs(members, {choice.label: 0.5 for choice in members})]
    assert len(composed) == 2
    assert not composed & set(found)
    assert "composed first=inverted:draws:8,k:4,rate:0.05 then=mixed:share:0.5" not in found
    assert "composed first=retold:k:8,rounds:2 then=two_phase:rate:0.01" in found
