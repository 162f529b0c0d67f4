"""A game as stages: sample, distill, evaluate; planned, scheduled, stored, resumed, collected."""

from distillgame.arena.config import GameConfig, load_config
from distillgame.arena.play import play

__all__ = ["GameConfig", "load_config", "play"]
