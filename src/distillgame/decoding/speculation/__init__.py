"""The number of tokens that the proxies draft ahead: measured costs of passes, and the choice made from them."""

from distillgame.decoding.speculation.calibration import Calibration, calibrate
from distillgame.decoding.speculation.drafter import MAX_DRAFTS, Drafter

__all__ = ["MAX_DRAFTS", "Calibration", "Drafter", "calibrate"]
