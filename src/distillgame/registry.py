"""Named factories: policies, students and tasks register by decorator or by entry point."""

import inspect
import keyword
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from distillgame.errors import DistillgameError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[T]):
    """A table from a name to a factory of ``T``.

    Attributes:
        kind: What is registered, for messages (``"policy"``).
        group: The entry-point group from which other packages' factories are loaded (``"distillgame.policies"``).
    """

    def __init__(self, kind: str, group: str):
        self.kind = kind
        self.group = group
        self._factories: dict[str, Callable[..., T]] = {}

    def register(self, name: str) -> Callable[[F], F]:
        """Register the decorated class or function under ``name``.

        Raises:
            DistillgameError: If another factory has the name.
        """

        def decorate(factory: F) -> F:
            if self._factories.setdefault(name, factory) is not factory:
                raise DistillgameError(f"{self.kind} '{name}' is registered twice: choose another name")
            return factory

        return decorate

    def names(self) -> list[str]:
        """All names that :meth:`get` accepts, in alphabetical order."""
        return sorted({*self._factories, *(point.name for point in entry_points(group=self.group))})

    def make(self, name: str, options: Mapping[str, Any]) -> T:
        """Call the factory registered under ``name``, its options checked against its annotations.

        An option whose name is a Python keyword sets the parameter with an underscore after it (``lambda`` sets
        ``lambda_``).

        Raises:
            DistillgameError: If there is no such factory, or an option's name, type or value is not acceptable.
        """
        factory = self.get(name)
        where = f"{self.kind} '{name}'"
        parameters = {option_name(p.name): p for p in inspect.signature(factory, eval_str=True).parameters.values()}
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        arguments = {}
        for option, value in options.items():
            if option in parameters:
                _check_type(value, parameters[option].annotation, f"{where}: {option}")
                arguments[parameters[option].name] = value
            elif takes_any:
                arguments[option] = value
            else:
                known = ", ".join(parameters) or "none"
                raise DistillgameError(f"{where}: unknown option '{option}' (its options: {known})")
        try:
            return factory(**arguments)
        except TypeError as error:
            said = str(error).split("__init__() ")[-1]
            for option, parameter in parameters.items():
                said = said.replace(f"'{parameter.name}'", f"'{option}'")
            raise DistillgameError(f"{where}: {said}") from error

    def get(self, name: str) -> Callable[..., T]:
        """Return the factory registered under ``name``.

        Raises:
            DistillgameError: If there is none, or if its package cannot be imported.
        """
        if name in self._factories:
            return self._factories[name]
        for point in entry_points(group=self.group, name=name):
            try:
                factory: Callable[..., T] = point.load()
            except (ImportError, AttributeError) as error:
                raise DistillgameError(f"{self.kind} '{name}' cannot be loaded from {point.value}: {error}") from error
            return self._factories.setdefault(name, factory)
        raise DistillgameError(f"unknown {self.kind} '{name}': choose one of {', '.join(self.names())}")


def option_name(parameter: str) -> str:
    """Return the name of the option that sets a parameter: ``lambda`` for ``lambda_``, ``gamma`` for ``gamma``."""
    plain = parameter.removesuffix("_")
    return plain if keyword.iskeyword(plain) else parameter


def _check_type(value: object, hint: Any, where: str) -> None:
    if hint is inspect.Parameter.empty:
        return
    try:
        TypeAdapter(hint).validate_python(value, strict=True)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise DistillgameError(f"{where}: {message[:1].lower()}{message[1:]} (found {value!r})") from error
