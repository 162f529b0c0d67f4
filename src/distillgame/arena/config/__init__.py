"""The configuration of a game: its schema, and how it is read."""

from distillgame.arena.config.attribution import AttributionSettings, EvidenceKind, Suspect
from distillgame.arena.config.game import DEFAULT, GameConfig, require_proxies
from distillgame.arena.config.generation import Generation
from distillgame.arena.config.load import default_folder, load_config
from distillgame.arena.config.sections import Compute, CostSettings, Resources

__all__ = [
    "DEFAULT",
    "AttributionSettings",
    "Compute",
    "CostSettings",
    "EvidenceKind",
    "GameConfig",
    "Generation",
    "Resources",
    "Suspect",
    "default_folder",
    "load_config",
    "require_proxies",
]
