"""Runs over a range of partitions, as Dagster's single-run backfills make them."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from spatial_pipeline_tests.orchestration.projects import GOOD, Project

KEYS = ["a", "b", "c"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    made = Project(
        tmp_path,
        source={"uri": str(tmp_path / "{partition}.geojson")},
        partitions={"static": KEYS},
    )
    for key in KEYS:
        made.supply(GOOD, key)
    return made


def run(project: Project, **tags: str) -> dg.ExecuteInProcessResult:
    job = project.definitions().resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        str(e.step_failure_data.user_failure_data.description)
        for e in result.all_events
        if e.is_step_failure and e.step_failure_data.user_failure_data is not None
    ]


def test_a_run_of_several_partitions_is_refused_in_words(project: Project) -> None:
    result = run(
        project, **{ASSET_PARTITION_RANGE_START_TAG: "a", ASSET_PARTITION_RANGE_END_TAG: "c"}
    )
    assert not result.success
    (said,) = failures(result)
    assert said.startswith("points is staged, checked and published one partition a run")
    assert "3 partitions, a to c" in said
    assert not (project.folder / "store" / "points").exists()


def test_a_range_of_one_partition_is_that_partition(project: Project) -> None:
    result = run(
        project, **{ASSET_PARTITION_RANGE_START_TAG: "b", ASSET_PARTITION_RANGE_END_TAG: "b"}
    )
    assert result.success
    assert project.published("b") is not None
    assert project.published("a") is None


def test_a_run_without_a_partition_is_refused_in_words(project: Project) -> None:
    result = run(project)
    assert not result.success
    (said,) = failures(result)
    assert "this run is of no partition: launch it with one run per partition" in said
