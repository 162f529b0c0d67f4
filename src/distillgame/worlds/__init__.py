"""The embedded world: its task, its recipe, its training."""
