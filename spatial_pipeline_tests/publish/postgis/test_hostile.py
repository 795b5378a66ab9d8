"""Publications beside a role that works against them; the longer run is in ``hostile``."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.hostile import run


@pytest.mark.timeout(300)
def test_a_hostile_role_costs_nobody_a_row_and_shows_none(
    postgres: Cluster, tmp_path: Path
) -> None:
    catalogue.load()
    report = run(postgres, tmp_path, publications=25, seed=7)
    assert report.failures == []
    assert report.ends["at rest: done"] + report.ends["at rest: said"] == 25
    assert sum(report.acts.values()) > 5
