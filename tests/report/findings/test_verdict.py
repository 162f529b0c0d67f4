from dataclasses import replace

from distillgame.records import ConfidenceInterval, Results
from distillgame.report import verdict

from ..fixtures import DEFENSES, PLAIN, Defense, game

STANDARD, TEMPERATURE, POE, ADS, PERMUTATION = DEFENSES


def text(results: Results) -> str:
    return " ".join(verdict(results).sentences)


def test_what_leaked_least_at_which_cost() -> None:
    found = verdict(game())
    assert found.headline == "ads 0.2 leaked least."
    assert found.least == game().teachers[3]
    assert found.sentences == [
        "Undefended, the teacher solves 94.0% of the problems, and the strongest student trained on what it released "
        "solves 84.9% (before any training: 31.0%).",
        "Under ads 0.2 the strongest student solves 77.6%, 7.3 points fewer (-10.1 to -4.5; p < .001). Its price: the "
        "teacher solves 83.9%, 10.1 points fewer, and a token takes 2.3 times as long to sample.",
        "Next is poe 0.5, whose strongest student solves 82.8% (teacher 84.6%): the difference of 5.2 points is "
        "significant (p < .001).",
        "A passive student, which weighs all traces equally, solves 34.7%: judged by it alone, ads 0.2 would look "
        "42.9 points better than it is.",
    ]


def test_a_lead_that_may_be_chance_is_called_not_significant() -> None:
    found = verdict(game([STANDARD, replace(POE, best=0.78), ADS]))
    assert found.headline == "ads 0.2 leaked least; its lead over the next is not significant."
    assert "the difference of 0.4 points is not significant (p = .78)." in " ".join(found.sentences)


def test_a_comparison_counts_in_either_order() -> None:
    assert verdict(game([ADS, POE, STANDARD])).headline == "ads 0.2 leaked least."


def test_what_was_not_tested_is_called_so() -> None:
    results = game().model_copy(update={"comparisons": []})
    assert "whether that differs by more than chance was not tested." in text(results)
    assert verdict(results).headline == "ads 0.2 leaked least."


def test_defenses_that_do_not_protect() -> None:
    found = verdict(game([STANDARD, replace(POE, best=0.84), replace(ADS, best=0.845)]))
    assert found.headline == "No defense was shown to leak less than no defense at all."
    assert "0.9 points fewer (-3.7 to +1.9; p = .52, not significant)" in " ".join(found.sentences)


def test_teachers_that_are_not_equal_are_not_compared_without_a_word() -> None:
    assert "not compared at equal utility" not in text(game())
    assert "their teachers are 6.1 points apart" in text(game([STANDARD, POE, replace(ADS, teacher=0.785)]))


def test_a_control_that_protects_as_well_is_named() -> None:
    assert "The control" not in text(game())
    assert "The control temperature 1.15 leaked no more (70.0%;" in text(
        game([STANDARD, replace(TEMPERATURE, best=0.7), ADS])
    )


def test_a_gain_that_may_be_chance_and_a_cost_that_was_not_measured() -> None:
    found = text(game([STANDARD, replace(ADS, best=0.35, cost=None)]))
    assert "Choosing what to learn was not shown to gain anything there (+0.3 ± 1.2, not significant)." in found
    assert "to sample" not in found
    assert "a token takes no longer to sample" in text(game([STANDARD, replace(ADS, cost=1.03)]))


def test_without_a_defense_there_is_none_to_judge() -> None:
    found = verdict(game([STANDARD, PERMUTATION]))
    assert (found.headline, found.least, len(found.sentences)) == ("No defense was played.", None, 1)


def test_students_that_were_not_chosen_are_called_so() -> None:
    assert "not chosen on a validation split" in text(game(students=PLAIN))
    assert "not chosen on a validation split" not in text(game())


def test_a_defense_without_students_is_not_judged() -> None:
    results = game([STANDARD, Defense("poe", {"gamma": 0.5}, 0.8, 0.5, 0.7)]).model_copy(update={"students": []})
    assert verdict(results).headline == (
        "Defenses are not compared: no student that has released text only attacked one."
    )


def test_public_solutions_that_teach_as_much_are_said() -> None:
    results = game()
    rows = [
        row.model_copy(update={"accuracy": 0.95, "interval": ConfidenceInterval(low=0.93, high=0.97)})
        if row.student == "reference"
        else row
        for row in results.students
    ]
    sentences = verdict(results.model_copy(update={"students": rows})).sentences
    assert "public solutions alone solves 95.0%" in sentences[-1]
    assert not any("public solutions" in sentence for sentence in verdict(results).sentences)
