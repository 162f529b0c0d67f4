"""Each room may use only rooms on the floors below it, and no modules import each other in a circle.

``docs/architecture.md`` draws the same floors. A name that is missing here, or that no longer exists, fails the test.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import distillgame

SOURCE = Path(distillgame.__file__).parent

FLOORS: dict[str, list[set[str]]] = {
    "": [
        {"__main__"},
        {"cli"},
        {"arena"},
        {"report", "gateway"},
        {"worlds"},
        {"students", "judges", "attribution"},
        {"writers", "vllm"},
        {"decoding"},
        {"policies"},
        {"values"},
        {"models", "tasks"},
        {"stats", "records"},
        {"game"},
        {"choices", "markup"},
        {"documents", "registry", "strict", "tables"},
        {"errors", "fork_server", "process", "seeding"},
    ],
    "arena": [
        {"judging", "sweep"},
        {"attribution", "dry_run", "one_stage", "play", "solve", "tune", "values"},
        {"validate", "memory", "hours"},
        {"operations"},
        {"bench", "calibrate"},
        {"results", "precision"},
        {"plan"},
        {"run"},
        {"engines"},
        {"store"},
        {"stages"},
        {"config"},
    ],
    "gateway": [
        {"web", "dry_run"},
        {"exchange", "owner"},
        {"access"},
        {"api"},
        {"backends"},
        {"config"},
        {"ledger"},
        {"errors", "telemetry"},
        {"ids"},
    ],
    "report": [{"page", "studies", "tables"}, {"figures"}, {"findings"}],
    "judges": [{"anchors", "checked", "labelling", "rubric"}, {"harm", "labels"}, {"blinding"}, {"base"}],
    "students": [{"suites"}, {"attackers", "training"}, {"valuation"}, {"base"}, {"lessons"}, {"supplies"}],
    "decoding": [{"engine", "precision"}, {"batching", "speculation"}, {"drawing", "networks"}, {"request"}],
    "worlds": [
        {"build"},
        {"assess", "predictors", "training"},
        {"atlas", "muon", "recipes", "tokenizers"},
        {"bestiary", "leg_counting", "recipe"},
        {"base"},
        {"notation"},
    ],
    "tasks": [{"benchmarks", "splits"}, {"base"}, {"notation"}, {"grading", "knowledge"}, {"sandbox"}],
}
"""For the package and for each room that has rooms of its own: its members, top to bottom."""

LONGEST_BODY = 50
"""Lines of a function, its docstring and decorators aside."""

LONGEST_FILE = 300


@cache
def modules() -> dict[str, Path]:
    """All modules of the package, by dotted name without ``distillgame``; the package itself is the empty name."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def uses(module: str) -> frozenset[str]:
    """The modules that a module imports, at its top or where it needs them."""
    found = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            is_module = {name for name in inner if name.removeprefix("distillgame.") in modules()}
            found |= is_module or {node.module}
    ours = {name.removeprefix("distillgame").removeprefix(".") for name in found if name.split(".")[0] == "distillgame"}
    return frozenset(ours & set(modules()) - {module})


def member(module: str, room: str) -> str | None:
    """The member of a room that a module belongs to; None for the room's face and for modules elsewhere."""
    inside = module if not room else module.removeprefix(f"{room}.") if module.startswith(f"{room}.") else ""
    return inside.split(".")[0] or None


@pytest.mark.parametrize("room", FLOORS)
def test_every_member_of_a_room_has_a_floor(room: str) -> None:
    found = {member(module, room) for module in modules()} - {None}
    assert found == set().union(*FLOORS[room])


@pytest.mark.parametrize("room", FLOORS)
def test_members_use_only_floors_below(room: str) -> None:
    floor = {name: -number for number, names in enumerate(FLOORS[room]) for name in names}
    for module in modules():
        user = member(module, room)
        for used in sorted(uses(module)):
            other = member(used, room)
            if user is not None and other is not None and other != user:
                assert floor[other] < floor[user], f"{module} uses {used}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for used in sorted(uses(module)):
                visit(used, (*above, module))
            done.add(module)

    for module in modules():
        visit(module, ())


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


def test_functions_are_short() -> None:
    for module, function in functions():
        first, *rest = function.body
        body = rest if ast.get_docstring(function) is not None else [first, *rest]
        if body:
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            assert lines <= LONGEST_BODY, f"{module}.{function.name} has {lines} lines"


def test_files_hold_one_idea() -> None:
    for module, path in modules().items():
        assert len(path.read_text().splitlines()) <= LONGEST_FILE, module


def test_docstrings_name_the_thing() -> None:
    """A docstring says what a thing is or does; one that opens with "What" only asks."""
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                opening = (ast.get_docstring(node) or "").split(" ")[0]
                name = getattr(node, "name", "")
                assert opening not in ("What", "Whether", "How", "Who", "Whose"), f"{module} {name}"
