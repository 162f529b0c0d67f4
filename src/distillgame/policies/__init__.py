"""Release policies: what the provider does to the teacher's distribution before sampling from it."""

from distillgame.policies.ads import AntidistillationSampling, PermutationSampling
from distillgame.policies.base import Experts, Knob, ReleasePolicy, make_policy, policies
from distillgame.policies.choices import Defense, PolicyChoice
from distillgame.policies.distribution import Distribution
from distillgame.policies.equilibrium import EquilibriumGap, EquilibriumGrad
from distillgame.policies.marks import Fingerprint, Keyed, MarkPolicy, Watermark
from distillgame.policies.poe import ProductOfExperts
from distillgame.policies.proxies import weighted_mean
from distillgame.policies.release import Release, release
from distillgame.policies.teacher_only import Standard, Temperature

__all__ = [
    "AntidistillationSampling",
    "Defense",
    "Distribution",
    "EquilibriumGap",
    "EquilibriumGrad",
    "Experts",
    "Fingerprint",
    "Keyed",
    "Knob",
    "MarkPolicy",
    "PermutationSampling",
    "PolicyChoice",
    "ProductOfExperts",
    "Release",
    "ReleasePolicy",
    "Standard",
    "Temperature",
    "Watermark",
    "make_policy",
    "policies",
    "release",
    "weighted_mean",
]
