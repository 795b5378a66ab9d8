"""``kill -9`` at random moments: readers see whole, proven versions; the next run completes.

The small form of ``python -m spatial_pipeline_tests.killed``.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

from spatial_pipeline_tests.killed import PRELOADED, STAGES, Campaign, Place, processes
from spatial_pipeline_tests.postgres import Cluster

KILLS = 48


@pytest.mark.timeout(600)
def test_killed_at_random_moments(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    processes.set_forkserver_preload(PRELOADED)
    place = Place(str(tmp_path), postgres.dsn(postgres.new_database("killed")))
    figures = Campaign(place, random.Random(20261123)).fight(KILLS)
    assert figures["kills"] == KILLS
    assert set(figures["by stage"]) == set(STAGES)
    assert min(figures["by stage"].values()) >= KILLS // 10
    assert figures["problems"] == []
    assert figures["left behind"] == 0
    before, after = figures["entries of the store beside versions"]
    assert after <= before + 4
    assert figures["looks of readers"] > 0
