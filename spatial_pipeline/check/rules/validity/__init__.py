"""Checks of single geometries and pixels."""
