"""The configuration of a game: its schema, and how it is read."""
