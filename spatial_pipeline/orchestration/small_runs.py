"""Whether a run is so small that its steps need no processes of their own.

A process per step costs seconds, whatever the step does; it isolates the run from a step that
crashes or is killed. So a run is executed in its worker only if it holds nothing but steps of
datasets whose data are small local files, and if it is no second attempt: whatever ended the first
one must not end the worker again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules.catalogue import only_own_rules
from spatial_pipeline.orchestration.keys import PARTITION_TAG
from spatial_pipeline.runtime.parent_death import outlive_parent
from spatial_pipeline.runtime.unused_packages import arrow_without_pandas
from spatial_pipeline.settings import Settings

logger = logging.getLogger("spatial_pipeline")
SMALL = 16 << 20
"""Bytes, all datasets of a run together, up to which it is executed in its worker."""
SECOND_ATTEMPT = ("dagster/parent_run_id", "dagster/retry_number")
"""Tags of a run that repeats another one."""
SEVERAL = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Tags of a run over several partitions."""
STEPS = ("staged", "checks", "published")
_DATASETS: dict[str, Contract] = {}
"""Name of each step of the datasets of this code location → the contract."""


def remember_steps(contract: Contract) -> None:
    """Notes which steps a dataset has."""
    _DATASETS.update({f"{contract.name}__{step}": contract for step in STEPS})


def small_datasets(run: dg.DagsterRun, steps: Iterable[str]) -> list[Contract]:
    """The datasets of a run that its worker may execute without processes for its steps.

    Args:
        run: the run.
        steps: keys of the steps that it executes.

    Returns:
        Their contracts; none when the steps get processes.

    """
    if any(tag in run.tags for tag in (*SECOND_ATTEMPT, *SEVERAL)):
        return []
    contracts: dict[str, Contract] = {}
    for step in steps:
        if step not in _DATASETS:
            return []
        contracts[_DATASETS[step].name] = _DATASETS[step]
    found = list(contracts.values())
    try:
        return found if _bytes(found, run.tags.get(PARTITION_TAG)) <= SMALL else []
    except Exception:
        logger.exception("the size of the run is not known: its steps get processes")
        return []


def prepare_worker(contracts: list[Contract]) -> None:
    """Makes this process, the worker of a small run, ready for the steps of its datasets."""
    from spatial_pipeline.ingest.cage import client

    # It imports its libraries in parallel with this process.
    client.start(*{c.kind for c in contracts})
    # The process that launched this one may be restarted while the run goes on.
    outlive_parent()
    if only_own_rules(contracts):
        arrow_without_pandas()


def _bytes(contracts: list[Contract], partition: str | None) -> float:
    """Bytes of all datasets; infinite when one is not known."""
    # A code server that only shows a run needs no geometry library.
    from spatial_pipeline.pipeline.work_size import work_bytes
    from spatial_pipeline.store.versions import Store

    settings = Settings()
    store, total = Store(settings.store), 0.0
    for contract in contracts:
        if contract.partitions is not None and partition is None:
            return math.inf
        key = None if contract.partitions is None else partition
        size = work_bytes(contract, key, store, settings.allowed_sources)
        total += math.inf if size is None else size
        if total > SMALL:
            break
    return total


__all__ = ["SMALL", "prepare_worker", "remember_steps", "small_datasets"]
