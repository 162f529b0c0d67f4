"""Attribution: whose marked text a model was trained on, with p-values that allow for the number of keys."""

from distillgame.attribution.attribute import ALPHA, Attributor, bits_needed
from distillgame.attribution.files import from_data, read_positions, to_data, write_positions
from distillgame.attribution.owners import OF_THE_KEY, KeyFile, MarkChoice, OwnerKey, read_keys, require_different
from distillgame.attribution.positions import Position, Positions
from distillgame.attribution.preferences import read_samples, read_weights
from distillgame.attribution.reading import Reading, require_same_tokens
from distillgame.attribution.significance import UNUSED_KEYS, Nulls, Significance
from distillgame.attribution.statistics import GreenStatistic, RaceStatistic, Statistic, make_statistic

__all__ = [
    "ALPHA",
    "OF_THE_KEY",
    "UNUSED_KEYS",
    "Attributor",
    "GreenStatistic",
    "KeyFile",
    "MarkChoice",
    "Nulls",
    "OwnerKey",
    "Position",
    "Positions",
    "RaceStatistic",
    "Reading",
    "Significance",
    "Statistic",
    "bits_needed",
    "from_data",
    "make_statistic",
    "read_keys",
    "read_positions",
    "read_samples",
    "read_weights",
    "require_different",
    "require_same_tokens",
    "to_data",
    "write_positions",
]
