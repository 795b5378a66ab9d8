"""What a team uses in the tests of its own spatial data."""

from spatial_pipeline.runtime.event_loop import offload
from spatial_pipeline.testing.rules import check_rules, check_rules_async

__all__ = ["check_rules", "check_rules_async", "offload"]
