"""Dagster's own backfills, through interfaces that Dagster does not declare stable.

``PartitionBackfill`` and the instance's methods around it are what the UI itself uses for a
backfill of assets; they are not public. All code that depends on them is here, and the tests of
this module pin their behaviour.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.execution.backfill import (
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import PARTITION_NAME_TAG, PRIORITY_TAG

TAG = "spatial_pipeline/schema_change"
"""Tag of a backfill and of its runs; its value is the dataset."""
PRIORITY = "-1"
"""Priority of these runs in the queue: after those of schedules and people."""


class BackfillState(Enum):
    """States of a backfill."""

    ACTIVE = "active"
    DONE = "done"
    CANCELED = "canceled"
    BROKEN = "broken"


STATES = {
    BulkActionStatus.REQUESTED: BackfillState.ACTIVE,
    BulkActionStatus.CANCELING: BackfillState.ACTIVE,
    BulkActionStatus.FAILING: BackfillState.ACTIVE,
    BulkActionStatus.CANCELED: BackfillState.CANCELED,
    BulkActionStatus.FAILED: BackfillState.BROKEN,
    BulkActionStatus.COMPLETED: BackfillState.DONE,
    BulkActionStatus.COMPLETED_SUCCESS: BackfillState.DONE,
    BulkActionStatus.COMPLETED_FAILED: BackfillState.DONE,
}
"""BROKEN: the daemon gave up; a backfill with failed runs is DONE."""


@dataclass(frozen=True)
class Requested:
    """A requested backfill.

    Attributes:
        id: its id.
        state: its state.
        partitions: keys to materialize.
        launched: keys for which runs were launched.

    """

    id: str
    state: BackfillState
    partitions: frozenset[str]
    launched: frozenset[str]


def latest(instance: dg.DagsterInstance, dataset: str, key: dg.AssetKey) -> Requested | None:
    """The last backfill requested for a dataset's changes; None before the first.

    Args:
        instance: the instance.
        dataset: name of the dataset.
        key: asset of the partitions.

    """
    found = instance.get_backfills(filters=BulkActionsFilter(tags={TAG: dataset}), limit=1)
    if not found:
        return None
    backfill = found[0]
    data = backfill.asset_backfill_data
    return Requested(
        id=backfill.backfill_id,
        state=STATES[backfill.status],
        partitions=_keys(data.target_subset, key) if data else frozenset(),
        launched=_keys(data.requested_subset, key) if data else frozenset(),
    )


def request(
    instance: dg.DagsterInstance,
    graph: BaseAssetGraph[Any],
    identity: str,
    dataset: str,
    assets: Sequence[dg.AssetKey],
    partitions: Sequence[str],
    words: tuple[str, str],
) -> bool:
    """Requests a backfill; False when this one was requested already.

    Args:
        instance: the instance.
        graph: assets of the code location.
        identity: id of the backfill; the same id is never requested twice.
        dataset: name of the dataset.
        assets: assets to materialize.
        partitions: keys of the partitions to materialize.
        words: title and description in the UI.

    """
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=identity,
        asset_graph=graph,
        partition_names=list(partitions),
        asset_selection=list(assets),
        backfill_timestamp=time.time(),
        tags={TAG: dataset, PRIORITY_TAG: PRIORITY},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=words[0],
        description=words[1],
        run_config=None,
    )
    if instance.get_backfill(identity) is not None:
        return False
    try:
        instance.add_backfill(backfill)
    except Exception:
        # Another tick of a daemon that was thought dead may have been faster: ids are unique.
        if instance.get_backfill(identity) is None:
            raise
        return False
    return True


def running(
    instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey], partitions: Sequence[str]
) -> set[str]:
    """The partitions that a run of one of the assets is building, or is queued to build."""
    wanted = set(assets)
    found = instance.get_runs(
        filters=dg.RunsFilter(
            statuses=NOT_FINISHED_STATUSES, tags={PARTITION_NAME_TAG: list(partitions)}
        )
    )
    return {
        run.tags[PARTITION_NAME_TAG]
        for run in found
        if run.asset_selection is None or wanted & set(run.asset_selection)
    }


def _keys(subset: AssetGraphSubset, key: dg.AssetKey) -> frozenset[str]:
    found: Mapping[dg.AssetKey, object] = subset.partitions_subsets_by_asset_key
    if key not in found:
        return frozenset()
    return frozenset(subset.get_partitions_subset(key).get_partition_keys())
