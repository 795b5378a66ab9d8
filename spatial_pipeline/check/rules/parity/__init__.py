"""Checks against another delivery of the same data."""
