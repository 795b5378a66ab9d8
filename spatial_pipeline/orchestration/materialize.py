"""Runs datasets through Dagster in this process: the command line's ``run``."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.errors import SpatialPipelineError, StoreError
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.partitions import partitions_of
from spatial_pipeline.orchestration.run_end import RunEnd, run_end
from spatial_pipeline.pipeline.pipeline import Pipeline

logger = logging.getLogger("spatial_pipeline")
Outcome = Literal["published", "held", "failed"]


@dataclass(frozen=True)
class Row:
    """Result of a run for one partition of one dataset.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        version: the version that the run staged, None when staging itself failed.
        verdict: verdict of that version, None when the run did not check it.
        publication: the published version now, None when nothing was ever published.
        reasons: reasons why the version is not published, or why the run failed; empty on success.
        failed: True when the run could not do its work, regardless of the data.

    """

    dataset: str
    partition: str | None
    version: Version | None
    verdict: Verdict | None
    publication: Publication | None
    reasons: tuple[str, ...]
    failed: bool = False

    @property
    def outcome(self) -> Outcome:
        """``published``, ``held`` (the data are to blame) or ``failed`` (the run is)."""
        if self.failed:
            return "failed"
        return "held" if self.reasons else "published"

    @property
    def published(self) -> bool:
        """True when the run ended well and readers see its version."""
        return self.outcome == "published"


def materialize(
    contracts: Sequence[Contract],
    names: Sequence[str] | None = None,
    partition: str | None = None,
) -> Iterator[Row]:
    """Stages, checks and publishes datasets, each in its own Dagster run.

    A dataset runs after those that it is compared with; a failure does not stop the others. The
    runs are kept in the instance of ``DAGSTER_HOME`` when that is set, else they are discarded.

    Args:
        contracts: contracts of the project.
        names: datasets to run; all unless given.
        partition: partition to run; every partition unless given.

    Yields:
        One row per dataset and partition, as soon as its run has ended.

    Raises:
        StoreError: Dagster's own storage cannot be opened.

    """
    pipeline = Pipeline.of(contracts)
    with contextlib.ExitStack() as stack:
        instance = _instance(stack)
        for contract in in_order(contracts):
            if names and contract.name not in names:
                continue
            for key in _partition_keys(contract, partition, instance):
                yield _run(pipeline, contract, key, instance)


def in_order(contracts: Sequence[Contract]) -> list[Contract]:
    """Contracts so that each comes after those that it is compared with or scheduled after."""
    by_name = {c.name: c for c in contracts}
    graph = {
        c.name: [o for o in (*c.others, *c.after) if o in by_name.keys() - {c.name}]
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


def _instance(stack: contextlib.ExitStack) -> dg.DagsterInstance:
    home = os.environ.get("DAGSTER_HOME")
    try:
        return stack.enter_context(_of_home(home) if home else dg.DagsterInstance.ephemeral())
    except Exception as exc:
        where = f"DAGSTER_HOME={home}" if home else "a temporary folder"
        msg = f"Dagster cannot open its storage in {where}: {_in_words(exc)}"
        raise StoreError(msg) from exc


def _of_home(home: str) -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, which collects no usage statistics of what runs here.

    Without a setting in its dagster.yaml Dagster would, and print a notice about it on stderr.
    """
    overrides = {"telemetry": {"enabled": False}}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(home, overrides=overrides))


def _run(
    pipeline: Pipeline, contract: Contract, partition: str | None, instance: dg.DagsterInstance
) -> Row:
    try:
        job = dataset_definitions(contract).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance, partition_key=partition, raise_on_error=False
        )
        end = run_end(result, contract.name)
    except Exception as exc:
        logger.debug("%s", contract.name, exc_info=exc)
        end = RunEnd(succeeded=False, errors=(_in_words(exc),))
    try:
        return _row(pipeline, contract, partition, end)
    except (SpatialPipelineError, OSError) as exc:
        reasons = (*end.errors, _in_words(exc))
        return Row(contract.name, partition, None, None, None, reasons, failed=True)


def _row(pipeline: Pipeline, contract: Contract, partition: str | None, end: RunEnd) -> Row:
    name = contract.name
    publication = pipeline.store.published(name, partition)
    if end.version is None:
        reasons = end.errors or ("the run staged nothing; its log says why",)
        return Row(name, partition, None, None, publication, reasons, failed=True)
    version = Version(name, partition, end.version)
    verdict = pipeline.store.verdict(version) if end.checked else None
    if end.errors:
        return Row(name, partition, version, verdict, publication, end.errors, failed=True)
    if end.published:
        return Row(name, partition, version, verdict, publication, ())
    reasons = end.held or pipeline.decide(contract, version).reasons
    failed = not reasons
    reasons = reasons or ("the run ended before publication; its log says why",)
    return Row(name, partition, version, verdict, publication, reasons, failed)


def _in_words(exc: Exception) -> str:
    if isinstance(exc, SpatialPipelineError):
        return str(exc)
    return " ".join(f"{type(exc).__name__}: {exc}".split())
