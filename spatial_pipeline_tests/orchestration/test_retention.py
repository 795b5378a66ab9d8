"""The scheduled asset deletes what contracts do not keep, in a run of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.test_utils import instance_for_test

from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.orchestration.operations import operations_definitions
from spatial_pipeline_tests.commands.projects import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two datasets with four published versions, all a year old; one keeps everything."""
    made = Project(tmp_path)
    monkeypatch.setenv("SPATIAL_STORE", str(made.store))
    for ids in (3, 4, 5, 6):
        made.dataset("roads", range(ids), retention={"keep": 1, "days": 30})
        made.dataset("rivers", range(ids))
        code, _, _ = made.run()
        assert code == 0
    for path in made.store.glob("*/-/*/"):
        at = time.time() - 365 * 86_400
        for each in (path / "profile.json", path):
            os.utime(each, (at, at))
    return made


LOCATION = """
from pathlib import Path

import dagster as dg

from spatial_pipeline.contract.load import load_project
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.operations import operations_definitions


@dg.definitions
def defs():
    contracts, _ = load_project([Path(__file__).parent])
    parts = [dataset_definitions(c) for c in contracts]
    swift = dg.Definitions(executor=dg.in_process_executor)
    return dg.Definitions.merge(swift, operations_definitions(OperationsContract()), *parts)
"""


@contextmanager
def run_of_the_job(project: Project) -> Iterator[dg.JobExecutionResult]:
    """A run as a run worker executes it."""
    (project.folder / "location.py").write_text(LOCATION)
    repository = ReconstructableRepository.for_file(
        str(project.folder / "location.py"), "defs", str(project.folder)
    )
    job = repository.get_reconstructable_job("retention_job")
    with (
        instance_for_test() as instance,
        dg.execute_job(job, instance=instance, raise_on_error=False) as done,
    ):
        yield done


def test_the_job_prunes_what_contracts_say(project: Project) -> None:
    repository = operations_definitions(OperationsContract()).get_repository_def()
    assert repository.get_schedule_def("retention_schedule").cron_schedule == "30 4 * * *"
    with run_of_the_job(project) as done:
        assert done.success
        (made,) = [e for e in done.all_events if e.is_step_materialization]
    metadata = made.step_materialization_data.materialization.metadata
    assert metadata["versions"].value == 2
    assert int(str(metadata["bytes"].value)) > 0
    assert len(list(project.store.glob("roads/-/*/"))) == 2
    assert len(list(project.store.glob("rivers/-/*/"))) == 4


def test_a_partition_that_cannot_be_pruned_fails_the_run_and_not_the_others(
    project: Project,
) -> None:
    project.dataset("rivers", range(6), retention={"keep": 1, "days": 0})
    (project.store / "rivers/-/published.json").write_text("{")
    with run_of_the_job(project) as done:
        assert not done.success
        (failure,) = [e for e in done.all_events if e.is_step_failure]
    data = failure.step_failure_data
    assert data.user_failure_data is not None
    assert "rivers: rivers: published.json cannot be read" in (
        data.user_failure_data.description or ""
    )
    assert len(list(project.store.glob("roads/-/*/"))) == 2
