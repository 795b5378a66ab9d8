"""Converts the partitions of a contract to those of Dagster."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.partitions import (
    DailyPartitions,
    DynamicPartitions,
    StaticPartitions,
)

StepContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


def partitions_of(contract: Contract) -> dg.PartitionsDefinition | None:
    """The partitions definition that staged, its checks and published share."""
    match contract.partitions:
        case StaticPartitions(static=keys):
            return dg.StaticPartitionsDefinition(list(keys))
        case DailyPartitions(daily=first):
            return dg.DailyPartitionsDefinition(
                start_date=first.isoformat(), timezone=contract.timezone
            )
        case DynamicPartitions(dynamic=name):
            return dg.DynamicPartitionsDefinition(name=name)
    return None


def partition_of_step(contract: Contract, context: StepContext) -> str | None:
    """The one partition that a step works on; None for a dataset without partitions.

    Raises:
        Failure: the run covers several partitions, or none of a partitioned dataset.

    """
    if contract.partitions is None:
        return None
    if context.has_partition_key:
        return str(context.partition_key)
    # A range of one partition has no partition key.
    keys = list(context.partition_keys) if context.has_partition_key_range else []
    if len(keys) == 1:
        return str(keys[0])
    said = f"{len(keys)} partitions, {keys[0]} to {keys[-1]}" if keys else "no partition"
    raise dg.Failure(
        description=f"{contract.name} is staged, checked and published one partition a run, and"
        f" this run is of {said}: launch it with one run per partition (a backfill without a"
        " BackfillPolicy does that)",
        allow_retries=False,
    )
