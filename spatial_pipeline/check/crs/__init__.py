"""Transformations and the areas of use of coordinate reference systems."""
