"""A source that is read at night, and late data, through the daemons, on both storages."""

from __future__ import annotations

from datetime import UTC, datetime

from spatial_pipeline.orchestration.keys import published_key
from spatial_pipeline_tests.orchestration.daemons import Deployment
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points

NIGHTLY = """
source: {uri: points.geojson}
automation: {on_cron: "0 3 * * *"}
timezone: Europe/Berlin
freshness: {at_most: 26h, warn_after: 25h}
rules: [{rule: not_empty}]
"""
STAGED, PUBLISHED, BOTH = ("staged",), ("published",), ("published", "staged")


def test_on_cron_reads_at_night_and_late_data_are_told(deployment: Deployment) -> None:
    write_points(deployment.folder / "points.geojson", GOOD)
    deployment.now = datetime(2035, 6, 1, 0, 30, tzinfo=UTC)
    with deployment.serving(points=NIGHTLY):
        assert deployment.judge_freshness(published_key("points")) == "UNKNOWN"
        deployment.automate(3)
        assert deployment.runs() == []
        deployment.now = datetime(2035, 6, 1, 1, 0, 1, tzinfo=UTC)  # three o'clock in Berlin
        deployment.automate(3)
        assert deployment.runs() == [(None, STAGED, "SUCCESS"), (None, PUBLISHED, "SUCCESS")]

        assert deployment.judge_freshness(published_key("points")) == "PASS"
        deployment.now = datetime(2035, 6, 2, 2, 30, tzinfo=UTC)
        assert deployment.judge_freshness(published_key("points")) == "WARN"
        deployment.now = datetime(2035, 6, 2, 4, 0, tzinfo=UTC)
        assert deployment.judge_freshness(published_key("points")) == "FAIL"
        deployment.automate(3)
        assert deployment.runs()[2:] == [(None, BOTH, "SUCCESS")]
        assert deployment.judge_freshness(published_key("points")) == "PASS"
