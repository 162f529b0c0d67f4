"""Attribution: of a suspect, and as a game in which suspects are made and washed."""

from distillgame.arena.attribution.evidence import EVIDENCE, Evidence, check_evidence
from distillgame.arena.attribution.game import RESULTS, play_attribution
from distillgame.arena.attribution.keys import load_keys
from distillgame.arena.attribution.suspect import Case, attribute

__all__ = ["EVIDENCE", "RESULTS", "Case", "Evidence", "attribute", "check_evidence", "load_keys", "play_attribution"]
