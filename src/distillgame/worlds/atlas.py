"""The embedded worlds by name."""

from distillgame.worlds.base import World
from distillgame.worlds.bestiary.task import BestiaryWorld
from distillgame.worlds.leg_counting import LegCountingWorld

WORLDS: dict[str, World] = {world.name: world for world in (LegCountingWorld(), BestiaryWorld())}
