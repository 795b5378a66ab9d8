"""The alert sensor; one per code location."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState

from spatial_pipeline.alert.dispatcher import AlertDispatcher, AlertState, Rules
from spatial_pipeline.alert.message import Links
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem
from spatial_pipeline.alert.routing import QuietTimes, Route
from spatial_pipeline.contract.operations import AlertRoute, Alerts
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.orchestration.alerts.run_reader import Location, Reader, subject_of
from spatial_pipeline.orchestration.alerts.state import Book, Position, events_of, finished_runs
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.store.versions import Store

NAME = "alerts"
READ_S = 12.0
"""Seconds of a tick for reading; the rest is read in the next tick."""
SEND_S = 15.0
"""Seconds of a tick for sending; a message in progress may take SEND_LIMIT_S more."""


def alerts_sensor(alerts: Alerts) -> dg.SensorDefinition:
    """The sensor; it is switched on by default, since alerts that are off protect no one."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=alerts.interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people what fails, stays failing, and is fixed; see docs/alerts.md.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return tick(context, alerts)

    return sensor


def broken_sensor(mistakes: str) -> dg.SensorDefinition:
    """Stand-in sensor for an operations file with mistakes: every tick fails with them."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"The operations file has mistakes:\n\n```\n{mistakes}\n```",
    )
    def sensor() -> dg.SkipReason:
        raise dg.Failure(description=mistakes)

    return sensor


def tick(context: dg.SensorEvaluationContext, alerts: Alerts) -> dg.SkipReason:
    """Reads new events, stores their messages, sends what waits."""
    # Apprise, matplotlib and the store are loaded by the first tick, not with the definitions.
    from spatial_pipeline.pipeline import alert_context
    from spatial_pipeline.store.files import locked_now
    from spatial_pipeline.store.versions import Store

    settings = Settings()
    store = Store(settings.store, settings.lock_timeout_s)
    origin = context.code_location_origin
    name = origin.location_name if origin is not None else "location"
    with locked_now(lock_of(store.root, name)) as free:
        if not free:
            return dg.SkipReason("another tick is still at work")
        desk = AlertDispatcher(
            Book(context.instance, name),
            alert_context.channels_of(settings),
            Rules(
                routes=tuple(_route(r) for r in alerts.routes),
                remind_after_s=alerts.remind_after_s,
                digest_above=alerts.digest_above,
                retry_after_s=alerts.retry_after_s,
                links=Links(settings.ui_url, settings.store_url, settings.environment),
            ),
            exhibit=lambda problems, key: alert_context.exhibit_of(store, problems, key),
        )
        if context.repository_def is None:
            msg = "the alerts need the definitions of their code location"
            raise SpatialPipelineError(msg)
        location = Location(name, context.repository_def)
        observations, position = _read(context.instance, desk.state, location, store)
        observations += _late(context.instance, location)
        desk.take(observations, position.to_text())
        report = desk.deliver(SEND_S)
    context.update_cursor(str(position.floor))
    unknown = {c for r in alerts.routes for c in r.channels} - {c.name for c in desk.channels}
    if not desk.channels:
        return dg.SkipReason("nobody is told: SPATIAL_ALERT_URLS is not set")
    if report.none_worked:
        msg = f"no alert channel works: {report}"
        raise SpatialPipelineError(msg)
    said = f"; routes name unknown channels: {', '.join(sorted(unknown))}" if unknown else ""
    return dg.SkipReason(f"{report}{said}")


def _read(
    instance: dg.DagsterInstance, state: AlertState, location: Location, store: "Store"
) -> tuple[list[Observation], Position]:
    from spatial_pipeline.pipeline import alert_context, held

    now = time.time()
    end = time.monotonic() + READ_S
    position = Position.of(state.position, now)
    reader = Reader(
        location,
        store.verdict,
        lambda version, name, run_id, owners, verdict: alert_context.fact_of(
            store, version, name, run_id, owners, verdict
        ),
    )
    observations: list[Observation] = []
    more = True
    while more and time.monotonic() < end:
        records = finished_runs(instance, position)
        more = bool(records)
        read = []
        for record in records:
            if time.monotonic() >= end:
                break
            run = instance.get_run_by_id(record.run_id)
            if run is not None:
                events = events_of(instance, run.run_id)
                seen = reader.observation(run, events, record.timestamp)
                observations += [] if seen is None else [seen]
            read.append(record)
        position = position.after(read, now)
    if reader.inventory_at is not None:
        listed = held.observation(store, reader.inventory_at, state.by_key, observations)
        observations.append(listed)
    return observations, position


def _late(instance: dg.DagsterInstance, location: Location) -> list[Observation]:
    """Problems reported by Dagster's freshness policies."""
    keys = list(location.owners)
    facts: list[Problem] = []
    right: list[Key] = []
    for asset, record in instance.get_freshness_state_records(keys).items():
        key = Key(subject_of(asset), None, Kind.LATE, asset.path[-1])
        state = record.freshness_state
        if state is FreshnessState.PASS:
            right.append(key)
        elif state in (FreshnessState.WARN, FreshnessState.FAIL):
            late = state is FreshnessState.FAIL
            facts.append(
                Problem(
                    key,
                    Severity.ERROR if late else Severity.WARN,
                    f"{asset.to_user_string()} is {'late' if late else 'nearly late'} "
                    f"since {record.updated_at:%Y-%m-%d %H:%M} UTC",
                    status="late" if late else "nearly late",
                    asset=asset.to_user_string(),
                    owners=location.owners[asset],
                )
            )
    return [Observation.of(time.time(), facts, right)] if facts or right else []


def _route(written: AlertRoute) -> Route:
    quiet = written.quiet
    times = None if quiet is None else QuietTimes(*quiet.minutes, quiet.timezone)
    return Route(written.channels, written.owners, written.datasets, written.severity, times)


def lock_of(root: Path, name: str) -> Path:
    """Lock under which the state of the alerts of a code location is changed."""
    safe = "".join(c if c.isalnum() else "_" for c in name)
    return root / f".alerts-{safe}.lock"
