"""Drawing tokens from what is released: random streams, truncation, acceptance of drafts, measurements."""

from distillgame.decoding.drawing.chooser import Chooser, Decision, Decisions, Proposal
from distillgame.decoding.drawing.race import race
from distillgame.decoding.drawing.streams import policy_keys, uniforms

__all__ = ["Chooser", "Decision", "Decisions", "Proposal", "policy_keys", "race", "uniforms"]
