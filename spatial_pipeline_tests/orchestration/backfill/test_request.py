"""Pins what is relied upon of Dagster's backfills, which it does not promise to keep."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.test_utils import instance_for_test

from spatial_pipeline.orchestration.backfill import request as backfills
from spatial_pipeline.orchestration.backfill.request import STATES, TAG, BackfillState, Requested

PARTITIONS = dg.StaticPartitionsDefinition(["a", "b", "c"])
STAGED, PUBLISHED = dg.AssetKey(["x", "staged"]), dg.AssetKey(["x", "published"])


@dg.asset(key=STAGED, partitions_def=PARTITIONS)
def staged() -> None: ...


@dg.asset(key=PUBLISHED, deps=[STAGED], partitions_def=PARTITIONS)
def published() -> None: ...


DEFINITIONS = dg.Definitions([staged, published])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_for_test() as made:
        yield made


def request(instance: dg.DagsterInstance, identity: str, *keys: str, dataset: str = "x") -> bool:
    graph = DEFINITIONS.resolve_asset_graph()
    words = ("Title, with 3 words", "Why: it is")
    return backfills.request(instance, graph, identity, dataset, [STAGED, PUBLISHED], keys, words)


def test_every_status_is_known() -> None:
    assert set(STATES) == set(BulkActionStatus)


def test_asked_for_once(instance: dg.DagsterInstance) -> None:
    assert backfills.latest(instance, "x", STAGED) is None
    assert request(instance, "one", "a", "c")
    assert not request(instance, "one", "a", "c")
    (backfill,) = instance.get_backfills()
    assert backfill.status is BulkActionStatus.REQUESTED
    assert backfill.tags == {TAG: "x", "dagster/priority": "-1"}
    assert (backfill.title, backfill.description) == ("Title, with 3 words", "Why: it is")
    assert set(backfill.asset_selection or ()) == {STAGED, PUBLISHED}
    expected = Requested("one", BackfillState.ACTIVE, frozenset({"a", "c"}), frozenset())
    assert backfills.latest(instance, "x", STAGED) == expected
    assert backfills.latest(instance, "x", PUBLISHED) == expected


def test_ids_are_unique_in_the_database(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two daemons at the same moment: both see that there is no such backfill yet."""
    assert request(instance, "one", "a")
    known, looks = instance.get_backfill, []

    def blind_at_first(identity: str) -> object:
        looks.append(identity)
        return None if len(looks) == 1 else known(identity)

    monkeypatch.setattr(instance, "get_backfill", blind_at_first)
    assert not request(instance, "one", "a")
    assert len(instance.get_backfills()) == 1


def test_the_last_of_the_dataset_counts(instance: dg.DagsterInstance) -> None:
    request(instance, "one", "a")
    request(instance, "other", "a", dataset="y")
    request(instance, "two", "b")
    request(instance, "another", "a", dataset="y")
    found = backfills.latest(instance, "x", STAGED)
    assert found is not None
    assert found.id == "two"


@pytest.mark.parametrize("status", list(BulkActionStatus))
def test_states(instance: dg.DagsterInstance, status: BulkActionStatus) -> None:
    request(instance, "one", "a")
    (backfill,) = instance.get_backfills()
    instance.update_backfill(backfill.with_status(status))
    found = backfills.latest(instance, "x", STAGED)
    assert found is not None
    assert found.state is STATES[status]


def test_running_partitions(instance: dg.DagsterInstance) -> None:
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    for key, status in (
        ("a", dg.DagsterRunStatus.NOT_STARTED),
        ("b", dg.DagsterRunStatus.STARTED),
        ("c", dg.DagsterRunStatus.SUCCESS),
    ):
        instance.create_run_for_job(
            job, tags={"dagster/partition": key}, status=status,
            asset_selection=frozenset({STAGED}),
        )  # fmt: skip
    assert backfills.running(instance, [STAGED], ["a", "b", "c"]) == {"a", "b"}
    assert backfills.running(instance, [STAGED], ["b"]) == {"b"}
    assert backfills.running(instance, [dg.AssetKey("other")], ["a", "b", "c"]) == set()
