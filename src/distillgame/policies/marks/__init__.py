"""Marks: policies that let the owner's key recognise what was released, and what was trained on it."""

from distillgame.policies.marks.base import MarkPolicy
from distillgame.policies.marks.fingerprint import Fingerprint
from distillgame.policies.marks.keyed import Keyed
from distillgame.policies.marks.watermark import Watermark

__all__ = ["Fingerprint", "Keyed", "MarkPolicy", "Watermark"]
