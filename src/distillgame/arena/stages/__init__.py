"""The stages of a game."""

from typing import Any

from distillgame.arena.stages.base import Model, Stage, StageContext, library_versions
from distillgame.arena.stages.cost import COSTS, CostStage
from distillgame.arena.stages.distill import DistillStage
from distillgame.arena.stages.gradient import GradientStage
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.sample import GRADIENT, TRACES, SampleStage

SampleStage.model_rebuild(_types_namespace={"DistillStage": DistillStage, "GradientStage": GradientStage})

STAGES: dict[str, type[Stage]] = {stage.kind: stage for stage in (SampleStage, GradientStage, DistillStage, CostStage)}
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
    "GradientStage",
    "Model",
    "ProblemSet",
    "SampleStage",
    "Stage",
    "StageContext",
    "library_versions",
    "stage_from_spec",
]
