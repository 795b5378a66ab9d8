"""Ticks, acknowledgements and silences killed at random moments; more by command."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline_tests.orchestration.killed_alerts import STAGES, campaign


@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_has_two_names(tmp_path: Path) -> None:
    with campaign(tmp_path, seed=1) as made:
        figures = made.fight(len(STAGES))
    assert figures["problems"] == []
    assert figures["kills"] == len(STAGES)
