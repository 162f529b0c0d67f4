"""The owner's configuration of a server."""
