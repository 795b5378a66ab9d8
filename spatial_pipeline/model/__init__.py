"""Values that travel between the stages, and pure functions of them: no input, no output."""
