"""Who may be served, and under which policy."""
