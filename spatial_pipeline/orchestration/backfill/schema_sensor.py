"""The sensor that rebuilds partitions after their contract or schema changed."""

from typing import TYPE_CHECKING

import dagster as dg

from spatial_pipeline.contract.models import Backfill, Contract
from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline.orchestration.autostart import sensor_status
from spatial_pipeline.orchestration.backfill import request
from spatial_pipeline.orchestration.backfill.planner import PlannedStep, PlannerCursor, next_step
from spatial_pipeline.orchestration.partitions import partitions_of

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.staleness import Outdated

INTERVAL_S = 30


def schema_sensor_of(contract: Contract) -> dg.SensorDefinition | None:
    """A sensor for a partitioned dataset with ``on_schema_change: backfill``; else None.

    A dataset without partitions needs none: its next run takes the change.
    """
    partitions = partitions_of(contract)
    if contract.on_schema_change != "backfill" or partitions is None:
        return None
    bounds = contract.backfill or Backfill()
    name = contract.name
    assets = [staged_key(name), published_key(name)]

    @dg.sensor(
        name=f"{name}_schema_sensor",
        asset_selection=dg.AssetSelection.assets(*assets),
        minimum_interval_seconds=INTERVAL_S,
        default_status=sensor_status(),
        description=(
            f"Makes the partitions of {name} again that were built under another contract or"
            f" schema: the {bounds.order} first, {bounds.at_most} in a backfill, one backfill after"
            " the other. What a person cancels stays cancelled until the next change."
        ),
    )
    def schema_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        # A code server that only shows the sensor needs no geometry library.
        from spatial_pipeline.pipeline.pipeline import Pipeline
        from spatial_pipeline.pipeline.staleness import outdated

        instance, repository = context.instance, context.repository_def
        if repository is None:
            return dg.SkipReason("no code location")
        keys = list(partitions.get_partition_keys(dynamic_partitions_store=instance))
        if bounds.order == "newest":
            keys.reverse()
        last = request.latest(instance, name, assets[0])
        found: list[Outdated] = []
        if last is None or last.state is not request.BackfillState.ACTIVE:
            found = outdated(Pipeline.of([contract]), contract, keys)
        busy = [o.partition for o in found]
        running = request.running(instance, assets, busy) if busy else set()
        memory = PlannerCursor.of_text(context.cursor)
        step = next_step(memory, last, found, running, bounds.at_most)
        if step.launch:
            request.request(
                instance,
                repository.asset_graph,
                step.identity,
                name,
                assets,
                [o.partition for o in step.launch],
                _words(name, step),
            )
        context.update_cursor(step.memory.to_text())
        return dg.SkipReason(_told(step))

    return schema_sensor


def _words(dataset: str, step: PlannedStep) -> tuple[str, str]:
    """Title and description of a backfill."""
    later = f", {step.left} to follow" if step.left else ""
    why: dict[str, list[str]] = {}
    for found in step.launch:
        why.setdefault(found.why, []).append(found.partition)
    told = "; ".join(f"{reason}: {', '.join(keys)}" for reason, keys in why.items())
    return f"{dataset} after a change, {len(step.launch)} partitions{later}", told


def _told(step: PlannedStep) -> str:
    """The tick's message in the UI."""
    if not step.launch:
        return step.told
    keys = ", ".join(o.partition for o in step.launch)
    later = f"; {step.left} to follow" if step.left else ""
    return f"backfill {step.identity} of {keys}{later}"
