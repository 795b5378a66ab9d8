"""The small maps in the results of checks: bounded, blocking rules first, never in the way."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
from pathlib import Path
from typing import Any

import dagster as dg
import matplotlib.image
import pytest

from spatial_pipeline.orchestration import maps
from spatial_pipeline_tests.orchestration.projects import GOOD, Project, run

TWICE = [[0, 0], [5, 5], [5, 5], [10, 10]]
MARK = "data:image/png;base64,"


def rules(*severities: str) -> list[dict[str, Any]]:
    return [
        {"rule": "no_duplicate_geometries", "name": f"rule_{i}", "severity": severity}
        for i, severity in enumerate(severities)
    ]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def checked(project: Project) -> dict[str, dg.AssetCheckEvaluation]:
    with dg.DagsterInstance.ephemeral() as instance:
        found = run(project.definitions(), instance).get_asset_check_evaluations()
    return {e.check_name: e for e in found}


@pytest.mark.usefixtures("store")
def test_a_failed_check_shows_where(tmp_path: Path) -> None:
    project = Project(tmp_path, rules=[*rules("error"), {"rule": "feature_count", "min": 9}])
    project.supply(TWICE)
    found = checked(project)
    assert not found["rule_0"].passed
    assert not found["feature_count"].passed
    assert [name for name, e in found.items() if "map" in e.metadata] == ["rule_0"]
    text = found["rule_0"].metadata["map"].value
    assert text.startswith(f"![rule_0]({MARK}")
    encoded = text[:-1].split(MARK)[1]
    assert len(encoded) < 60_000
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(encoded)), format="png")[..., :3]
    red = (image[..., 0] > 0.7) & (image[..., 1] < 0.4)
    height, width = red.shape
    assert red[height // 3 : -height // 3, width // 3 : -width // 3].sum() == red.sum() > 0


@pytest.mark.usefixtures("store")
def test_no_more_than_some_and_blocking_rules_first(tmp_path: Path) -> None:
    project = Project(tmp_path, rules=rules("warn", *["error"] * maps.MOST, "warn"))
    project.supply(TWICE)
    drawn = [name for name, e in checked(project).items() if "map" in e.metadata]
    assert sorted(drawn) == [f"rule_{i + 1}" for i in range(maps.MOST)]


@pytest.mark.usefixtures("store")
def test_a_map_that_cannot_be_drawn_changes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        msg = "no pencil"
        raise RuntimeError(msg)

    monkeypatch.setattr("spatial_pipeline.pipeline.alert_context.picture_of", broken)
    project = Project(tmp_path, rules=rules("error"))
    project.supply(TWICE)
    failed = checked(project)["rule_0"]
    assert not failed.passed
    assert "no duplicate" in failed.description or failed.metadata["violations"].value == 1
    assert "map" not in failed.metadata


def test_nothing_is_loaded_when_nothing_failed(tmp_path: Path, store: Path) -> None:
    project = Project(tmp_path)
    project.supply(GOOD)
    assert all(e.passed and "map" not in e.metadata for e in checked(project).values())
    version = project.pipeline.store.staged_version("points", None)
    verdict = project.pipeline.store.verdict(version)
    assert verdict is not None
    assert store.is_dir()
    found = maps.maps_of(
        project.pipeline.store, version, verdict.results, logging.getLogger("none")
    )
    assert asyncio.run(found) == {}
