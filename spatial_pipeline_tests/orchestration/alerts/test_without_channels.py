"""Without channels, the alerts say so once, not with every tick."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from spatial_pipeline.contract.operations import Alerts
from spatial_pipeline.orchestration.alerts import sensor
from spatial_pipeline_tests.orchestration.projects import Project


def test_nobody_is_told_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("SPATIAL_ALERT_URLS", raising=False)
    monkeypatch.setattr(sensor, "_said", set())
    repository = Project(tmp_path).definitions().get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, repository_def=repository)
        said = [sensor.tick(context, Alerts()).skip_message for _ in range(3)]
    assert said == ["nobody is told: SPATIAL_ALERT_URLS is not set", None, None]
    assert sensor.without_channels("another").skip_message == said[0]
