"""Datasets of the demo in the executor that the UI uses: three steps, processes for large ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEventType

from spatial_pipeline.contract.load import load

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("dataset", "processes"), [("counties", False), ("rgb", True)])
def test_a_dataset_is_three_steps_however_many_rules(
    tmp_path: Path, dataset: str, processes: bool
) -> None:
    # The pixels of a raster are not known before it was staged once: it counts as large. This one
    # is held, since what it is compared with is not published.
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "dagster", "asset", "materialize"),
            *("--select", f"{dataset}/staged,{dataset}/published"),
            *("-m", "spatial_pipeline.definitions"),
        ],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home), "SPATIAL_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == (1 if processes else 0), done.stderr[-4000:]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs()
        started = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.STEP_START)
        launched = instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.STEP_WORKER_STARTING
        )
        evaluated = instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION
        )
    steps = [r.event_log_entry.step_key for r in started.records]
    every = [f"{dataset}__staged", f"{dataset}__checks", f"{dataset}__published"]
    assert steps == (every[:2] if processes else every)
    workers = [r.event_log_entry.step_key for r in launched.records]
    assert workers == (steps if processes else [])
    (contract,) = load(ROOT / "spatial_pipeline" / "defs" / dataset / "defs.yaml")
    assert len(evaluated.records) == len(contract.effective_rules) > 3
