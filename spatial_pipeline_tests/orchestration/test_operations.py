"""The operations component in a Dagster project."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from spatial_pipeline.contract.operations import OperationsContract as Model
from spatial_pipeline.orchestration.inventory import _when
from spatial_pipeline.orchestration.operations import Operations, operations_definitions


def test_what_the_component_makes() -> None:
    made = operations_definitions(Model())
    dg.Definitions.validate_loadable(made)
    repository = made.get_repository_def()
    sensor = repository.get_sensor_def("alerts")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    schedule = repository.get_schedule_def("inventory_schedule")
    assert schedule.cron_schedule == "0 6 * * *"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert [k.to_user_string() for k in made.resolve_asset_graph().asset_check_keys] == [
        "operations/inventory:nothing_held"
    ]


def test_nothing_that_is_not_wanted() -> None:
    nothing = operations_definitions(
        Model(alerts=None, inventory=None, retention=None)
    ).get_repository_def()
    # Runs that died are ended whoever is told.
    assert [s.name for s in nothing.sensor_defs] == ["dead_runs"]
    assert not nothing.assets_defs_by_key


def test_the_schema_is_the_models() -> None:
    # Another test may have reconstructed definitions in this process.
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)):
        assert Operations.get_model_cls().model_json_schema() == Model.model_json_schema()


def test_times_are_for_people() -> None:
    assert _when("2026-11-23T08:13:03+00:00") == "2026-11-23 08:13 UTC"
    assert _when("2026-11-23T09:13:03+01:00") == "2026-11-23 08:13 UTC"
