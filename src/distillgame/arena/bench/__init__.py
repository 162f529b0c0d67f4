"""What a defense costs in time, measured: this engine, its floors, and what a user would write with transformers."""
