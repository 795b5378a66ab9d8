"""When conditions fire, without a daemon: what the daemon's tests are too slow for."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.keys import published_key, source_key, staged_key

PARTED: dict[str, Any] = {
    "source": {"uri": "{partition}.gpkg"},
    "partitions": {"static": ["n", "s"]},
}


def contract(name: str, **more: Any) -> VectorContract:
    return VectorContract.model_validate({"name": name, "source": {"uri": f"{name}.gpkg"}, **more})


class Ticks:
    """Evaluations of all conditions of some contracts, one after the other."""

    def __init__(self, *contracts: VectorContract) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.definitions = dg.Definitions.merge(*map(dataset_definitions, contracts))
        self.cursor: Any = None

    def tick(self) -> dict[str, set[str | None]]:
        """Assets that are requested, with their partitions."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor
        )
        self.cursor = result.cursor
        requested: dict[str, set[str | None]] = {}
        for found in result.results:
            keys = (
                found.true_subset.expensively_compute_partition_keys()
                if found.true_subset.is_partitioned
                else {None}
            )
            if not found.true_subset.is_empty:
                requested[found.key.to_user_string()] = set(keys)
        return requested

    def materialized(self, key: dg.AssetKey, partition: str | None = None) -> None:
        event = dg.AssetMaterialization(asset_key=key, partition=partition)
        self.instance.report_runless_asset_event(event)


def test_without_automation_nothing_is_requested() -> None:
    ticks = Ticks(contract("a"))
    assert ticks.tick() == ticks.tick() == {}


def test_eager_and_on_missing_begin_with_what_is_missing_and_do_not_repeat_it() -> None:
    for automation in ("eager", "on_missing"):
        ticks = Ticks(contract("a", automation=automation))
        assert "a/staged" in ticks.tick()
        assert "a/staged" not in ticks.tick() | ticks.tick() | ticks.tick()


def test_what_is_staged_already_is_not_requested_again_at_the_beginning() -> None:
    ticks = Ticks(contract("a", automation="eager"))
    ticks.materialized(staged_key("a"))
    ticks.materialized(published_key("a"))
    assert ticks.tick() == ticks.tick() == {}


@pytest.mark.parametrize("more", [{}, PARTED])
def test_only_what_the_watch_has_seen_is_read(more: dict[str, Any]) -> None:
    ticks = Ticks(contract("a", automation="eager", watch=True, **more))
    assert ticks.tick() == ticks.tick() == {}
    key = "n" if more else None
    ticks.materialized(source_key("a"), key)
    assert ticks.tick()["a/staged"] == {key}
    assert "a/staged" not in ticks.tick()
    ticks.materialized(source_key("a"), key)
    assert ticks.tick()["a/staged"] == {key}


def test_a_change_during_a_run_is_not_forgotten_when_that_run_ends() -> None:
    ticks = Ticks(contract("a", automation="eager", watch=True))
    ticks.materialized(source_key("a"))
    assert "a/staged" in ticks.tick()
    assert "a/staged" not in ticks.tick()
    ticks.materialized(source_key("a"))
    ticks.materialized(staged_key("a"))  # of what the source was before
    assert "a/staged" in ticks.tick()
    assert "a/staged" not in ticks.tick()


def test_on_missing_leaves_changed_partitions_alone() -> None:
    ticks = Ticks(contract("a", automation="on_missing", watch=True, **PARTED))
    ticks.materialized(source_key("a"), "n")
    assert ticks.tick()["a/staged"] == {"n"}
    ticks.materialized(staged_key("a"), "n")
    ticks.materialized(source_key("a"), "n")
    assert "a/staged" not in ticks.tick()
    ticks.materialized(source_key("a"), "s")
    assert ticks.tick()["a/staged"] == {"s"}


@pytest.mark.parametrize("more", [{}, PARTED])
def test_eager_proves_again_when_what_is_compared_with_is_new(more: dict[str, Any]) -> None:
    rules = [{"rule": "same_features_as", "other": {"dataset": "border"}, "key": ["id"]}]
    ticks = Ticks(contract("border", **more), contract("a", automation="eager", rules=rules))
    for key in (source_key("a"), staged_key("a"), published_key("a")):
        ticks.materialized(key)
    assert ticks.tick() == ticks.tick() == {}
    ticks.materialized(published_key("border"), "n" if more else None)
    assert ticks.tick() == {"a/staged": {None}}
    assert ticks.tick() == {}


def test_published_waits_for_the_blocking_checks() -> None:
    ticks = Ticks(contract("a", automation="on_missing", rules=[{"rule": "not_empty"}]))
    assert ticks.tick() == {"a/staged": {None}}
    ticks.materialized(staged_key("a"))
    assert ticks.tick() == ticks.tick() == {}


def test_all_conditions_name_the_blocking_checks() -> None:
    for automation in ("eager", "on_missing", {"on_cron": "@daily"}):
        definitions = dataset_definitions(contract("a", automation=automation))
        graph = definitions.resolve_asset_graph()
        for key in (staged_key("a"), published_key("a")):
            condition = graph.get(key).automation_condition
            assert condition is not None
            labels = [c.get_label() for c in condition.children]
            assert "all_deps_blocking_checks_passed" in labels
        assert all(graph.get(k).automation_condition is None for k in graph.asset_check_keys)


def test_the_sensor_of_the_contract_takes_the_place_of_the_default_one() -> None:
    definitions = dataset_definitions(contract("a", automation="eager"))
    (sensor,) = definitions.get_repository_def().sensor_defs
    assert sensor.name == "a_automation"
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_what_is_compared_waits_for_the_first_version_of_the_other() -> None:
    rules = [{"rule": "same_count_as", "other": {"dataset": "b"}}]
    ticks = Ticks(contract("a", automation="eager", rules=rules), contract("b"))
    assert ticks.tick() == {}
    ticks.materialized(staged_key("b"))
    assert ticks.tick() == {}
    ticks.materialized(published_key("b"))
    assert ticks.tick() == {"a/staged": {None}}


def test_missed_days_are_in_reach_of_a_daily_condition() -> None:
    ticks = Ticks(
        contract(
            "a",
            source={"uri": "{partition}.gpkg"},
            partitions={"daily": "2026-01-01"},
            automation="on_missing",
            catch_up=3,
        )
    )
    (days,) = {frozenset(v) for v in ticks.tick().values()}
    assert len(days) == 4
