"""The sensor that watches the source of a dataset.

It reads names, sizes, times, ETags and the statistics of a database, never the data. A sensor of
Dagster has no event loop, so everything here is synchronous.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from spatial_pipeline.contract.database_url import is_database, redacted
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.partitions import DynamicPartitions
from spatial_pipeline.orchestration.autostart import sensor_status
from spatial_pipeline.orchestration.keys import DATASET_TAG, source_key, staged_key
from spatial_pipeline.orchestration.partitions import partitions_of
from spatial_pipeline.orchestration.schedules import Job, unfinished
from spatial_pipeline.orchestration.source_watch.cursor import (
    WHOLE,
    Conclusion,
    Cursor,
    SourceChange,
    conclude,
)
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.orchestration.source_watch.snapshot import Look

MOST = 50
"""Changes that are announced in one tick; the others wait for the next one."""
SHOWN = 5
FIRST_WAIT_S = 3600
"""Seconds after the first tick during which other datasets are waited for."""
DATA_VERSION_TAG = "dagster/data_version"


def source_sensor(contract: Contract, job: Job) -> dg.SensorDefinition | None:
    """A sensor that notices new and changed sources; None without ``watch``.

    It reports a materialization of the external source asset, and requests a run of the dataset
    unless the contract names an automation, which reacts to that report.
    """
    watched = contract.watched
    if watched is None:
        return None
    launches = contract.automation is None

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = int(datetime.now(UTC).timestamp())
        cursor = Cursor.loaded(context.cursor, now)
        # A code server that only shows the sensor needs no geospatial library.
        from spatial_pipeline.orchestration.source_watch.snapshot import look_at

        look = look_at(contract, Settings(), _keys(contract))
        if wait := _waits(contract, context, now - cursor.since):
            return dg.SensorResult(skip_reason=wait, cursor=cursor.dumped())
        found = conclude(cursor, look.remembered(cursor), MOST, settles=_settles(contract))
        return dg.SensorResult(
            run_requests=[_request(contract, cursor, c) for c in found.changes] if launches else [],
            asset_events=[_event(contract, c) for c in found.changes],
            dynamic_partitions_requests=_new_partitions(contract, found.changes),
            skip_reason=None if found.changes and launches else _said(found, look),
            cursor=found.cursor.dumped(),
        )

    return dg.SensorDefinition(
        name=f"{contract.name}_source_sensor",
        evaluation_fn=evaluate,
        job=job if launches else None,
        minimum_interval_seconds=int(watched.every.total_seconds()),
        default_status=sensor_status(),
        description=f"Watches {redacted(contract.source.uri)} for {contract.name}.",
    )


def _waits(contract: Contract, context: dg.SensorEvaluationContext, age_s: int) -> str:
    """Why nothing is announced yet: comparison data are on their way for the first time.

    Without them the rules could only fail. What never comes is waited for no longer than
    :data:`FIRST_WAIT_S` after the sensor's first tick.
    """
    if not contract.others or age_s > FIRST_WAIT_S:
        return ""
    from spatial_pipeline.store.versions import Store

    store = Store(Settings().store)
    known = set() if context.repository_def is None else context.repository_def.assets_defs_by_key
    wanted = [
        other
        for other in contract.others
        if staged_key(other) in known
        and store.published(other, None) is None
        and (not store.staged_partitions(other) or unfinished(context.instance, f"{other}_job"))
    ]
    return f"waits for the first version of {', '.join(wanted)}" if wanted else ""


def _keys(contract: Contract) -> list[str] | None:
    """Partitions that the contract allows now; None when it takes all that exist."""
    partitions = partitions_of(contract)
    if partitions is None:
        return [WHOLE]
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return None
    return list(partitions.get_partition_keys())


def _settles(contract: Contract) -> bool:
    """True for files, which can be seen while they are written; other stores show whole objects."""
    scheme, mark, _ = contract.source.uri.partition("://")
    on_disk = not mark or scheme.lower() in {"file", "package"}
    return on_disk and not is_database(contract.source.uri)


def _request(contract: Contract, cursor: Cursor, change: SourceChange) -> dg.RunRequest:
    # The number distinguishes a state that came back from the same state seen twice.
    parts = (contract.name, cursor.since, change.key, change.token, change.number)
    return dg.RunRequest(
        run_key=":".join(map(str, parts)),
        partition_key=change.key or None,
        tags={DATASET_TAG: contract.name},
    )


def _event(contract: Contract, change: SourceChange) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=source_key(contract.name),
        partition=change.key or None,
        description="The source is new or has changed.",
        metadata={"uri": redacted(contract.source.uri)},
        tags={DATA_VERSION_TAG: change.token},
    )


def _new_partitions(
    contract: Contract, changes: Sequence[SourceChange]
) -> list[dg.AddDynamicPartitionsRequest]:
    if not changes or not isinstance(contract.partitions, DynamicPartitions):
        return []
    keys = [c.key for c in changes]
    return [dg.AddDynamicPartitionsRequest(contract.partitions.dynamic, keys)]


def _said(found: Conclusion, look: Look) -> str:
    """The message of a tick that launches nothing, for the UI."""
    parts = [
        (f"reported to the automation: {_listed(c.key for c in found.changes)}", found.changes),
        (f"must stand still for one more look: {_listed(found.unsettled)}", found.unsettled),
        (f"wait for the next tick: {len(found.deferred)}", found.deferred),
        (f"not there any more, kept as it is: {_listed(found.gone)}", found.gone),
        ("; ".join(look.troubles[:SHOWN]), look.troubles),
    ]
    text = "; ".join(t for t, present in parts if present)
    if len(look.troubles) > SHOWN:
        text += f"; and {len(look.troubles) - SHOWN} more"
    return text or ("nothing changed" if look.tokens else "nothing is there yet")


def _listed(keys: Iterable[str]) -> str:
    names = [k or "the source" for k in keys]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
