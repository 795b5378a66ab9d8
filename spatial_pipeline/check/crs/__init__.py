"""Transformations and areas of use of coordinate reference systems. Comparison is in ``model``."""
