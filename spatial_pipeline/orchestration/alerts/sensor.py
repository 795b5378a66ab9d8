"""The alert sensor; one per code location."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

from spatial_pipeline.alert.dispatcher import AlertDispatcher, AlertState, Rules
from spatial_pipeline.alert.message import Links
from spatial_pipeline.alert.problems import Kind, Observation
from spatial_pipeline.alert.routing import QuietTimes, Route
from spatial_pipeline.contract.operations import AlertRoute, Alerts
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.orchestration.alerts.contracts import of_contracts
from spatial_pipeline.orchestration.alerts.lateness import lateness
from spatial_pipeline.orchestration.alerts.run_reader import Location, Reader
from spatial_pipeline.orchestration.alerts.state import Book, Position, events_of, finished_runs
from spatial_pipeline.orchestration.autostart import sensor_status
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.store.versions import Store

NAME = "alerts"
READ_S = 12.0
"""Seconds of a tick for reading; the rest is read in the next tick."""
SCHEMA_OPEN_S = 86_000.0
"""Seconds until an accepted schema change is no news any more; less than a day, so unreminded."""
SEND_S = 15.0
"""Seconds of a tick for sending; a message in progress may take SEND_LIMIT_S more."""
_said: set[str] = set()
"""Code locations of which this process said that they have no channels."""


def alerts_sensor(alerts: Alerts, mistakes: str = "") -> dg.SensorDefinition:
    """The sensor; switched on unless ``SPATIAL_AUTOSTART`` is false.

    Args:
        alerts: who is told.
        mistakes: mistakes in the operations file, which are told as an incident.

    """

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=alerts.interval_s,
        default_status=sensor_status(),
        description="Sends alerts about failures, reminders and recoveries; see docs/alerts.md.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return tick(context, alerts, mistakes)

    return sensor


def tick(context: dg.SensorEvaluationContext, alerts: Alerts, mistakes: str = "") -> dg.SkipReason:
    """Reads new events, stores their messages, sends what waits."""
    # Apprise, matplotlib and the store are loaded by the first tick, not with the definitions.
    from spatial_pipeline.pipeline import alert_context
    from spatial_pipeline.store.files import locked_now
    from spatial_pipeline.store.root_files import alerts_lock
    from spatial_pipeline.store.versions import Store

    settings = Settings()
    store = Store(settings.store, settings.lock_timeout_s)
    origin = context.code_location_origin
    name = origin.location_name if origin is not None else "location"
    with locked_now(alerts_lock(store.root, name)) as free:
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
        late = lateness(context.instance, location, position.met, time.time())
        observations += late.observations
        position = replace(position, met=late.met)
        observations.append(of_contracts(context.instance, location, desk.state.by_key, mistakes))
        observations.append(_known_schemas(desk.state, time.time()))
        desk.take(observations, position.to_text())
        report = desk.deliver(SEND_S)
    context.update_cursor(str(position.floor))
    unknown = {c for r in alerts.routes for c in r.channels} - {c.name for c in desk.channels}
    if not desk.channels:
        return without_channels(name)
    if report.none_worked:
        msg = f"no alert channel works: {report}"
        raise SpatialPipelineError(msg)
    said = f"; routes name unknown channels: {', '.join(sorted(unknown))}" if unknown else ""
    return dg.SkipReason(f"{report}{said}{_heartbeat(settings)}")


def without_channels(location: str) -> dg.SkipReason:
    """Says once a process and code location that nobody is told; the daemon logs every reason."""
    if location in _said:
        return dg.SkipReason()
    _said.add(location)
    return dg.SkipReason("nobody is told: SPATIAL_ALERT_URLS is not set")


def _heartbeat(settings: Settings) -> str:
    """Tells the watching service that this tick was good; the words for a service that is down."""
    if settings.heartbeat_url is None:
        return ""
    # httpx2 is loaded where it is used.
    from spatial_pipeline.alert.heartbeat import ping

    wrong = ping(settings.heartbeat_url.get_secret_value())
    return f"; {wrong}" if wrong else ""


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


def _known_schemas(state: AlertState, now: float) -> Observation:
    """Accepted schema changes that were told a while ago: they close by themselves."""
    told = [k for k, i in state.by_key.items() if k.kind is Kind.SCHEMA]
    return Observation.of(
        now, [], [k for k in told if now - state.by_key[k].opened_at >= SCHEMA_OPEN_S]
    )


def _route(written: AlertRoute) -> Route:
    quiet = written.quiet
    times = None if quiet is None else QuietTimes(*quiet.minutes, quiet.timezone)
    return Route(written.channels, written.owners, written.datasets, written.severity, times)
