"""The stages of the provider and of its server: sample, release, take gradients, measure."""
