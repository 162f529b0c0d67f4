"""The embedded world: its task, the recipe of its models, and their training."""
