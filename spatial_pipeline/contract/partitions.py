"""Partition keys that a contract allows, without asking Dagster."""

from __future__ import annotations

from datetime import date

from spatial_pipeline.contract.models import Contract, DailyPartitions, StaticPartitions
from spatial_pipeline.contract.spelling import closest, shown


def keys_of(contract: Contract) -> tuple[str, ...] | None:
    """All partition keys; None when they are not fixed by the contract."""
    partitions = contract.partitions
    return partitions.static if isinstance(partitions, StaticPartitions) else None


def partition_mistake(contract: Contract, key: str) -> str | None:
    """Why a key is no partition of the dataset; None when it is, or cannot be known not to be."""
    partitions = contract.partitions
    if partitions is None:
        return f"{contract.name} has no partitions"
    if isinstance(partitions, StaticPartitions):
        if key in partitions.static:
            return None
        near = closest(key, partitions.static)
        return f"{contract.name} has no partition {shown(key)}{near.hint}"
    if isinstance(partitions, DailyPartitions):
        try:
            day = date.fromisoformat(key)
        except ValueError:
            return f"{contract.name}: {shown(key)} is not a day (YYYY-MM-DD)"
        if day.isoformat() != key:
            return f"{contract.name}: {shown(key)} is not a day (YYYY-MM-DD)"
        if day < partitions.daily:
            return f"{contract.name}: the first day is {partitions.daily.isoformat()}"
    return None
