"""Runs datasets through Dagster in this process: the command line's ``run``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import OtherDataset
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.partitions import partitions_of
from spatial_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Row:
    """What became of one partition of one dataset in a run.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        version: the staged version, None when staging itself failed.
        verdict: verdict of that version, None when it was not checked.
        publication: what readers see now, None when nothing was ever published.
        reasons: why the version is held; empty when it is published.

    """

    dataset: str
    partition: str | None
    version: Version | None
    verdict: Verdict | None
    publication: Publication | None
    reasons: tuple[str, ...]

    @property
    def published(self) -> bool:
        """True when readers see the version of this run."""
        return (
            self.version is not None
            and self.publication is not None
            and self.publication.version == self.version.id
            and not self.reasons
        )


def materialize(
    contracts: Sequence[Contract],
    names: Sequence[str] | None = None,
    partition: str | None = None,
) -> Iterator[Row]:
    """Stages, checks and publishes datasets, each in a Dagster run of its own.

    A dataset comes after those that it is compared with; one that fails stops no other. The runs
    are kept in the instance of ``DAGSTER_HOME`` when that is set, else they are forgotten.

    Args:
        contracts: contracts of the project.
        names: datasets to run; all unless given.
        partition: partition to run; every partition unless given.

    Yields:
        One row a dataset and partition, as soon as its run has ended.

    """
    pipeline = Pipeline.of(contracts)
    with contextlib.ExitStack() as stack:
        instance = stack.enter_context(
            dg.DagsterInstance.get()
            if os.environ.get("DAGSTER_HOME")
            else dg.DagsterInstance.ephemeral()
        )
        for contract in in_order(contracts):
            if names and contract.name not in names:
                continue
            for key in _partition_keys(contract, partition, instance):
                _run(contract, key, instance)
                yield _row(pipeline, contract, key)


def in_order(contracts: Sequence[Contract]) -> list[Contract]:
    """Contracts so that each comes after the datasets that it is compared with."""
    by_name = {c.name: c for c in contracts}
    graph = {
        c.name: [
            o.dataset
            for r in c.rules
            for o in r.others()
            if isinstance(o, OtherDataset) and o.dataset in by_name.keys() - {c.name}
        ]
        for c in contracts
    }
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def _partition_keys(
    contract: Contract, partition: str | None, instance: dg.DagsterInstance
) -> Sequence[str | None]:
    partitions = partitions_of(contract)
    if partitions is None:
        return [None]
    if partition is not None:
        return [partition]
    return list(partitions.get_partition_keys(dynamic_partitions_store=instance))


def _run(contract: Contract, partition: str | None, instance: dg.DagsterInstance) -> None:
    job = dataset_definitions(contract).resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=instance, partition_key=partition, raise_on_error=False)


def _row(pipeline: Pipeline, contract: Contract, partition: str | None) -> Row:
    publication = pipeline.store.published(contract.name, partition)
    try:
        version = pipeline.store.staged_version(contract.name, partition)
    except StoreError as exc:
        return Row(contract.name, partition, None, None, publication, (str(exc),))
    verdict = pipeline.store.verdict(version)
    reasons = pipeline.decide(contract, version).reasons
    if not reasons and (publication is None or publication.version != version.id):
        reasons = ("the run ended before publication; its log says why",)
    return Row(contract.name, partition, version, verdict, publication, reasons)
