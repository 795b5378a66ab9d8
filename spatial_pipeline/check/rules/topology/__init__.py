"""Checks of how features lie to each other."""
