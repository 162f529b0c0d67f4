"""Strict configuration objects: unknown keys are errors, and an error is one line that names the field."""

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from distillgame.errors import DistillgameError

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """A frozen pydantic model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    def __copy__(self) -> Self:
        # Cached properties belong to the original: `model_copy` may change what they were computed from.
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def parse(schema: type[M], data: Mapping[str, Any], where: str) -> M:
    """Validate ``data`` against ``schema``.

    Args:
        schema: The pydantic model.
        data: Plain data, as read from YAML or JSON.
        where: The file or option the data came from, for messages.

    Raises:
        DistillgameError: Naming the first field that is wrong, what was found there, and how many more are wrong.
    """
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        raise DistillgameError(f"{where}: {_describe(schema, error)}") from error
    except DistillgameError as error:
        raise DistillgameError(f"{where}: {error}") from error


def _describe(schema: type[BaseModel], error: ValidationError) -> str:
    # A key that is misspelt is missing as well; what is wrong is the spelling.
    problems = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    field = ".".join(str(part) for part in first["loc"]) or "the document"
    if first["type"] == "extra_forbidden":
        text = f"unknown key '{field}'"
        if len(first["loc"]) == 1:
            text += f": choose among {', '.join(sorted(_keys(schema)))}"
    elif first["type"] == "missing":
        text = f"'{field}' is missing"
    else:
        message = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        found = first.get("input")
        shown = f" (found {found!r})" if isinstance(found, str | int | float | bool | type(None)) else ""
        text = f"{message[:1].lower()}{message[1:]}{shown}"
        text = f"'{field}': {text}" if first["loc"] else text
    more = len(problems) - 1
    return text + (f" (and {more} more)" if more else "")


def _keys(schema: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in schema.model_fields.items()]
