import pytest

from distillgame.errors import DistillgameError
from distillgame.registry import Registry


def test_a_decorated_factory_is_found_by_name() -> None:
    registry: Registry[list[int]] = Registry("thing", "distillgame.test")
    registry.register("one")(lambda: [1])
    assert registry.get("one")() == [1]
    assert registry.names() == ["one"]


def test_unknown_names_list_the_known_ones() -> None:
    registry: Registry[int] = Registry("thing", "distillgame.test")
    registry.register("b")(int)
    registry.register("a")(int)
    with pytest.raises(DistillgameError, match="unknown thing 'c': choose one of a, b"):
        registry.get("c")


def test_a_name_is_given_once() -> None:
    registry: Registry[int] = Registry("thing", "distillgame.test")
    registry.register("a")(int)
    with pytest.raises(DistillgameError, match="thing 'a' is registered twice"):
        registry.register("a")(float)


def test_an_option_may_be_called_like_a_keyword() -> None:
    def thing(lambda_: float, other: float = 0.0) -> tuple[float, float]:
        return lambda_, other

    registry: Registry[tuple[float, float]] = Registry("thing", "distillgame.test")
    registry.register("a")(thing)
    assert registry.make("a", {"lambda": 0.5}) == (0.5, 0.0)
    for options, message in (
        ({"lambda": "x"}, "thing 'a': lambda: input should be a valid number"),
        ({"lambda_": 0.5}, r"unknown option 'lambda_' \(its options: lambda, other\)"),
        ({}, "missing 1 required positional argument: 'lambda'"),
    ):
        with pytest.raises(DistillgameError, match=message):
            registry.make("a", options)


def test_entry_points_of_installed_packages_are_found() -> None:
    from distillgame.tasks import tasks

    assert "leg_counting" in tasks.names()
    assert type(tasks.get("leg_counting")()).__name__ == "LegCounting"


def test_an_entry_point_that_cannot_be_loaded_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint, EntryPoints

    point = EntryPoint("broken", "no_such_package.module:Thing", "distillgame.test")
    monkeypatch.setattr("distillgame.registry.entry_points", lambda **_: EntryPoints([point]))
    registry: Registry[int] = Registry("thing", "distillgame.test")
    with pytest.raises(DistillgameError, match="thing 'broken' cannot be loaded from no_such_package"):
        registry.get("broken")
