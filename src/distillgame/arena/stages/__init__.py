"""The stages of a game."""

from distillgame.arena.stages.attribution.answer import AnswerStage
from distillgame.arena.stages.attribution.diet import DietStage, PortionStage
from distillgame.arena.stages.attribution.read import POSITIONS, ReadStage
from distillgame.arena.stages.base import STAGES, Stage, StageContext, library_versions, stage_from_spec, vllm_version
from distillgame.arena.stages.engine import PROCESSORS, close_vllm
from distillgame.arena.stages.inputs import (
    GRADIENT,
    MODEL,
    REPORT,
    TRACES,
    GradientStage,
    TracesStage,
    TrainingStage,
    read_report,
)
from distillgame.arena.stages.judging.judge import JUDGED, JudgeStage, judged_exhibit
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.sampling.ask import AskStage
from distillgame.arena.stages.sampling.cost import COSTS, CostStage
from distillgame.arena.stages.sampling.form import FormStage, WritingCosts, WrittenFormStage
from distillgame.arena.stages.sampling.gradient import ProxyGradientStage
from distillgame.arena.stages.sampling.green import GreenGradientStage
from distillgame.arena.stages.sampling.precision import PrecisionStage, read_precisions
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.arena.stages.sampling.value import ValueStage, read_values
from distillgame.arena.stages.training.appraise import AppraisalStage, read_appraisal
from distillgame.arena.stages.training.distill import DistillStage
from distillgame.arena.stages.training.given import GivenStage
from distillgame.arena.stages.training.invert import ExpandStage, InverterStage
from distillgame.arena.stages.training.probe import ProbedFacts, ProbeStage, read_probes
from distillgame.arena.stages.training.rewrite import RetellStage, RewriteStage
from distillgame.arena.stages.writer import author_of

__all__ = [
    "COSTS",
    "GRADIENT",
    "JUDGED",
    "MODEL",
    "POSITIONS",
    "PROCESSORS",
    "REPORT",
    "STAGES",
    "TRACES",
    "AnswerStage",
    "AppraisalStage",
    "AskStage",
    "CostStage",
    "DietStage",
    "DistillStage",
    "ExpandStage",
    "FormStage",
    "GivenStage",
    "GradientStage",
    "GreenGradientStage",
    "InverterStage",
    "JudgeStage",
    "Model",
    "PortionStage",
    "PrecisionStage",
    "ProbeStage",
    "ProbedFacts",
    "ProblemSet",
    "ProxyGradientStage",
    "ReadStage",
    "RetellStage",
    "RewriteStage",
    "SampleStage",
    "Stage",
    "StageContext",
    "TracesStage",
    "TrainingStage",
    "ValueStage",
    "WritingCosts",
    "WrittenFormStage",
    "author_of",
    "close_vllm",
    "judged_exhibit",
    "library_versions",
    "read_appraisal",
    "read_precisions",
    "read_probes",
    "read_report",
    "read_values",
    "stage_from_spec",
    "vllm_version",
]
