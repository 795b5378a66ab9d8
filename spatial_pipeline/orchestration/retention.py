"""The asset that deletes versions which contracts do not keep, and its schedule."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.operations import PruneTimes
from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.orchestration.keys import published_key
from spatial_pipeline.orchestration.run_retention import delete_old_runs
from spatial_pipeline.orchestration.schedules import operations_schedule
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.retention import PrunedPartition

RETENTION = dg.AssetKey(["operations", "retention"])
"""The asset that deletes old versions."""
METADATA = "spatial_pipeline/retention"
"""Metadata of a published asset: what its contract keeps."""
COLUMNS = ("partition", "versions", "bytes", "said")


def retention_metadata(contract: Contract) -> dict[str, Any]:
    """Metadata that tells the asset what a dataset keeps; empty when it keeps everything."""
    kept = contract.retention
    return {} if kept is None else {METADATA: kept.model_dump()}


def retention_of(repository: dg.RepositoryDefinition) -> dict[str, Retention]:
    """Retention of the datasets of a code location by their names."""
    found = {}
    for key, definition in repository.assets_defs_by_key.items():
        written = definition.specs_by_key[key].metadata.get(METADATA)
        value = getattr(written, "value", written)
        if isinstance(value, Mapping) and key == published_key(key.path[0]):
            found[key.path[0]] = Retention.model_validate(dict(value))
    return found


def retention_asset(times: PruneTimes) -> dg.AssetsDefinition:
    """Deletes what the contracts of the code location do not keep, and old runs."""

    @dg.asset(
        key=RETENTION,
        group_name="operations",
        kinds={"retention"},
        description="Deletes versions that neither readers nor a rollback need, as `retention` of"
        " each contract says; datasets without it keep everything.",
    )
    # Dagster does not recognise the parametrized class.
    def pruned(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from spatial_pipeline.pipeline.pipeline import database_of
        from spatial_pipeline.pipeline.retention import prune_versions, targets
        from spatial_pipeline.store.versions import Store

        settings = Settings()
        store = Store(settings.store, settings.lock_timeout_s)
        wanted = targets(store, retention_of(context.repository_def))
        done = asyncio.run(prune_versions(store, database_of(settings), wanted))
        errors = [f"{p.files.title}: {p.error}" for p in done if p.error]
        metadata: dict[str, Any] = {
            "versions": sum(len(p.files.removed) for p in done),
            "bytes": sum(p.freed for p in done),
            "list": _table(done),
            "runs": 0,
        }
        if times.runs is not None:
            before = time.time() - times.runs.total_seconds()
            metadata["runs"] = delete_old_runs(context.instance, before)
        if errors:
            raise dg.Failure(description="; ".join(errors), metadata=metadata)
        return dg.MaterializeResult(metadata=metadata)

    return pruned


def retention_schedule(times: PruneTimes) -> dg.ScheduleDefinition:
    """The schedule; switched on unless ``SPATIAL_AUTOSTART`` is false."""
    return operations_schedule(
        RETENTION, times.schedule, "Deletes versions that contracts do not keep."
    )


def _table(done: "list[PrunedPartition]") -> dg.TableMetadataValue:
    rows = [p for p in done if p.freed or p.stays or p.error]
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "partition": p.files.title,
                    "versions": str(len(p.files.removed)),
                    "bytes": str(p.freed),
                    "said": "; ".join([*([p.error] if p.error else []), *p.stays]),
                }
            )
            for p in rows
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(c, "string") for c in COLUMNS]),
    )
