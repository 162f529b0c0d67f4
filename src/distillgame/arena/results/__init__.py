"""What a game found: rows, flags, the traces of the viewer, and the files that hold them."""
