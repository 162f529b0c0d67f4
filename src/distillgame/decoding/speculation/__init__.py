"""The number of tokens that the proxies draft ahead: measured costs of passes, and the choice made from them."""

from distillgame.decoding.speculation.calibration import WIDTHS, Calibration, calibrate, pass_seconds
from distillgame.decoding.speculation.drafter import MAX_DRAFTS, Drafter

__all__ = ["MAX_DRAFTS", "WIDTHS", "Calibration", "Drafter", "calibrate", "pass_seconds"]
