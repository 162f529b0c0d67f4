"""The stages of judges."""
