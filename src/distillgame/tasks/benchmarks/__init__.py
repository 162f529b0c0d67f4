"""The built-in tasks; importing this package registers them."""

from distillgame.tasks.benchmarks.gsm8k import Gsm8k
from distillgame.tasks.benchmarks.gym import ReasoningGym
from distillgame.tasks.benchmarks.math_problems import Math
from distillgame.tasks.benchmarks.mmlu import Mmlu

__all__ = ["Gsm8k", "Math", "Mmlu", "ReasoningGym"]
