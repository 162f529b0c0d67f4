import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from distillgame.markup import Html, element, script_json
from distillgame.records import Results, ViewedProblem
from distillgame.report import render_page

from ..fixtures import DEFENSES, PLAIN, Attack, Defense, game, judged, opinions, problems

ATTACKS = [
    "</script><script>alert(1)</script>",
    "<!--",
    "-->",
    "]]>",
    "\u2028\u2029",
    "\"'`",
    "<img src=x onerror=alert(1)>",
    "$title ${data} {{x}}",
    "</style></title></pre>&lt;b&gt;",
    "javascript:alert(1)",
]
HOSTILE = "".join(ATTACKS)


class Read(HTMLParser):
    """Elements, attributes and text of a page, as a browser without scripts sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts.setdefault(self.inside[-1], []).append(data)


def hostile() -> tuple[Results, list[ViewedProblem]]:
    """A game in which every text that can come from elsewhere is an attack."""
    bad = Defense(HOSTILE, {HOSTILE: 0.5}, 0.8, 0.5, 0.7, 1.0, proxies={HOSTILE: 1.0}, form=HOSTILE)
    results = judged(game([*DEFENSES[:1], bad], [*PLAIN, Attack(HOSTILE, {HOSTILE: 2}, 0.5)]), HOSTILE, HOSTILE)
    flag = game().flags[0]
    wild = flag.model_copy(update=dict.fromkeys(("flag", "defense", "student", "message"), HOSTILE))
    results = results.model_copy(
        update={
            "command": HOSTILE, "task": HOSTILE, "split": HOSTILE, "device": HOSTILE, "suite": HOSTILE,
            "versions": {**results.versions, HOSTILE: HOSTILE}, "models": {HOSTILE: HOSTILE},
            "hashes": {HOSTILE: HOSTILE}, "config": {HOSTILE: [HOSTILE, 1]},
            "flags": [wild, wild.model_copy(update={"defense": bad.key})],
        }
    )  # fmt: skip
    viewed = [
        problem.model_copy(
            update={
                "id": HOSTILE, "question": HOSTILE, "reference": HOSTILE,
                "traces": [
                    trace.model_copy(update={"pieces": ATTACKS, "kl": [0.1] * len(ATTACKS), "answer": HOSTILE})
                    for trace in problem.traces
                ],
            }
        )
        for problem in opinions(problems([DEFENSES[0], bad]), HOSTILE, HOSTILE)
    ]  # fmt: skip
    return results, viewed


def test_no_text_becomes_markup() -> None:
    tame, wild = Read(render_page(judged(game()), opinions(problems()))), Read(render_page(*hostile()))
    assert {tag for tag, _ in wild.elements} <= {tag for tag, _ in tame.elements}
    assert [tag for tag, _ in wild.elements].count("script") == 2
    known = {name for _, attributes in tame.elements for name in attributes}
    assert {name for _, attributes in wild.elements for name in attributes} <= known
    assert not [name for name in known if name.startswith("on")]


def test_hostile_text_is_shown_as_it_is() -> None:
    results, viewed = hostile()
    read = Read(render_page(results, viewed))
    data, script = read.texts["script"]
    assert json.loads(data)["problems"] == [problem.model_dump() for problem in viewed]
    assert script == Read(render_page(game(), [])).texts["script"][1]
    assert json.loads("".join(read.texts["pre"])) == {HOSTILE: [HOSTILE, 1]}
    assert "".join(read.texts["title"]) == f"The distillation game on {HOSTILE}"


def test_the_policy_allows_this_script_alone_and_no_network() -> None:
    page = render_page(game(), problems())
    policy = next(a["content"] for tag, a in Read(page).elements if a.get("http-equiv") == "Content-Security-Policy")
    script = page[page.rindex("<script>") + len("<script>") : page.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    assert "innerHTML" not in script


@pytest.mark.parametrize("data", [*ATTACKS, HOSTILE])
def test_data_cannot_leave_its_script(data: str) -> None:
    text = script_json({"x": [data], data: 1})
    assert json.loads(text) == {"x": [data], data: 1}
    assert not set("<>&\u2028\u2029") & set(text)


def test_only_markup_is_put_in_as_it_is() -> None:
    assert element("p", "<b>", Html("<i></i>"), title='"', data_sort=None) == '<p title="&quot;">&lt;b&gt;<i></i></p>'


def body(page: str, table: str) -> list[list[str]]:
    """The cells of a table's body as text."""
    found = re.search(rf'<table[^>]*id="{table}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert found
    lines = found.group(1).split("</tr>")[:-1]
    return [
        [re.sub(r"<[^>]+>", " ", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", line)] for line in lines
    ]


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_main_table() -> None:
    page = render_page(game(), problems())
    cells = [[words(cell) for cell in line] for line in body(page, "defenses")]
    assert [line[0] for line in cells] == [
        "standard", "temperature 1.15 control", "poe 0.5", "ads 0.2 leaked least ⚑ edge of suite",
        "permutation 0.7 control",
    ]  # fmt: skip
    assert cells[0][6] == "+0.5 ± 1.2, not significant"
    assert cells[3][1:] == [
        "83.9 ± 0.9 82.1 to 85.7",
        "34.7 ± 1.5 31.7 to 37.7",
        "77.6 ± 1.5 74.6 to 80.6 adaptive eta=4",
        "75.5 ± 1.5 72.5 to 78.4 mixed share=0.1",
        "79.3 ± 1.5 76.4 to 82.3 proxy_aware eta=4",
        "+124% +117% to +130% +42.9 ± 1.2 points",
        "2.13",
        "100% student 100% 77.6 of those",
        "2.29×",
        "full",
    ]


def test_without_a_choice_the_table_says_so() -> None:
    page = render_page(game(students=PLAIN), [])
    assert "adaptive eta=4, not chosen on validation" in page
    assert "strongest, informed" not in page
    assert "No flags" in page
    assert "Defenses were not compared" in page


def test_all_students_under_all_defenses() -> None:
    lines = body(render_page(game(), []), "students")
    assert len(lines) == 15
    assert words(lines[3][0]) == "adaptive eta=4 text · standard v1"
    controls = ("untrained", "reference", "eta_zero", "shuffled eta=4", "oracle eta=4")
    assert [words(line[0]) for line in lines[-5:]] == [f"{name} control" for name in controls]
    assert lines[3][1:] == ["84.9", "84.1", "82.8", "77.6", "82.6"]
    assert render_page(game(), []).count("<strong>") == 3 * 5


def test_curves_and_queries_appear_where_there_are_several() -> None:
    one = render_page(game(), [])
    assert "lies an area of" not in one
    assert "More traces" not in one
    weaker = Defense("poe", {"gamma": 0.3}, 0.91, 0.66, 0.838)
    several = render_page(game([*DEFENSES, weaker], queries=(250, 1500)), [])
    assert "Between the curves of poe&#x27;s passive and strongest students lies an area of" in several
    assert "More traces, more leakage?" in several


def test_a_page_says_how_it_was_made() -> None:
    page = render_page(game(), [])
    for text in ("distillgame play suite --out runs/suite", "torch 2.9.0", "problems 5e1fa3c20b7d", "standard v1"):
        assert text in page
    made: Any = re.search(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert "&quot;temperature&quot;: 0.6" in made.group(1)


@pytest.mark.parametrize(("kept", "said"), [(True, "in stages/distill-*/model"), (False, "deleted once evaluated")])
def test_the_page_says_where_trained_students_are(kept: bool, said: str) -> None:
    results = game()
    config = results.config | {"compute": {"keep_students": kept}}
    assert said in render_page(results.model_copy(update={"config": config}), problems())


def test_legibility_has_a_column_a_figure_and_a_section() -> None:
    page, without = render_page(judged(game()), problems()), render_page(game(), problems())
    assert "Still worth reading?" in page
    assert "Still worth reading?" not in without
    assert "legible" in "".join(Read(page).texts["button"])
    assert "legible" not in "".join(Read(without).texts["button"])
    first = body(page, "defenses")[0]
    assert "5.00 4.90 to 5.10" in first
    assert 'id="third-axis"' in page
    assert 'id="third-axis"' not in without
    for said in ("not scored: 1 refused", "p = .001", "not beyond chance", "12% rise by a level", "alpha 0.50"):
        assert said in page, said
