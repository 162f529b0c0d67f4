"""Stages are computed here: scheduled, run by worker processes, stored, shown."""
