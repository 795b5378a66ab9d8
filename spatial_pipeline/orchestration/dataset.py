"""Assembles the Dagster definitions of one dataset from its contract."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.orchestration.assets import published_asset, source_spec, staged_asset
from spatial_pipeline.orchestration.automation import automation_sensor
from spatial_pipeline.orchestration.backfill.schema_sensor import schema_sensor_of
from spatial_pipeline.orchestration.checks import checks_op
from spatial_pipeline.orchestration.comparison import comparison_spec
from spatial_pipeline.orchestration.ordered_schedule import ordered_schedule
from spatial_pipeline.orchestration.resources import RESOURCES
from spatial_pipeline.orchestration.schedules import job_of, schedule_of
from spatial_pipeline.orchestration.sensors import source_sensor
from spatial_pipeline.orchestration.small_runs import remember_steps


def dataset_definitions(contract: Contract) -> dg.Definitions:
    """Source, staged, one check op and published of one dataset, with schedule and sensors."""
    remember_steps(contract)
    job = job_of(contract)
    schedule = schedule_of(contract, job)
    sensors = (
        source_sensor(contract, job),
        schema_sensor_of(contract),
        automation_sensor(contract),
        ordered_schedule(contract, job),
    )
    comparison = comparison_spec(contract)
    external = [source_spec(contract), *([] if comparison is None else [comparison])]
    return dg.Definitions(
        assets=[
            # Dagster would gather the specs of all datasets in one definition, and hand all of
            # them to the job of each.
            *(dg.AssetsDefinition(specs=[spec]) for spec in external),
            staged_asset(contract),
            published_asset(contract),
        ],
        asset_checks=[checks_op(contract)],
        jobs=[job],
        schedules=[schedule] if schedule is not None else [],
        sensors=[s for s in sensors if s is not None],
        resources=RESOURCES,
    )
