"""``SPATIAL_AUTOSTART=false``: nothing of a code location starts by itself."""

from __future__ import annotations

import dagster as dg
import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.operations import operations_definitions


def location() -> dg.RepositoryDefinition:
    """Everything that a contract and the operations can start by themselves."""
    every = VectorContract.model_validate(
        {
            "name": "every",
            "source": {"uri": "{partition}.geojson"},
            "partitions": {"daily": "2026-01-01"},
            "schedule": "0 3 * * *",
            "watch": True,
            "automation": "eager",
            "on_schema_change": "backfill",
        }
    )
    return dg.Definitions.merge(
        dataset_definitions(every), operations_definitions(OperationsContract())
    ).get_repository_def()


@pytest.mark.parametrize(("value", "expected"), [("true", "RUNNING"), ("false", "STOPPED")])
def test_everything_begins_alike(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    monkeypatch.setenv("SPATIAL_AUTOSTART", value)
    found = location()
    status = {s.name: s.default_status.value for s in found.sensor_defs}
    status |= {s.name: s.default_status.value for s in found.schedule_defs}
    assert set(status.values()) == {expected}, status
    assert {
        "alerts",
        "every_automation",
        "every_schedule",
        "every_schema_sensor",
        "every_source_sensor",
        "inventory_schedule",
    } <= set(status)
