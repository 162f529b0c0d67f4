"""The stages of a game."""

from typing import Any

from distillgame.arena.stages.base import Model, Stage, StageContext, library_versions
from distillgame.arena.stages.cost import COSTS, CostStage
from distillgame.arena.stages.distill import DistillStage, read_report
from distillgame.arena.stages.form import FormStage
from distillgame.arena.stages.given import GivenStage
from distillgame.arena.stages.gradient import GradientStage
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.rewrite import RewriteStage, Source
from distillgame.arena.stages.sample import GRADIENT, TRACES, SampleStage
from distillgame.arena.stages.value import ValueStage, read_values

SampleStage.model_rebuild(_types_namespace={"DistillStage": DistillStage, "GradientStage": GradientStage})

for _stage in (FormStage, RewriteStage, DistillStage):
    _stage.model_rebuild()

STAGES: dict[str, type[Stage]] = {
    stage.kind: stage
    for stage in (SampleStage, GradientStage, FormStage, GivenStage, RewriteStage, DistillStage, CostStage, ValueStage)
}
"""All kinds of stage, by name."""


def stage_from_spec(spec: dict[str, Any]) -> Stage:
    """Rebuild a stage from :meth:`Stage.spec`."""
    fields = {name: value for name, value in spec.items() if name != "kind"}
    return STAGES[spec["kind"]].model_validate(fields)


__all__ = [
    "COSTS",
    "GRADIENT",
    "TRACES",
    "CostStage",
    "DistillStage",
    "FormStage",
    "GivenStage",
    "GradientStage",
    "Model",
    "ProblemSet",
    "RewriteStage",
    "SampleStage",
    "Source",
    "Stage",
    "StageContext",
    "ValueStage",
    "library_versions",
    "read_report",
    "read_values",
    "stage_from_spec",
]
