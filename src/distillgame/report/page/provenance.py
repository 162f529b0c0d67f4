"""The provenance of a page: its flags, the threat model, and how it was made."""

import json

from distillgame.markup import Html, element, joined, table
from distillgame.records import Results, ThreatModel
from distillgame.report.findings import name_of
from distillgame.stats import FLAGS


def flag_list(results: Results) -> Html:
    """Return every flag with its subject and its meaning."""
    if not results.flags:
        return element("p", "No flags: no check found anything suspicious.")
    names = {row.defense: name_of(row) for row in results.teachers}
    items = []
    for row in results.flags:
        about = " · ".join(filter(None, [names.get(row.defense or "", row.defense), row.student])) or "the whole game"
        title = [element("span", f"⚑ {row.flag.replace('_', ' ')}", class_="badge flag"), Html(" "), about]
        meaning = FLAGS[row.flag].meaning if row.flag in FLAGS else ""
        items += [element("dt", *title), element("dd", row.message, element("span", meaning, class_="small"))]
    return element("dl", *items, class_="flags")


def threat_models(results: Results) -> Html:
    """Return the table of what students of each level know and may do."""
    found: dict[str, tuple[ThreatModel, list[str]]] = {}
    for row in results.students:
        _, students = found.setdefault(row.threat_model.model_dump_json(), (row.threat_model, []))
        if row.label not in students:
            students.append(row.label)
    titles = ("level", "students", "sees", "traces per seed", "objective", "knows the proxy", "trains on solutions")
    head = [element("th", title, scope="col", class_="text") for title in (*titles, "starts from")]
    return table(head, [_threat(model, students) for model, students in found.values()], aria_label="Threat models")


def how_made(results: Results) -> Html:
    """Return the command, versions, hashes, seeds, task and the whole configuration."""
    first = results.teachers[0]
    models = [f"{name} {source}" for name, source in results.models.items() if source]
    kept = results.config.get("compute", {}).get("keep_students", True)  # as older runs did
    facts = {
        "command": results.command,
        "task": f"{results.task}, {results.split} split, {first.n:,} problems",
        "seeds": ", ".join(map(str, first.seeds)),
        "suite of students": results.students_played,
        "models": ", ".join(models),
        "trained students": "in stages/distill-*/model of the run's folder" if kept else "deleted once evaluated",
        "device": results.device,
        "versions": ", ".join(f"{name} {version}" for name, version in results.versions.items()),
        "hashes": ", ".join(f"{name} {value}" for name, value in results.hashes.items()),
    }
    listed = [joined(element("dt", name), element("dd", value)) for name, value in facts.items()]
    config = element("pre", json.dumps(results.config, indent=2, ensure_ascii=False), tabindex="0")
    return joined(
        element("dl", *listed, class_="facts"),
        element("h3", "What the attackers know"),
        threat_models(results),
        element("details", element("summary", "The whole configuration"), config),
    )


def _threat(model: ThreatModel, students: list[str]) -> Html:
    yes = {True: "yes", False: "no"}
    texts = [", ".join(students), model.sees, f"{model.queries:,}", model.objective or "none"]
    texts += [yes[model.knows_proxy], yes[model.trains_on_references], model.base_model]
    return element("tr", element("th", model.level, scope="row"),
                   *(element("td", text, class_="text") for text in texts))  # fmt: skip
