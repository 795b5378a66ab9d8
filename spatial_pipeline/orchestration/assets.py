"""The assets of a dataset: an external source, staged, published."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

from spatial_pipeline.contract.database_url import redacted
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.gate.wording import held_line
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration import metadata
from spatial_pipeline.orchestration.automation import published_condition, staged_condition
from spatial_pipeline.orchestration.freshness import freshness_of
from spatial_pipeline.orchestration.keys import (
    CRON,
    ZONE,
    comparison_key,
    published_key,
    source_key,
    staged_key,
)
from spatial_pipeline.orchestration.openlineage import StepLineage
from spatial_pipeline.orchestration.partitions import partition_of_step, partitions_of
from spatial_pipeline.orchestration.progress import progress_of
from spatial_pipeline.orchestration.resources import READING, SpatialResource
from spatial_pipeline.orchestration.retention import retention_metadata

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.pipeline import Pipeline

POSTGIS_POOL = "postgis"
"""Pool of the steps that write tables: connections are limited, regardless of the runs."""


def source_spec(contract: Contract) -> dg.AssetSpec:
    """The source as an external asset: Dagster observes it and does not materialize it."""
    return dg.AssetSpec(
        key=source_key(contract.name),
        description=f"Source of {contract.name}: {redacted(contract.source.uri)}",
        group_name=_group(contract),
        owners=list(contract.owners),
        kinds={contract.kind, "source"},
        metadata={"uri": redacted(contract.source.uri)}
        | ({"layer": contract.source.layer} if contract.source.layer else {}),
        partitions_def=partitions_of(contract),
    )


def staged_asset(contract: Contract) -> dg.AssetsDefinition:
    """Ingests the source into an immutable version."""

    @dg.asset(
        key=staged_key(contract.name),
        deps=[source_key(contract.name)],
        description=f"{contract.description}\n\nStaged and checked; readers do not see it.",
        group_name=_group(contract),
        owners=list(contract.owners),
        kinds={contract.kind, _format(contract)},
        partitions_def=partitions_of(contract),
        code_version=contract.source.ingest_key,
        automation_condition=staged_condition(contract),
    )
    def staged(
        context: dg.AssetExecutionContext, spatial: SpatialResource
    ) -> dg.MaterializeResult[None]:
        pipeline = spatial.pipeline(contract)
        partition = partition_of_step(contract, context)
        shown = progress_of(contract.name, partition, "ingest")
        with StepLineage(context, contract, "staged", partition) as lineage:
            lineage.reads_source()
            version = pipeline.stage(contract, partition, _logged(context, shown))
            lineage.writes(pipeline, version, staged_key(contract.name))
        return dg.MaterializeResult(
            metadata=metadata.of_version(pipeline, contract, version),
            data_version=dg.DataVersion(version.id),
        )

    return staged


def published_asset(contract: Contract) -> dg.AssetsDefinition:
    """Publishes the staged version, if the gate is open for it.

    The publishing step itself asks the gate, because Dagster's blocking checks stop it only in the
    run in which they failed.
    """

    @dg.asset(
        key=published_key(contract.name),
        deps=[
            staged_key(contract.name),
            *([comparison_key(contract.name)] if contract.others else []),
        ],
        description=f"{contract.description}\n\nThe last version that passed its contract.",
        group_name=_group(contract),
        owners=list(contract.owners),
        kinds={contract.kind, _format(contract)},
        io_manager_key=READING,
        metadata=retention_metadata(contract) | _published_metadata(contract),
        partitions_def=partitions_of(contract),
        code_version=contract.rules_hash,
        pool=POSTGIS_POOL if contract.table is not None else None,
        automation_condition=published_condition(contract),
        freshness_policy=freshness_of(contract),
    )
    async def published(
        context: dg.AssetExecutionContext, spatial: SpatialResource
    ) -> dg.MaterializeResult[None]:
        pipeline = spatial.pipeline(contract)
        partition = partition_of_step(contract, context)
        version = pipeline.store.staged_version(contract.name, partition)
        # The geospatial libraries are those of the step, not of the code server.
        from spatial_pipeline.pipeline.schema_approval import taken_by_policy

        async with StepLineage(context, contract, "published", partition) as lineage:
            lineage.reads(pipeline, version)
            taken = await asyncio.to_thread(taken_by_policy, pipeline, contract, version)
            try:
                publication = await pipeline.apublish(contract, version)
            except GateClosedError as exc:
                raise _held(pipeline, version, exc) from exc
            lineage.writes(pipeline, version, published_key(contract.name))
        data = pipeline.store.data_path(version)
        return dg.MaterializeResult(
            metadata={
                **metadata.of_version(pipeline, contract, version),
                "data": dg.MetadataValue.path(str(data)),
                "published_at": publication.published_at,
                **({} if taken is None else metadata.of_schema_change(contract, taken)),
            },
            data_version=dg.DataVersion(version.id),
        )

    return published


def _held(pipeline: "Pipeline", version: Version, error: GateClosedError) -> dg.Failure:
    """The failure of a step that the gate refused."""
    former = pipeline.store.published(version.dataset, version.partition)
    verdict = pipeline.store.verdict(version)
    line = held_line(() if verdict is None else verdict.results, error.reasons)
    return dg.Failure(
        description=f"{line}\n\n{error}",
        metadata={
            "version": version.id,
            "reasons": dg.MetadataValue.json(list(error.reasons)),
            "still_published": former.version if former else "nothing",
        },
        allow_retries=False,
    )


def _published_metadata(contract: Contract) -> dict[str, str]:
    found: dict[str, str] = {}
    if contract.table is not None:
        found["dagster/table_name"] = str(contract.table)
    if contract.cron is not None:
        # Read by the schedules of datasets that wait for this one.
        found[CRON], found[ZONE] = contract.cron, contract.timezone
    return found


def _logged(
    context: dg.AssetExecutionContext, shown: Callable[[int, int | None], None]
) -> Callable[[int, int | None], None]:
    """Progress of long ingests, shown, and in the run's log at every tenth."""
    seen = 0

    def progress(done: int, total: int | None) -> None:
        nonlocal seen
        shown(done, total)
        step = max(1, (total or 0) // 10)
        if done // step > seen:
            seen = done // step
            context.log.info(f"ingested {done} of {total if total is not None else '?'}")

    return progress


def _group(contract: Contract) -> str:
    return contract.group or contract.name


def _format(contract: Contract) -> str:
    return "parquet" if contract.kind == "vector" else "tiff"


__all__ = [
    "published_asset",
    "published_key",
    "source_key",
    "source_spec",
    "staged_asset",
    "staged_key",
]
