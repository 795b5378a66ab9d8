"""The nightly run of a dataset."""

from collections.abc import Iterator

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline.orchestration.partitions import partitions_of


def schedule_of(contract: Contract) -> dg.ScheduleDefinition | None:
    """A schedule that materializes staged, checks and published; None without ``schedule``.

    Of daily partitions the last complete day is run, of other partitions all of them, each in a
    run of its own.
    """
    if contract.schedule is None:
        return None
    partitions = partitions_of(contract)
    job = dg.define_asset_job(
        f"{contract.name}_job",
        selection=dg.AssetSelection.assets(staged_key(contract.name), published_key(contract.name)),
        description=f"Stages, checks and publishes {contract.name}.",
    )

    def requests(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        if partitions is None:
            yield dg.RunRequest()
            return
        now = context.scheduled_execution_time
        dynamic = isinstance(partitions, dg.DynamicPartitionsDefinition)
        keys = partitions.get_partition_keys(
            current_time=now, dynamic_partitions_store=context.instance if dynamic else None
        )
        if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
            keys = keys[-1:]
        for key in keys:
            yield dg.RunRequest(
                partition_key=key, run_key=f"{context.scheduled_execution_time}:{key}"
            )

    return dg.ScheduleDefinition(
        name=f"{contract.name}_schedule",
        job=job,
        cron_schedule=contract.schedule,
        execution_timezone="UTC",
        execution_fn=requests,
        description=f"Nightly run of {contract.name}.",
    )
