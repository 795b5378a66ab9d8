"""Coordinate reference systems: whether two of them mean the same. No input or output."""
