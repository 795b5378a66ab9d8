"""Assertions and a PostGIS server for tests of spatial data."""

from spatial_pipeline.runtime.event_loop import offload
from spatial_pipeline.testing.rules import check_rules, check_rules_async

__all__ = ["check_rules", "check_rules_async", "offload"]
