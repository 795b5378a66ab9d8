"""OpenLineage events of real runs: none unless asked for, one start and one end for each step."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest

from spatial_pipeline_tests.alert.receivers import web
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project, run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    made = Project(
        tmp_path,
        description="Points",
        columns={"id": {"description": "Number", "unit": "1"}},
        rules=[{"rule": "unique", "columns": ["id"]}, {"rule": "not_empty"}],
    )
    made.supply(GOOD)
    return made


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events of lineage.ndjson"
    monkeypatch.setenv("SPATIAL_OPENLINEAGE_URL", path.as_uri())
    monkeypatch.setenv("SPATIAL_OPENLINEAGE_NAMESPACE", "county")
    return path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["job"]["name"], e["eventType"]) for e in events]


def test_a_published_dataset(project: Project, events: Path, instance: dg.DagsterInstance) -> None:
    result = run(project.definitions(), instance)
    assert result.success
    found = read(events)
    steps = ("points.staged", "points.checks", "points.published")
    assert told(found) == [(s, kind) for s in steps for kind in ("START", "COMPLETE")]
    assert {e["job"]["namespace"] for e in found} == {"county"}
    for start, end in zip(found[::2], found[1::2], strict=True):
        assert start["run"]["runId"] == end["run"]["runId"]
        assert UUID(start["run"]["runId"])
        assert start["eventTime"] <= end["eventTime"]
        assert end["run"]["facets"]["parent"]["run"]["runId"] == result.run_id
    assert len({e["run"]["runId"] for e in found}) == 3
    staged, checks, published = found[1::2]
    (source,) = staged["inputs"]
    assert (source["namespace"], source["name"]) == ("file", str(project.folder / "points.geojson"))
    (output,) = staged["outputs"]
    assert output["name"] == "points/staged"
    assert output["facets"]["schema"]["fields"] == [
        {"name": "id", "type": "int32", "description": "Number [1]", "ordinal_position": 1},
        {"name": "geometry", "type": "Point", "ordinal_position": 2},
    ]
    assert output["facets"]["version"]["datasetVersion"] == project.published()
    assert output["facets"]["documentation"]["description"] == "Points"
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 3
    (judged,) = checks["inputs"]
    assertions = judged["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(a["name"], a["success"], a.get("column")) for a in assertions] == [
        ("readable", True, None),
        ("staged_matches_source", True, None),
        ("unique", True, "id"),
        ("not_empty", True, None),
    ]
    assert [d["name"] for d in published["inputs"]] == ["points/staged"]
    assert [d["name"] for d in published["outputs"]] == ["points/published"]
    for facet in output["facets"].values():
        assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")
        assert facet["_producer"].startswith("urn:spatial-pipeline:")


def test_a_held_dataset(project: Project, events: Path, instance: dg.DagsterInstance) -> None:
    project.supply(BAD)
    assert not run(project.definitions(), instance).success
    published = dg.AssetSelection.assets(["points", "published"])
    assert not run(project.definitions(), instance, published).success
    found = read(events)
    assert told(found)[-4:] == [
        ("points.checks", "START"),
        ("points.checks", "FAIL"),
        ("points.published", "START"),
        ("points.published", "FAIL"),
    ]
    held = "held: 1 rule fails: not_empty (1)"
    checks, gate = found[-3], found[-1]
    assert checks["run"]["facets"]["errorMessage"]["message"] == held
    assert gate["run"]["facets"]["errorMessage"]["message"].startswith(held)
    assert gate["outputs"] == []
    (judged,) = checks["inputs"]
    (failed,) = [
        a for a in judged["inputFacets"]["dataQualityAssertions"]["assertions"] if not a["success"]
    ]
    assert (failed["assertion"], failed["severity"]) == ("not_empty", "error")
    assert failed["params"] == {"status": "failed", "violations": 1}


def test_a_service_takes_events_and_its_failures_end_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    with web() as service:
        address = f"http://127.0.0.1:{service.server.server_port}"
        monkeypatch.setenv("SPATIAL_OPENLINEAGE_URL", address)
        monkeypatch.setenv("SPATIAL_OPENLINEAGE_API_KEY", "s3cret")
        assert run(project.definitions(), instance).success
        assert len(service.received) == 6
        service.down = True
        project.supply([*GOOD, [3, 3]])
        assert run(project.definitions(), instance).success
        assert service.refused == 6
    assert project.published_rows() == 4


def test_nothing_is_sent_or_loaded_unless_asked_for(tmp_path: Path) -> None:
    code = (
        "import sys; import spatial_pipeline.orchestration.dataset;"
        " print([m for m in sys.modules if m.startswith('httpx2')"
        " or m in ('spatial_pipeline.report.openlineage',"
        " 'spatial_pipeline.pipeline.lineage_sender')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.strip() == "[]"
