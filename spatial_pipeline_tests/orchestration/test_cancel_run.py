"""A Dagster run that is cancelled: the server stops working for it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from spatial_pipeline_tests.postgres import Cluster

LOCATION = """
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration.dataset import dataset_definitions

defs = dataset_definitions(VectorContract.model_validate({contract!r}))
"""
SLOW = "SELECT 1 AS id, pg_sleep(100)::text AS slept"
LOCK = "SELECT pg_advisory_lock(hashtextextended('spatial_pipeline publish d None', 0))"


def active(cluster: Cluster) -> str:
    """What the server does for us."""
    return cluster.psql(
        "SELECT query FROM pg_stat_activity WHERE application_name LIKE 'spatial_pipeline%'"
        " AND state = 'active'"
    )


def launched(folder: Path, dsn: str, contract: dict[str, Any], kind: str) -> subprocess.Popen[str]:
    """A run of the dataset in a process of its own, with the executor of that kind."""
    (folder / "location.py").write_text(LOCATION.format(contract=contract))
    (folder / "home").mkdir()
    environment = os.environ | {
        "DAGSTER_HOME": str(folder / "home"),
        "SPATIAL_STORE": str(folder / "store"),
        "SPATIAL_DATABASE_URL": dsn,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    executor = {"execution": {"config": {kind: {}}}}
    return subprocess.Popen(
        [sys.executable, "-m", "dagster", "asset", "materialize", "-f", folder / "location.py",
         "--select", "d/staged,d/published", "--config-json", json.dumps(executor)],
        env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("moment", ["staging", "checking", "publishing"])
def test_a_cancelled_run_leaves_no_query(postgres: Cluster, tmp_path: Path, moment: str) -> None:
    name = postgres.new_database()
    postgres.psql("CREATE SCHEMA gis", name)
    postgres.psql("CREATE TABLE quick AS SELECT 1 AS id", name)
    postgres.psql(f"CREATE VIEW slow AS {SLOW}", name)
    slow = {"uri": "postgresql:", "layer": "public.slow"}
    contract = {
        "name": "d",
        "source": slow if moment == "staging" else {**slow, "layer": "public.quick"},
        "rules": [{"rule": "same_features_as", "other": slow}] if moment == "checking" else [],
        "publish": {"table": "gis.d"},
    }
    holder = subprocess.Popen(
        [postgres.bindir / "psql", "-XAtq", postgres.dsn(name)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert holder.stdin is not None
    if moment == "publishing":
        holder.stdin.write(f"{LOCK};\n")
        holder.stdin.flush()
    # A process a step is what users have; one step of it is enough, for each takes many seconds.
    kind = "multiprocess" if moment == "staging" else "in_process"
    run = launched(tmp_path, postgres.dsn(name), contract, kind)
    try:
        until = time.monotonic() + 100
        awaited = "pg_advisory_lock" if moment == "publishing" else "public.slow"
        while awaited not in active(postgres) and run.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        assert awaited in active(postgres), run.poll()
        with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
            (record,) = instance.get_runs()
            # What a launcher does when somebody asks for an end: this, then the signal.
            instance.report_run_canceling(record)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=60)[0]
        assert active(postgres) == "", said[-3000:]
        assert "was destroyed but it is pending" not in said
    finally:
        run.kill()
        run.communicate()
        holder.communicate()
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        assert [r.status for r in instance.get_runs()] == [dg.DagsterRunStatus.CANCELED], said


def test_a_step_whose_run_worker_was_killed_ends_itself(postgres: Cluster, tmp_path: Path) -> None:
    name = postgres.new_database()
    postgres.psql(f"CREATE VIEW slow AS {SLOW}", name)
    contract = {"name": "d", "source": {"uri": "postgresql:", "layer": "public.slow"}}
    run = launched(tmp_path, postgres.dsn(name), contract, "multiprocess")
    try:
        until = time.monotonic() + 100
        while "public.slow" not in active(postgres) and time.monotonic() < until:
            assert run.poll() is None
            time.sleep(0.1)
        steps = below(run.pid)
        run.kill()
        # The pipe is closed by the last of them, so this waits for the steps.
        said = run.communicate(timeout=60)[0]
        assert "which started this one, has gone" in said
        until = time.monotonic() + 60
        while active(postgres) and time.monotonic() < until:
            time.sleep(0.1)
        assert active(postgres) == ""
        assert [p for p in steps if (Path("/proc") / str(p) / "exe").exists()] == []
    finally:
        run.kill()
        run.communicate()


def below(process: int) -> list[int]:
    """The processes that a process started, and theirs."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            own, _, fields = stat.read_text().rpartition(")")
            if int(fields.split()[1]) == process:
                child = int(own.split()[0])
                found += [child, *below(child)]
    return found
