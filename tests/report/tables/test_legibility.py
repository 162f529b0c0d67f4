from distillgame.report import (
    caption,
    cost_rows,
    header,
    legibility_header,
    legibility_rows,
    markdown_summary,
    rows,
)

from ..fixtures import game, judged


def test_the_main_table_gains_a_column_and_its_caption_says_by_whom() -> None:
    results = judged(game())
    assert [title for title in header(results) if title not in header(game())] == ["legible"]
    place = header(results).index("legible")
    assert [row[place] for row in rows(results)][:2] == ["5.00 ± 0.10", "4.67 ± 0.10"]
    assert "by checked" in caption(results)
    assert "auditability" not in caption(game())


def test_a_judges_table_has_shifts_criteria_and_what_was_not_scored() -> None:
    results = judged(game())
    titles = legibility_header(results, "checked")
    first, second, *_ = (dict(zip(titles, row, strict=True)) for row in legibility_rows(results, "checked"))
    assert first["against undefended"] == "–"
    assert second == {
        "policy": "temperature 1.15", "auditability": "4.67 (4.57 to 4.77)",
        "against undefended": "-0.33 (-0.43 to -0.23), p = .001", "right": "4.77", "wrong": "–", "true": "0.98",
        "not scored": "1",
    }  # fmt: skip
    assert legibility_rows(game(), "checked") == []


def test_a_judges_tokens_are_told_by_policy_and_add_up() -> None:
    results = judged(game())
    *policies, controls, together = cost_rows(results, "checked")
    assert policies[:2] == [["standard", "100", "1"], ["temperature 1.15", "101", "2"]]
    assert together == ["together", "1,200", "34"]
    for place in (1, 2):
        whole = int(together[place].replace(",", ""))
        assert sum(int(row[place].replace(",", "")) for row in [*policies, controls]) == whole
    assert results.legibility is not None
    about = results.legibility.judges[0].model_copy(update={"prompt_tokens": 0, "tokens": 0})
    program = results.model_copy(
        update={"legibility": results.legibility.model_copy(update={"judges": [about], "agreements": []})}
    )
    assert cost_rows(program, "checked") == cost_rows(game(), "checked") == []
    assert "tokens read" not in markdown_summary(program)


def test_the_summary_has_a_section_where_traces_were_judged() -> None:
    text = markdown_summary(judged(game()))
    assert "## Legibility" in text
    assert "- poe 0.5 vs ads 0.2: +0.33" in text
    assert "| together | 1,200 | 34 |" in text
    assert "- checked and because: alpha 0.50 (0.40 to 0.60), kappa 0.60 (0.50 to 0.70), 300 traces" in text
    assert "## Legibility" not in markdown_summary(game())
