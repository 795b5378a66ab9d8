"""Converts the partitions of a contract to those of Dagster."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.models import (
    Contract,
    DailyPartitions,
    DynamicPartitions,
    StaticPartitions,
)


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
