"""A day with failures at random: every dataset is at its last good state, or people were told."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline_tests.orchestration.databases import dagster_database
from spatial_pipeline_tests.orchestration.simulation import simulated
from spatial_pipeline_tests.postgres import Cluster


@pytest.mark.parametrize("seed", [1])
def test_nothing_goes_quiet(tmp_path: Path, postgres: Cluster, seed: int) -> None:
    dsn = postgres.dsn(dagster_database(postgres))
    with simulated(tmp_path, seed, contracts=5, dsn=dsn) as simulation:
        simulation.run(hours=24)
        assert simulation.silent() == []
        assert simulation.events["runs"] > 10
        assert len(simulation.events) > 5, simulation.events
