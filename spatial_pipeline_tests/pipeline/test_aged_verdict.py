"""A verdict against another dataset ages when that dataset is published anew, on every path."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dagster as dg
import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.keys import published_key
from spatial_pipeline.orchestration.materialize import materialize
from spatial_pipeline.pipeline.held import standing
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.staleness import outdated
from spatial_pipeline_tests.orchestration.projects import GOOD, run, write_points


class Two:
    """Points that must be as many as those of another dataset."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.other = VectorContract.model_validate(
            {"name": "other", "source": {"uri": str(folder / "other.geojson")}}
        )
        self.points = VectorContract.model_validate(
            {
                "name": "points",
                "source": {"uri": str(folder / "{partition}.geojson")},
                "partitions": {"static": ["a"]},
                "on_schema_change": "backfill",
                "rules": [{"rule": "same_count_as", "other": {"dataset": "other"}}],
            }
        )
        self.pipeline = Pipeline.of([self.other, self.points])
        self.supply("other", 3)
        self.supply("a", 3)

    def supply(self, name: str, count: int) -> None:
        write_points(self.folder / f"{name}.geojson", (GOOD * 2)[:count])

    def check(self, contract: VectorContract, partition: str | None = None) -> Version:
        version = self.pipeline.stage(contract, partition)
        asyncio.run(self.pipeline.audit(contract, version))
        return version

    def publish_other(self, count: int) -> None:
        self.supply("other", count)
        self.pipeline.publish(self.other, self.check(self.other))


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    made = Two(tmp_path)
    made.publish_other(3)
    return made


def test_publishing_is_refused_with_that_reason_until_it_is_checked_again(two: Two) -> None:
    version = two.check(two.points, "a")
    assert two.pipeline.decide(two.points, version).open
    before = two.pipeline.store.published_version("other", None)
    two.publish_other(4)
    after = two.pipeline.store.published_version("other", None)
    reason = (
        f"same_count_as: compared with version {before.id} of other, of which {after.id}"
        " is published now: check it again"
    )
    assert two.pipeline.decide(two.points, version).reasons == (reason,)
    with pytest.raises(GateClosedError, match="compared with version"):
        two.pipeline.publish(two.points, version)
    held = standing(two.pipeline.store, "points", "a", two.points)
    assert held is not None
    assert held.reasons == (reason,)
    two.publish_other(3)  # the version that it was compared with
    two.pipeline.publish(two.points, version)


def test_the_published_asset_alone_is_held_and_a_whole_run_checks_again(two: Two) -> None:
    two.check(two.points, "a")
    two.publish_other(4)
    alone = dg.AssetSelection.assets(published_key("points"))
    with dg.DagsterInstance.ephemeral() as instance:
        defs = dataset_definitions(two.points)
        assert not run(defs, instance, alone, partition="a").success
        assert two.pipeline.store.published("points", "a") is None
    (row,) = materialize([two.other, two.points], ["points"], "a")
    assert row.outcome == "held"
    assert "same_count_as: failed" in row.reasons[0]


def test_a_rollback_checks_again(two: Two) -> None:
    first = two.check(two.points, "a")
    two.pipeline.publish(two.points, first)
    two.publish_other(4)
    two.supply("a", 4)
    two.pipeline.publish(two.points, two.check(two.points, "a"))
    with pytest.raises(GateClosedError, match="same_count_as: failed"):
        asyncio.run(two.pipeline.roll_back(two.points, "a"))
    two.publish_other(3)
    assert asyncio.run(two.pipeline.roll_back(two.points, "a")).version == first.id


def test_the_backfill_after_a_change_makes_it_again(two: Two) -> None:
    two.pipeline.publish(two.points, two.check(two.points, "a"))
    assert outdated(two.pipeline, two.points, ["a"]) == []
    two.publish_other(4)
    (found,) = outdated(two.pipeline, two.points, ["a"])
    assert "compared with version" in found.why
    # Held under today's other data, it waits for its source.
    two.check(two.points, "a")
    assert outdated(two.pipeline, two.points, ["a"]) == []


def test_its_own_publication_ages_nothing(two: Two, tmp_path: Path) -> None:
    own = VectorContract.model_validate(
        {
            "name": "other",
            "source": {"uri": str(tmp_path / "other.geojson")},
            "rules": [{"rule": "same_count_as", "other": {"dataset": "other"}}],
        }
    )
    write_points(tmp_path / "other.geojson", [[7, 7], [8, 8], [9, 9]])
    version = two.check(own)
    two.pipeline.publish(own, version)
    assert two.pipeline.decide(own, version).open
