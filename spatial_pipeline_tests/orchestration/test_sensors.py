"""Source sensors through a real daemon, on both storages: noticed once and only once."""

from __future__ import annotations

import os

from dagster._core.scheduler.instigation import TickStatus

from spatial_pipeline.orchestration.keys import source_key
from spatial_pipeline_tests.orchestration.daemons import Deployment
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, write_points

WATCHED = """
source: {uri: points.geojson}
watch: true
rules: [{rule: not_empty}]
"""
TILES = """
source: {uri: "tiles/{partition}.geojson"}
partitions: {dynamic: tiles}
watch: {every: 30s}
rules: [{rule: not_empty}]
"""
JOB = ("points_job",)


def test_a_changed_file_is_noticed_once_and_only_once(deployment: Deployment) -> None:
    path = deployment.folder / "points.geojson"
    with deployment.serving(points=WATCHED):
        (tick,) = deployment.sense()
        assert tick.status is TickStatus.SKIPPED
        assert tick.skip_reason == "points.geojson: does not exist"

        write_points(path, GOOD)
        (tick,) = deployment.sense()
        assert tick.skip_reason == "must stand still for one more look: the source"
        (tick,) = deployment.sense()
        assert tick.status is TickStatus.SUCCESS
        assert deployment.runs() == [(None, JOB, "SUCCESS")]
        assert deployment.published("points") == 3
        (tick,) = deployment.sense(10)
        assert tick.skip_reason == "nothing changed"
        assert len(deployment.runs()) == 1

        for more in range(2):  # it grows from look to look
            write_points(path, [*GOOD, *([[9, 9]] * (more + 1))])
            (tick,) = deployment.sense()
            assert tick.skip_reason == "must stand still for one more look: the source"
        assert len(deployment.runs()) == 1
        deployment.sense(3)
        assert deployment.runs() == [(None, JOB, "SUCCESS")] * 2
        assert deployment.published("points") == 5

        before = path.stat()
        content = path.read_bytes()
        path.unlink()
        (tick,) = deployment.sense()
        assert tick.status is TickStatus.SKIPPED
        assert tick.skip_reason is not None
        assert "not there any more" in tick.skip_reason
        assert "does not exist" in tick.skip_reason
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        (tick,) = deployment.sense(2)
        assert tick.skip_reason == "nothing changed"

        write_points(path, BAD)
        deployment.sense(2)
        assert [o for _, _, o in deployment.runs()] == ["SUCCESS", "SUCCESS", "FAILURE"]
        assert deployment.published("points") == 5
        events = deployment.instance.fetch_materializations(source_key("points"), limit=10)
        versions = [e.asset_materialization.tags["dagster/data_version"] for e in events.records]
        assert len(set(versions)) == len(versions) == 3


def test_a_new_file_makes_a_partition_and_a_run(deployment: Deployment) -> None:
    folder = deployment.folder / "tiles"
    with deployment.serving(points=TILES):
        (tick,) = deployment.sense()
        assert tick.skip_reason == "nothing is there yet"
        folder.mkdir()
        write_points(folder / "a.geojson", GOOD)
        write_points(folder / "b.geojson", BAD)
        (folder / "notes.txt").write_text("no tile")
        deployment.sense()
        assert deployment.instance.get_dynamic_partitions("tiles") == []
        deployment.sense()
        assert sorted(deployment.instance.get_dynamic_partitions("tiles")) == ["a", "b"]
        assert sorted(deployment.runs()) == [("a", JOB, "SUCCESS"), ("b", JOB, "FAILURE")]
        deployment.sense()
        assert len(deployment.runs()) == 2

        write_points(folder / "c.geojson", GOOD)
        (folder / "a.geojson").unlink()
        (tick,) = deployment.sense(3)
        assert sorted(deployment.instance.get_dynamic_partitions("tiles")) == ["a", "b", "c"]
        assert deployment.runs()[2:] == [("c", JOB, "SUCCESS")]
        assert tick.skip_reason == "not there any more, kept as it is: a"
        assert [deployment.published("points", k) for k in "abc"] == [3, None, 3]


def test_data_without_their_comparison_data_wait_for_them(deployment: Deployment) -> None:
    for name in ("points", "other"):
        write_points(deployment.folder / f"{name}.geojson", GOOD)
    compared = """
source: {uri: points.geojson}
watch: {every: 60s}
rules: [{rule: same_count_as, other: {dataset: other}}]
"""
    other = """
source: {uri: other.geojson}
watch: {every: 60s}
rules: [{rule: not_empty}]
"""
    with deployment.serving(other=other, points=compared):
        ticks = deployment.sense()
        assert deployment.runs() == []
        assert any(t.skip_reason == "waits for the first version of other" for t in ticks)
        deployment.sense(3)
        assert [r[1:] for r in deployment.runs()] == [
            (("other_job",), "SUCCESS"),
            (("points_job",), "SUCCESS"),
        ]
        assert deployment.published("points") == 3
