import pytest
from pydantic import Field

from distillgame.errors import DistillgameError
from distillgame.strict import Strict, parse


class Inner(Strict):
    temperature: float = Field(0.6, ge=0)


class Outer(Strict):
    inner: Inner = Inner()
    name: str


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"nam": "x"}, "file.yaml: unknown key 'nam'"),
        ({"name": "x", "extra": 1}, "file.yaml: unknown key 'extra': choose among inner, name"),
        ({"name": "x", "inner": {"temprature": 1}}, "file.yaml: unknown key 'inner.temprature'"),
        (
            {"name": "x", "inner": {"temperature": -1}},
            "file.yaml: 'inner.temperature': input should be greater than or equal to 0 (found -1)",
        ),
        ({"name": "x", "inner": {"temperature": "hot"}}, "(found 'hot')"),
        ({"name": "x", "inner": {"temperature": float("inf")}}, "file.yaml: 'inner.temperature'"),
    ],
)
def test_the_first_wrong_field_is_named_in_one_line(data: dict[str, object], message: str) -> None:
    with pytest.raises(DistillgameError) as caught:
        parse(Outer, data, "file.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
