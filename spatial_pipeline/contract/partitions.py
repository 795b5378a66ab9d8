"""Partitions of a dataset: their models, and the keys that they allow, without asking Dagster."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.spelling import closest, shown

if TYPE_CHECKING:
    from spatial_pipeline.contract.models import Contract

NO_PARTITION_KEY = ("...", "\a", "\b", "\f", "\n", "\r", "\t", "\v", "\0")
"""Texts that Dagster refuses in a partition key."""


class StaticPartitions(ContractModel):
    """A fixed list of partitions."""

    static: tuple[str, ...] = Field(min_length=1, description="Partition keys.")

    @field_validator("static")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            msg = "partition keys must be distinct"
            raise ValueError(msg)
        for key in value:
            for refused in NO_PARTITION_KEY:
                if refused in key:
                    msg = f"Dagster refuses the partition key {key!r}: it contains {refused!r}"
                    raise ValueError(msg)
        return value


class DailyPartitions(ContractModel):
    """One partition per day (key YYYY-MM-DD)."""

    daily: date = Field(description="First day.")


class DynamicPartitions(ContractModel):
    """Partitions that appear while the pipeline runs."""

    dynamic: str = Field(
        min_length=1, description="Name of Dagster's dynamic partitions definition."
    )


def keys_of(contract: Contract) -> tuple[str, ...] | None:
    """All partition keys; None when they are not fixed by the contract."""
    partitions = contract.partitions
    return partitions.static if isinstance(partitions, StaticPartitions) else None


def partition_mistake(contract: Contract, key: str) -> str | None:
    """Why a key is no partition of the dataset; None when it is, or cannot be known not to be."""
    partitions = contract.partitions
    if partitions is None:
        return f"{contract.name} has no partitions: leave out --partition"
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
