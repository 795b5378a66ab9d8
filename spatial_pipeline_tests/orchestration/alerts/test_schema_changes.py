"""Schema changes that ``on_schema_change`` takes without asking: told once, by mail and hook."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from spatial_pipeline.alert.problems import Kind
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.orchestration.alerts.run_reader import Location, Reader
from spatial_pipeline.orchestration.alerts.state import events_of
from spatial_pipeline_tests.orchestration.projects import Project, run


def supply(project: Project, name: str, **columns: int) -> None:
    """One point with these columns."""
    feature = {
        "type": "Feature",
        "properties": {"id": 1, **columns},
        "geometry": {"type": "Point", "coordinates": [1, 1]},
    }
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    (project.folder / f"{name}.geojson").write_text(text)


@pytest.mark.parametrize("policy", ["accept_additive", "backfill"])
def test_a_change_that_is_taken_is_told_once_for_all_partitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    project = Project(
        tmp_path,
        source={"uri": str(tmp_path / "{partition}.geojson")},
        partitions={"static": ["a", "b"]},
        on_schema_change=policy,
    )
    definitions = project.definitions()
    reader = Reader(
        Location("here", definitions.get_repository_def()), lambda _v: None, lambda *_: None
    )
    with dg.DagsterInstance.ephemeral() as instance:

        def told(partition: str) -> list[tuple[str, str]]:
            result = run(definitions, instance, partition=partition)
            assert result.success
            done = instance.get_run_by_id(result.run_id)
            assert done is not None
            seen = reader.observation(done, events_of(instance, done.run_id), 5.0)
            assert seen is not None
            assert all(f.severity is Severity.WARN for f in seen.facts)
            assert all(f.key.partition is None for f in seen.facts)
            return [(f.key.name, f.summary) for f in seen.facts if f.key.kind is Kind.SCHEMA]

        for partition in ("a", "b"):
            supply(project, partition)
            assert told(partition) == []
        supply(project, "a", lanes=2)
        ((name, summary),) = told("a")
        assert "lanes" in summary
        assert f"on_schema_change is {policy}" in summary
        assert told("a") == []
        supply(project, "b", lanes=2)
        ((other, _),) = told("b")
        assert other == name
