"""Models as stages refer to them."""

from distillgame.arena.stages import Model
from distillgame.models import CacheShape, ModelSpec


def test_a_stated_shape_of_the_cache_makes_no_other_stage() -> None:
    spec = ModelSpec(source="embedded:proxy", cache=CacheShape(layers=9, heads=9, size=9))
    plain = Model.of(ModelSpec(source="embedded:proxy")).model_dump_json()
    assert Model.of(spec).model_dump_json() == plain
    assert Model.model_validate_json(plain).model_dump_json() == plain
