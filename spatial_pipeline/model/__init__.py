"""Values that travel between the stages, and pure functions of them. No I/O."""
