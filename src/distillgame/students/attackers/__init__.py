"""The built-in students, one file per family; importing this package registers them."""

from distillgame.students.attackers.assisted import Curriculum, Mixed, Paraphrased, Reconstructed
from distillgame.students.attackers.comparing import Deduplicated, Majority
from distillgame.students.attackers.composing import Composed
from distillgame.students.attackers.controls import EtaZero, Oracle, Reference, Shuffled, Untrained
from distillgame.students.attackers.informed import Logit, ProxyAware
from distillgame.students.attackers.inverting import Inverted
from distillgame.students.attackers.phased import Primed, TwoPhase
from distillgame.students.attackers.querying import OnPolicy, Preferring
from distillgame.students.attackers.retelling import Retold
from distillgame.students.attackers.selecting import AnswerOnly, BestOfK, Filter, LossMasked, Truncated, Verified
from distillgame.students.attackers.weighing import Adaptive, AdaptiveOnce, Passive

__all__ = [
    "Adaptive",
    "AdaptiveOnce",
    "AnswerOnly",
    "BestOfK",
    "Composed",
    "Curriculum",
    "Deduplicated",
    "EtaZero",
    "Filter",
    "Inverted",
    "Logit",
    "LossMasked",
    "Majority",
    "Mixed",
    "OnPolicy",
    "Oracle",
    "Paraphrased",
    "Passive",
    "Preferring",
    "Primed",
    "ProxyAware",
    "Reconstructed",
    "Reference",
    "Retold",
    "Shuffled",
    "Truncated",
    "TwoPhase",
    "Untrained",
    "Verified",
]
