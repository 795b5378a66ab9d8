"""Assets of a user that read what was published, and what halts them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import geopandas
import pytest

from spatial_pipeline import PublishedResource, gated
from spatial_pipeline.orchestration.keys import published_key, staged_key
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project, run

PUBLISHED = published_key("points")


@dg.asset(ins={"points": dg.AssetIn(key=PUBLISHED)})
def count(points: geopandas.GeoDataFrame) -> int:
    """Takes the last good version."""
    return len(points)


@dg.asset(ins={"points": dg.AssetIn(key=PUBLISHED, metadata={"require": "current"})})
def count_current(points: geopandas.GeoDataFrame) -> int:
    """Takes the newest delivery only."""
    return len(points)


@dg.asset(deps=[PUBLISHED])
@gated("points")
def gated_current() -> int:
    """Does not read, and waits for the newest delivery all the same."""
    return 1


@dg.asset(deps=[PUBLISHED])
@gated("points", require="last")
def gated_last(context: dg.AssetExecutionContext, reader: PublishedResource) -> int:
    """Reads by itself."""
    assert context.asset_key == dg.AssetKey("gated_last")
    return len(reader.read("points"))


DOWNSTREAM = [count, count_current, gated_current, gated_last]
NAMES = {a.key.path[-1] for a in DOWNSTREAM}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    return Project(tmp_path)


def definitions(project: Project, *assets: Any) -> dg.Definitions:
    own = dg.Definitions(assets=assets or DOWNSTREAM, resources={"reader": PublishedResource()})
    return dg.Definitions.merge(project.definitions(), own)


def made(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Values of the downstream assets that were materialized."""
    names = [
        e.step_key
        for e in result.all_events
        if e.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and e.step_key in NAMES
    ]
    return {n: result.output_for_node(n) for n in names if n is not None}


def why(result: dg.ExecuteInProcessResult, step: str) -> str:
    (event,) = [e for e in result.get_step_failure_events() if e.step_key == step]
    return str(event.step_failure_data.user_failure_data.description)


def test_in_the_same_run(project: Project, instance: dg.DagsterInstance) -> None:
    defs = definitions(project)
    project.supply(GOOD)
    first = run(defs, instance)
    assert made(first) == {
        "count": 3, "count_current": 3, "gated_current": 1, "gated_last": 3,
    }  # fmt: skip
    project.supply(BAD)
    second = run(defs, instance)
    assert not second.success
    assert made(second) == {}


def test_alone(project: Project, instance: dg.DagsterInstance) -> None:
    defs = definitions(project)
    alone = dg.AssetSelection.assets(*DOWNSTREAM)
    before = run(defs, instance, alone)
    assert made(before) == {}
    assert "points has no published version" in why(before, "count")
    project.supply(GOOD)
    run(defs, instance)
    project.supply(BAD)
    run(defs, instance)
    after = run(defs, instance, alone)
    assert made(after) == {"count": 3, "gated_last": 3}
    for step in ("count_current", "gated_current"):
        assert "the newest delivery of points is held: not_empty" in why(after, step)


def test_in_partitions_and_over_a_fan_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    keys = ["north", "south", "west"]
    source = {"uri": str(tmp_path / "points-{partition}.geojson")}
    project = Project(tmp_path, partitions={"static": keys}, source=source)
    partitions = dg.StaticPartitionsDefinition(keys)

    @dg.asset(name="count", ins={"points": dg.AssetIn(key=PUBLISHED)}, partitions_def=partitions)
    def each(points: geopandas.GeoDataFrame) -> int:
        return len(points)

    @dg.asset(name="gated_current", deps=[PUBLISHED], partitions_def=partitions)
    @gated("points")
    def waits() -> int:
        return 1

    @dg.asset(name="gated_last", ins={"points": dg.AssetIn(key=PUBLISHED)})
    def together(points: dict[str, geopandas.GeoDataFrame]) -> dict[str, int]:
        return {k: len(v) for k, v in points.items()}

    @dg.asset(
        name="count_current",
        ins={"points": dg.AssetIn(key=PUBLISHED, metadata={"require": "current"})},
    )
    def together_current(points: dict[str, geopandas.GeoDataFrame]) -> int:
        return len(points)

    defs = definitions(project, each, waits, together, together_current)
    upstream = dg.AssetSelection.assets(staged_key("points"), PUBLISHED)
    for key in ("north", "south"):
        project.supply(GOOD, f"points-{key}")
        assert run(defs, instance, upstream, key).success
    project.supply(BAD, "points-south")
    assert not run(defs, instance, upstream, "south").success
    own = dg.AssetSelection.assets(each, waits)
    assert made(run(defs, instance, own, "north")) == {"count": 3, "gated_current": 1}
    south = run(defs, instance, own, "south")
    assert made(south) == {"count": 3}
    assert "points[south] is held" in why(south, "gated_current")
    west = run(defs, instance, own, "west")
    assert made(west) == {}
    assert "points[west] is not published" in why(west, "count")
    fan = run(defs, instance, dg.AssetSelection.assets(together, together_current))
    assert made(fan) == {"gated_last": {"north": 3, "south": 3}}
    assert "points[south] is held" in why(fan, "count_current")


def test_automation_asks_for_nothing_after_a_held_delivery(
    project: Project, instance: dg.DagsterInstance
) -> None:
    eager = dg.AutomationCondition.eager()
    automatic = count.with_attributes(automation_condition=eager)
    defs = definitions(project, automatic)
    target = dg.AssetSelection.assets(count)
    tick = dg.evaluate_automation_conditions(defs, instance, target)
    project.supply(GOOD)
    upstream = dg.AssetSelection.assets(staged_key("points"), PUBLISHED)
    assert run(defs, instance, upstream).success
    tick = dg.evaluate_automation_conditions(defs, instance, target, cursor=tick.cursor)
    assert tick.total_requested == 1
    assert made(run(defs, instance, target)) == {"count": 3}
    project.supply(BAD)
    assert not run(defs, instance, upstream).success
    tick = dg.evaluate_automation_conditions(defs, instance, target, cursor=tick.cursor)
    assert tick.total_requested == 0


def test_the_io_manager_publishes_nothing(project: Project, instance: dg.DagsterInstance) -> None:
    @dg.asset(name="count", io_manager_key="spatial_published")
    def writes() -> int:
        return 1

    result = run(definitions(project, writes), instance, dg.AssetSelection.assets(writes))
    assert not result.success
    (event,) = result.get_step_failure_events()
    assert "only reads published datasets" in event.step_failure_data.error.to_string()


def test_other_assets_are_no_datasets(project: Project, instance: dg.DagsterInstance) -> None:
    @dg.asset
    def other() -> None:
        """Publishes nothing."""

    @dg.asset(
        name="count",
        ins={"found": dg.AssetIn(key="other", input_manager_key="spatial_published")},
    )
    def reads(found: Any) -> int:
        return len(found)

    defs = definitions(project, other, reads)
    result = run(defs, instance, dg.AssetSelection.assets(other, reads))
    assert "asset other is not a published dataset: expected NAME/published" in why(result, "count")
