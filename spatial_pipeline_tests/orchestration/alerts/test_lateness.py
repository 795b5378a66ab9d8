"""What was never published is late from when it was first seen, whatever Dagster calls it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration.alerts.lateness import Lateness, lateness
from spatial_pipeline.orchestration.alerts.run_reader import Location
from spatial_pipeline.orchestration.alerts.state import Position
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.keys import published_key

FIRST = datetime(2035, 6, 1, 5, 0, tzinfo=UTC)


class Seen:
    """A code location of one dataset, looked at again and again."""

    def __init__(self, instance: dg.DagsterInstance, freshness: dict[str, Any]) -> None:
        contract = VectorContract.model_validate(
            {"name": "points", "source": {"uri": "points.gpkg"}, "freshness": freshness}
        )
        repository = dataset_definitions(contract).get_repository_def()
        self.location = Location("here", repository)
        self.instance = instance
        self.met: dict[str, float] = {}

    def at(self, **after: float) -> str:
        """Status of the dataset some time after it was first seen; empty when it is not late."""
        at = (FIRST + timedelta(**after)).timestamp()
        found: Lateness = lateness(self.instance, self.location, self.met, at)
        # Kept from tick to tick as the alerts keep it.
        self.met = Position.of(Position(0.0, met=found.met).to_text(), 0.0).met
        (observation,) = found.observations or [None]
        if observation is None:
            return "not judged"
        return observation.facts[0].status if observation.facts else ""


@pytest.fixture
def instance() -> Any:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def test_an_age_counts_from_the_first_look(instance: dg.DagsterInstance) -> None:
    seen = Seen(instance, {"at_most": "26h", "warn_after": "24h"})
    assert seen.at() == ""
    assert seen.at(hours=23) == ""
    assert seen.at(hours=25) == "nearly late"
    assert seen.at(hours=27) == "late"
    instance.report_runless_asset_event(dg.AssetMaterialization(published_key("points")))
    # From here on it is for Dagster to say.
    assert seen.at(hours=28) == "not judged"
    assert seen.met == {}


def test_a_deadline_counts_when_there_was_time_for_it(instance: dg.DagsterInstance) -> None:
    seen = Seen(instance, {"deadline": "0 7 * * *", "within": "8h"})
    assert seen.at() == ""
    assert seen.at(hours=3) == ""  # eight o'clock: seen two hours before, too late for this one
    assert seen.at(hours=25) == ""
    assert seen.at(hours=27) == "late"
