"""The parcels of ``schema_location`` with the alerts about them."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.orchestration.operations import operations_definitions
from spatial_pipeline_tests.orchestration import schema_location


def load() -> dg.Definitions:
    """The dataset as its contract is now, and the sensor that tells people."""
    # No schedules: of them Dagster reads a property that it deprecated.
    operations = OperationsContract.model_validate(
        {
            "alerts": {"interval_s": 30, "retry_after_s": 0},
            "inventory": None,
            "retention": None,
        }
    )
    return dg.Definitions.merge(schema_location.load(), operations_definitions(operations))
