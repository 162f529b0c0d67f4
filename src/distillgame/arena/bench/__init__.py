"""The time that a defense costs: this engine, against its floors and against plain transformers."""
