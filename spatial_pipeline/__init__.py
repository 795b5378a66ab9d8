"""Spatial data contracts for Dagster: nothing unproven reaches a reader."""
