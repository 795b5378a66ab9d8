"""The demo's counties in the executor that the UI uses: one process a step, three steps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
from dagster import DagsterEventType

from spatial_pipeline.contract.load import load

ROOT = Path(__file__).parents[2]


def test_counties_are_three_steps_however_many_rules(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "dagster", "asset", "materialize"),
            *("--select", "counties/staged,counties/published"),
            *("-m", "spatial_pipeline.definitions"),
        ],
        cwd=ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home), "SPATIAL_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_runs()
        launched = instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.STEP_WORKER_STARTING
        )
        evaluated = instance.get_records_for_run(
            run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION
        )
    steps = [r.event_log_entry.step_key for r in launched.records]
    assert steps == ["counties__staged", "counties__checks", "counties__published"]
    (contract,) = load(ROOT / "spatial_pipeline" / "defs" / "counties" / "defs.yaml")
    assert len(evaluated.records) == len(contract.effective_rules) > 3
