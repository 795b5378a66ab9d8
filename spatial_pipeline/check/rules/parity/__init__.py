"""Rules that compare with another delivery of the same data."""
