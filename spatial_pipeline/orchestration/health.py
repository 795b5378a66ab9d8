"""Whether a deployment works: daemon, sensors, code locations, store, database, alert channels.

Read from outside of the daemon, for probes of a container platform and for people.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, TickStatus

from spatial_pipeline.alert.dispatcher import AlertDispatcher
from spatial_pipeline.alert.message import when
from spatial_pipeline.alert.outbox import DOWN_AFTER
from spatial_pipeline.alert.problems import Kind
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.orchestration.alerts.sensor import NAME
from spatial_pipeline.orchestration.alerts.state import Book
from spatial_pipeline.pipeline.alert_context import channels_of
from spatial_pipeline.pipeline.pipeline import database_of
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.root_files import probe_file

logger = logging.getLogger("spatial_pipeline")
SILENT_S = 300.0
"""Seconds without a sign of life after which a daemon or the alerts count as standing still."""
LEAST_FREE = 256 << 20
"""Bytes that the disk of the store must have free."""
SHOWN = 5


@dataclass(frozen=True)
class Probe:
    """The state of one part of a deployment.

    Attributes:
        name: name of the part.
        healthy: False when people must act.
        said: one sentence.

    """

    name: str
    healthy: bool
    said: str


def probes(settings: Settings, home: str | None) -> list[Probe]:
    """The state of every part.

    Args:
        settings: the environment.
        home: folder of ``dagster.yaml``, None when it is not set.

    """
    found: list[Probe] = []
    if home is None:
        said = "DAGSTER_HOME is not set: daemon, sensors and code locations are unknown"
        found.append(Probe("daemon", False, said))
    else:
        try:
            with _instance(home) as instance:
                found += [_daemon(instance), _sensors(instance)]
                found += [_location(instance), _queues(instance)]
        except Exception as exc:
            logger.debug("Dagster's storage", exc_info=exc)
            said = f"Dagster's storage cannot be read: {_in_words(exc)}"
            found.append(Probe("daemon", False, said))
    found.append(_guarded("store", lambda: _store(settings.store)))
    found.append(_guarded("database", lambda: _database(settings)))
    found.append(_guarded("channels", lambda: _channels(settings)))
    return found


def _daemon(instance: dg.DagsterInstance) -> Probe:
    beats = instance.get_daemon_heartbeats()
    now = time.time()
    wrong: list[str] = []
    for kind in sorted(instance.get_required_daemon_types()):
        beat = beats.get(kind)
        if beat is None:
            wrong.append(f"{kind} never ran")
        elif now - beat.timestamp > SILENT_S:
            wrong.append(f"{kind} shows no sign of life since {when(beat.timestamp)} UTC")
    return Probe("daemon", not wrong, _listed(wrong) or "every daemon works")


def _sensors(instance: dg.DagsterInstance) -> Probe:
    """Sensors and schedules whose last tick failed."""
    wrong: list[str] = []
    running = [s for s in instance.all_instigator_state() if s.is_running]
    for state in running:
        tick = _last_tick(instance, state)
        if tick is not None and tick.status is TickStatus.FAILURE:
            error = tick.error
            told = "" if error is None else f": {error.message.strip().splitlines()[0]}"
            wrong.append(f"the last tick of {state.instigator_name} failed{told}")
    return Probe("sensors", not wrong, _listed(wrong) or f"{len(running)} work")


def _location(instance: dg.DagsterInstance) -> Probe:
    """Code locations, by the ticks of their alerts and the mistakes that these told."""
    wrong: list[str] = []
    names: list[str] = []
    for state in instance.all_instigator_state():
        if state.instigator_name != NAME:
            continue
        name = state.origin.repository_origin.code_location_origin.location_name
        names.append(name)
        if not state.is_running:
            wrong.append(f"the alerts of {name} are switched off")
            continue
        tick = _last_tick(instance, state)
        if tick is None or time.time() - tick.timestamp > SILENT_S:
            since = "" if tick is None else f" since {when(tick.timestamp)} UTC"
            wrong.append(f"the alerts of {name} did not tick{since}: does the location load?")
        wrong += [
            f"the contract of {key.dataset} has mistakes"
            for key in AlertDispatcher(Book(instance, name), ()).state.by_key
            if key.kind is Kind.CONTRACT
        ]
    if not names:
        wrong.append("no code location has alerts: add a spatial_pipeline.Operations component")
    return Probe("location", not wrong, _listed(wrong) or f"{', '.join(sorted(names))} work")


def _queues(instance: dg.DagsterInstance) -> Probe:
    """Alerts that wait because a channel takes nothing."""
    wrong: list[str] = []
    for state in instance.all_instigator_state():
        if state.instigator_name != NAME:
            continue
        location = state.origin.repository_origin.code_location_origin.location_name
        outbox = AlertDispatcher(Book(instance, location), ()).state.outbox
        for channel, queue in outbox.queues.items():
            if queue.failures >= DOWN_AFTER:
                since = "" if queue.down_since is None else f" since {when(queue.down_since)} UTC"
                wrong.append(
                    f"channel {channel} takes nothing{since}, {len(queue.entries)} wait"
                    f" ({queue.error})"
                )
    return Probe("alerts", not wrong, _listed(wrong) or "nothing waits")


def _store(root: Path) -> Probe:
    root.mkdir(parents=True, exist_ok=True)
    file = probe_file(root)
    file.write_bytes(b"written")
    file.unlink()
    free = shutil.disk_usage(root).free
    said = f"{root} takes files, {free / 2**30:.1f} GiB free"
    return Probe("store", free >= LEAST_FREE, said)


def _database(settings: Settings) -> Probe:
    database = database_of(settings)
    if database is None:
        return Probe("database", True, "none: files only")

    async def ask() -> None:
        async with database.opened(), database.connection() as connection:
            await connection.fetchval("SELECT 1")

    asyncio.run(ask())
    return Probe("database", True, "it answers")


def _channels(settings: Settings) -> Probe:
    names = [c.name for c in channels_of(settings)]
    return Probe("channels", True, ", ".join(names) or "none: nobody is told")


def _guarded(name: str, probe: Callable[[], Probe]) -> Probe:
    try:
        return probe()
    except Exception as exc:
        logger.debug("%s", name, exc_info=exc)
        return Probe(name, False, _in_words(exc))


@contextmanager
def _instance(home: str) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(os.fspath(home)) as instance:
        yield instance


def _last_tick(instance: dg.DagsterInstance, state: InstigatorState) -> InstigatorTick | None:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return ticks[0] if ticks else None


def _listed(wrong: list[str]) -> str:
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return "; ".join(wrong[:SHOWN]) + more


def _in_words(exc: Exception) -> str:
    if isinstance(exc, SpatialPipelineError):
        return str(exc)
    return " ".join(f"{type(exc).__name__}: {exc}".split())
