"""Old runs go when a later one did the same, with events and logs; on both storages."""

import time

import dagster as dg
import pytest

from spatial_pipeline.orchestration.run_retention import delete_old_runs
from spatial_pipeline_tests.orchestration.daemons import STORAGES, storage

PARTS = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset(partitions_def=PARTS)
def tiles(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fail"):
        msg = "no"
        raise OSError(msg)


def build(instance: dg.DagsterInstance, partition: str, *, fail: bool = False) -> str:
    done = dg.materialize(
        [tiles], instance=instance, partition_key=partition, raise_on_error=False,
        tags={"fail": "yes"} if fail else {},
    )  # fmt: skip
    return done.run_id


@pytest.mark.parametrize("kind", STORAGES)
def test_only_what_was_done_again_goes(kind: str, request: pytest.FixtureRequest) -> None:
    with storage(kind, request) as instance:
        failed, first, second = (build(instance, "a", fail=f) for f in (True, False, False))
        alone = build(instance, "b")
        broken = build(instance, "b", fail=True)
        assert delete_old_runs(instance, time.time() - 60) == 0
        assert delete_old_runs(instance, time.time() + 60) == 2
        left = {r.run_id for r in instance.get_runs()}
        assert left == {second, alone, broken}
        assert not instance.get_records_for_run(first).records
        assert not instance.get_records_for_run(failed).records
        # Dagster knows of each partition what it knew before.
        assert instance.get_materialized_partitions(tiles.key) == {"a", "b"}
        assert delete_old_runs(instance, time.time() + 60) == 0
