"""A project of YAML only under the real ``dagster-daemon run``, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from spatial_pipeline.orchestration.keys import source_key
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points

PYPROJECT = """
[project]
name = "my_project"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "my_project"
code_location_target_module = "my_project.definitions"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    contracts = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(contracts, dg.Definitions(executor=dg.in_process_executor))
"""
CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: stations
  source: {uri: "{partition}.geojson"}
  partitions: {dynamic: stations}
  watch: {every: 5s}
  freshness: {at_most: 26h}
  rules:
    - {rule: not_empty}
"""
INSTANCE = "freshness: {enabled: true}\ntelemetry: {enabled: false}\n"
PATIENCE_S = 150


@contextmanager
def daemon(project: Path, home: Path) -> Iterator[None]:
    """``dagster-daemon run`` of a project; ends with everything that it started."""
    env = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": f"{project}:{Path.cwd()}",
           "SPATIAL_STORE": str(project / "store")}  # fmt: skip
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "my_project.definitions"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=project, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def eventually(what: Callable[[], bool], home: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until, (home / "log").read_text()[-5000:]
        time.sleep(0.5)


def test_a_new_file_is_published_by_nobody_but_the_daemon(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    folder = project / "my_project" / "defs" / "stations"
    folder.mkdir(parents=True)
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "my_project" / "__init__.py").touch()
    (project / "my_project" / "defs" / "__init__.py").touch()
    (project / "my_project" / "definitions.py").write_text(DEFINITIONS)
    (folder / "defs.yaml").write_text(CONTRACT)
    write_points(folder / "north.geojson", GOOD)
    pointer = project / "store" / "stations" / "north" / "published.json"
    with daemon(project, home):
        eventually(pointer.is_file, home)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            eventually(lambda: all(r.is_finished for r in instance.get_runs()), home)
            (state,) = instance.all_instigator_state()

            def looks() -> int:
                ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
                return sum(t.status.value == "SKIPPED" for t in ticks)

            before = looks()
            eventually(lambda: looks() > before, home)
            (run,) = instance.get_runs()
            assert run.status is dg.DagsterRunStatus.SUCCESS
            assert run.tags["dagster/partition"] == "north"
            assert run.tags["dagster/sensor_name"] == "stations_source_sensor"
            assert instance.get_dynamic_partitions("stations") == ["north"]
            assert instance.get_latest_materialization_event(source_key("stations")) is not None
