"""The PostgreSQL instance of deploy/ holds what a real run of the product leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project, run, write_points
from spatial_pipeline_tests.postgres import Cluster

ROOT = Path(__file__).parents[1]
STAGED = dg.AssetKey(["points", "staged"])
PUBLISHED = dg.AssetKey(["points", "published"])
CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: points
  source: {uri: points.geojson}
  key: [id]
  rules:
    - {rule: feature_count, min: 1}
    - {rule: not_empty}
"""
LOCATION = """
from pathlib import Path
import dagster as dg
from spatial_pipeline.contract.load import load
from spatial_pipeline.orchestration.dataset import dataset_definitions
defs = dataset_definitions(load(Path(__file__).parent / "points.yaml")[0])
"""


@pytest.fixture
def database(postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sets DAGSTER_HOME to the deployed instance file; the name of its database."""
    name = postgres.new_database("dagster")
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster-postgres.yaml", folder / "dagster.yaml")
    variables = {
        "DAGSTER_HOME": str(folder),
        "DAGSTER_PG_HOST": postgres.host,
        "DAGSTER_PG_PORT": str(postgres.port),
        "DAGSTER_PG_DB": name,
        "DAGSTER_PG_USERNAME": postgres.user,
        "DAGSTER_PG_PASSWORD": postgres.password,
        "SPATIAL_STORE": str(tmp_path / "store"),
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    return name


def materialize(folder: Path) -> subprocess.CompletedProcess[str]:
    """Everything of the small project, by Dagster's own command line in a process of its own."""
    (folder / "points.yaml").write_text(CONTRACT, encoding="utf-8")
    (folder / "location.py").write_text(LOCATION, encoding="utf-8")
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*",
               "-f", "location.py"]  # fmt: skip
    return subprocess.run(
        command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip


def latest(instance: dg.DagsterInstance, name: str) -> tuple[bool, str | None]:
    """Whether the latest evaluation of a check passed, and the run that it belongs to."""
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(STAGED, name)]
    )[dg.AssetCheckKey(STAGED, name)]
    assert record.evaluation is not None
    return record.evaluation.passed, record.run_id


def test_a_run_and_its_checks_are_found_by_a_new_instance(
    database: str, postgres: Cluster, tmp_path: Path
) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    done = materialize(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
        assert isinstance(instance.schedule_storage, PostgresScheduleStorage)
        assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
        (only,) = instance.get_runs()
        assert only.status is dg.DagsterRunStatus.SUCCESS
        assert [latest(instance, n) for n in ("readable", "feature_count", "not_empty")] == [
            (True, only.run_id)
        ] * 3
        for key in (STAGED, PUBLISHED):
            event = instance.get_latest_materialization_event(key)
            assert event is not None
            assert event.run_id == only.run_id
    assert postgres.psql("SELECT status FROM runs", database) == "SUCCESS"
    assert int(postgres.psql("SELECT count(*) FROM asset_check_executions", database)) == 4


def test_a_failed_check_is_kept_there_and_nothing_is_published(
    database: str, postgres: Cluster, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    project.supply(BAD)
    with dg.DagsterInstance.get() as instance:
        assert not run(project.definitions(), instance).success

    with dg.DagsterInstance.get() as instance:
        (only,) = instance.get_runs()
        assert only.status is dg.DagsterRunStatus.FAILURE
        assert latest(instance, "not_empty") == (False, only.run_id)
        assert latest(instance, "feature_count") == (True, only.run_id)
        assert instance.get_latest_materialization_event(STAGED) is not None
        assert instance.get_latest_materialization_event(PUBLISHED) is None
    assert postgres.psql("SELECT status FROM runs", database) == "FAILURE"


@pytest.mark.usefixtures("database")
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_PG_HOST")
    with pytest.raises(Exception, match="DAGSTER_PG_HOST"):
        dg.DagsterInstance.get()
