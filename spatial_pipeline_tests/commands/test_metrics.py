"""Metrics by command and by endpoint, of a store and of a Dagster instance; logs as JSON."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test, instance_for_test

from spatial_pipeline.orchestration.keys import DATASET_TAG
from spatial_pipeline_tests.commands.projects import MAIN, Project
from spatial_pipeline_tests.report.exposition import Values, parsed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One published dataset and one that is held, for tests that only look."""
    made = Project(tmp_path_factory.mktemp("project"))
    made.dataset("roads", range(4))
    made.dataset("rivers", range(3), rules=[{"rule": "feature_count", "min": 9}])
    code, _, _ = made.run()
    assert code == 1
    return made


def one(values: Values, **labels: str) -> float:
    (found,) = [v for of, v in values if labels.items() <= of.items()]
    return found


def test_published_age_held_and_violations(project: Project) -> None:
    called = project.call("metrics")
    assert called.exit_code == 0
    read = parsed(called.stdout)
    assert 0 <= one(read["spatial_published_age_seconds"], dataset="roads") < 600
    assert read["spatial_held"] == [({"dataset": "rivers", "state": "held"}, 1)]
    assert read["spatial_held_partitions"] == [({}, 1)]
    failed = {"dataset": "rivers", "rule": "feature_count"}
    assert one(read["spatial_violations"], **failed) == 1
    assert one(read["spatial_rule_passed"], **failed) == 0
    assert one(read["spatial_rule_passed"], dataset="roads", rule="not_empty") == 1
    assert one(read["spatial_rule_duration_seconds"], **failed) >= 0
    assert read["spatial_store_free_bytes"][0][1] > 0


def test_the_queue_runs_and_incidents_of_dagster(project: Project) -> None:
    with instance_for_test() as instance:
        for status in (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED):
            create_run_for_test(instance, job_name="roads_job", status=status)
        run = create_run_for_test(instance, job_name="roads_job", tags={DATASET_TAG: "roads"})
        instance.report_run_failed(run)
        home = os.environ["DAGSTER_HOME"]
        read = parsed(project.call("metrics", DAGSTER_HOME=home).stdout)
    assert one(read["spatial_runs"], status="queued") == 0
    assert one(read["spatial_runs"], status="starting") == 1
    assert one(read["spatial_runs"], status="started") == 1
    assert one(read["spatial_run_failed"], dataset="roads") == 1
    assert read["spatial_dagster_up"] == [({}, 1)]


def test_a_dagster_that_is_away_is_said_and_the_rest_is_there(
    project: Project, tmp_path: Path
) -> None:
    read = parsed(project.call("metrics", DAGSTER_HOME=str(tmp_path / "missing")).stdout)
    assert read["spatial_dagster_up"] == [({}, 0)]
    assert "spatial_held" in read


@contextmanager
def serving(project: Project) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "metrics", "--listen", str(port)],
        env={k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
        | {"SPATIAL_STORE": str(project.store)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert "/metrics" in process.stderr.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def test_the_endpoint_answers_scrapers(project: Project) -> None:
    with serving(project) as address:
        asked = urllib.request.Request(
            f"{address}/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            first = parsed(answer.read().decode())
        time.sleep(0.01)
        with urllib.request.urlopen(f"{address}/metrics", timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            second = parsed(answer.read().decode())
        age = "spatial_published_age_seconds"
        assert one(first[age], dataset="roads") < one(second[age], dataset="roads")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{address}/other", timeout=60)
        assert caught.value.code == 404
        caught.value.close()


@pytest.mark.parametrize("listen", ["soon", "1.2.3.4:0x1", "127.0.0.1:99999"])
def test_a_wrong_address_is_a_mistake(project: Project, listen: str) -> None:
    called = project.call("metrics", "--listen", listen)
    assert called.exit_code == 2
    assert "expected [HOST:]PORT" in called.stderr


def test_log_lines_are_json_on_request(project: Project, tmp_path: Path) -> None:
    store = shutil.copytree(project.store, tmp_path / "store", symlinks=True)
    verdict = next(store.glob("roads/-/*/verdict.json"))
    verdict.write_text("{}")
    called = project.process("held", "--json", SPATIAL_LOG_FORMAT="json", SPATIAL_STORE=str(store))
    (line,) = [json.loads(text) for text in called.stderr.splitlines()]
    assert line["level"] == "warning"
    assert line["logger"] == "spatial_pipeline"
    assert "it counts as none" in line["message"]
    assert line["at"].endswith("+00:00")
    json.loads(called.stdout)
