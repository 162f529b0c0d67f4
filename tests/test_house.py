"""Each room may use only rooms on the floors below it (DESIGN, section 4)."""

import ast
from pathlib import Path

import pytest

import distillgame

SOURCE = Path(distillgame.__file__).parent

FLOORS = [
    {"game"},
    {"stats", "records"},
    {"models", "tasks"},
    {"values"},
    {"policies"},
    {"decoding"},
    {"students"},
    {"worlds", "judge"},
    {"report", "gateway"},
    {"arena"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def imported_rooms(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    rooms = {name.split(".")[1] for name in names if name.startswith("distillgame.")}
    return rooms & set(FLOOR)


@pytest.mark.parametrize(
    "room", sorted(p.name for p in SOURCE.iterdir() if p.is_dir() and (p / "__init__.py").exists())
)
def test_a_room_uses_only_floors_below(room: str) -> None:
    for path in (SOURCE / room).rglob("*.py"):
        for other in imported_rooms(path) - {room}:
            assert FLOOR[other] < FLOOR[room], f"{path.relative_to(SOURCE)} uses {other}"


def test_files_hold_one_idea() -> None:
    for path in SOURCE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 300, path
