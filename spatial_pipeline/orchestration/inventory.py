"""The asset that lists held versions, with its check and its schedule."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from spatial_pipeline.contract.operations import Inventory
from spatial_pipeline.orchestration.alerts.run_reader import INVENTORY
from spatial_pipeline.orchestration.schedules import operations_schedule
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.held import Standing

CHECK = "nothing_held"
MOST_LISTED = 200
COLUMNS = ("dataset", "partition", "state", "since", "readers_see", "reasons")


def inventory_asset() -> dg.AssetsDefinition:
    """Reads the store and lists what readers do not get; its check warns when there is anything."""

    @dg.asset(
        key=INVENTORY,
        group_name="operations",
        kinds={"inventory"},
        description="Partitions and datasets whose last staged version is held, was never checked, "
        "or passed and was not published.",
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=INVENTORY,
                description="Readers see the version staged last, in every dataset.",
            )
        ],
    )
    # Dagster does not recognise the parametrized class beside check_specs.
    def listed() -> dg.MaterializeResult:  # type: ignore[type-arg]
        from spatial_pipeline.pipeline.held import inventory
        from spatial_pipeline.store.versions import Store

        found = inventory(Store(Settings().store))
        metadata: dict[str, Any] = {"held": len(found), "list": _table(found)}
        return dg.MaterializeResult(
            metadata=metadata,
            check_results=[
                dg.AssetCheckResult(
                    passed=not found,
                    check_name=CHECK,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=_said(found),
                    metadata=metadata,
                )
            ],
        )

    return listed


def inventory_schedule(listed: Inventory) -> dg.ScheduleDefinition:
    """The schedule; switched on unless ``SPATIAL_AUTOSTART`` is false."""
    return operations_schedule(INVENTORY, listed.schedule, "Lists what is held.")


def _said(found: "list[Standing]") -> str:
    if not found:
        return "nothing is held"
    oldest = found[0]
    return f"{len(found)} held, the oldest since {_when(oldest.since)}: {oldest.title}"


def _when(at: str) -> str:
    """``2026-11-23 08:13 UTC``, of an ISO 8601 time."""
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _table(found: "list[Standing]") -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "dataset": s.dataset,
                    "partition": s.partition or "",
                    "state": s.state,
                    "since": _when(s.since),
                    "readers_see": s.readers_see or "nothing",
                    "reasons": "; ".join(s.reasons),
                }
            )
            for s in found[:MOST_LISTED]
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(c, "string") for c in COLUMNS]),
    )
