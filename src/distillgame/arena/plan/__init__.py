"""From a configuration to the stages that play it: who plays whom, and which stages that takes."""

from distillgame.arena.plan.eligibility import lacking, share_vocabulary
from distillgame.arena.plan.game_plan import GamePlan, PlannedRelease, PlannedStudent, PlannedTeacher
from distillgame.arena.plan.lineup import TEST, VALIDATION, Lineup, Round
from distillgame.arena.plan.pairs import pairs, rungs
from distillgame.arena.plan.planner import Planner
from distillgame.arena.plan.provider import STANDARD, VIEWED, Provider, in_epoch
from distillgame.arena.plan.targets import DefenseTarget, GivenTarget, Target

__all__ = [
    "STANDARD",
    "TEST",
    "VALIDATION",
    "VIEWED",
    "DefenseTarget",
    "GamePlan",
    "GivenTarget",
    "Lineup",
    "PlannedRelease",
    "PlannedStudent",
    "PlannedTeacher",
    "Planner",
    "Provider",
    "Round",
    "Target",
    "in_epoch",
    "lacking",
    "pairs",
    "rungs",
    "share_vocabulary",
]
