"""A game as stages: sample, distill, evaluate; planned, scheduled, stored, resumed, collected."""

from distillgame.arena.config import GameConfig, load_config
from distillgame.arena.play import play
from distillgame.arena.sweep import attack, sweep

__all__ = ["GameConfig", "attack", "load_config", "play", "sweep"]
