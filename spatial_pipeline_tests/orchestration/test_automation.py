"""Automation by name through the asset daemon, on both storages."""

from __future__ import annotations

from spatial_pipeline_tests.orchestration.daemons import Deployment
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, write_points

EAGER = """
source: {uri: points.geojson}
watch: true
automation: eager
rules: [{rule: not_empty}]
"""
TILES = """
source: {uri: "{partition}.geojson"}
partitions: {dynamic: tiles}
watch: true
automation: eager
rules: [{rule: not_empty}]
"""
STAGED, PUBLISHED, BOTH = ("staged",), ("published",), ("published", "staged")


def test_eager_follows_the_source_and_holds_a_bad_one(deployment: Deployment) -> None:
    path = deployment.folder / "points.geojson"
    with deployment.serving(points=EAGER):
        deployment.automate(2)
        assert deployment.runs() == []

        write_points(path, GOOD)
        (tick,) = deployment.sense(2)
        assert tick.skip_reason == "reported to the automation: the source"
        deployment.automate(3)
        good = [(None, STAGED, "SUCCESS"), (None, PUBLISHED, "SUCCESS")]
        assert deployment.runs() == good
        assert deployment.published("points") == 3

        write_points(path, BAD)
        deployment.sense(2)
        deployment.automate(3)
        # The checks of the version before had passed, so one run does all; they stop it inside.
        bad = (None, BOTH, "FAILURE")
        assert deployment.runs() == [*good, bad]
        assert deployment.published("points") == 3

        write_points(path, [*GOOD, [9, 9]])
        deployment.sense(2)
        deployment.automate(3)
        assert deployment.runs() == [*good, bad, *good]
        assert deployment.published("points") == 4


def test_eager_takes_a_new_partition_and_holds_a_bad_one(deployment: Deployment) -> None:
    with deployment.serving(points=TILES):
        write_points(deployment.folder / "a.geojson", GOOD)
        deployment.sense(2)
        deployment.automate(3)
        write_points(deployment.folder / "b.geojson", BAD)
        deployment.sense(2)
        deployment.automate(3)
        assert deployment.runs() == [
            ("a", STAGED, "SUCCESS"),
            ("a", PUBLISHED, "SUCCESS"),
            ("b", STAGED, "FAILURE"),
        ]
        assert [deployment.published("points", k) for k in "ab"] == [3, None]
