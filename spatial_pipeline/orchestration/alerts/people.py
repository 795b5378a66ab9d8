"""Acknowledgements, silences and resets: the state of the alerts for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from spatial_pipeline.alert.dispatcher import AlertDispatcher, AlertState
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.orchestration.alerts.state import Book, locations_of
from spatial_pipeline.pipeline import alert_context
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.locks import locked
from spatial_pipeline.store.root_files import alerts_lock

PATIENCE_S = 60.0
"""Longest wait for a tick of the sensor that is at work."""


def alert_states() -> dict[str, AlertState]:
    """The state of the alerts of every code location of the instance, by its name."""
    with _instance() as instance:
        return {n: AlertDispatcher(Book(instance, n), ()).state for n in locations_of(instance)}


@contextmanager
def desk_of(location: str | None, settings: Settings) -> Iterator[AlertDispatcher]:
    """The dispatcher of a code location, for one change; the next tick sends what it causes.

    Args:
        location: name of the code location; the only one with alerts unless given.
        settings: the environment.

    Raises:
        SpatialPipelineError: there is no such location, there are several, or a tick is at work
            for too long.

    """
    with _instance() as instance:
        names = locations_of(instance)
        chosen = location or (names[0] if len(names) == 1 else None)
        if chosen is None or chosen not in names:
            known = ", ".join(names) or "none"
            msg = (
                f"say which code location: --location NAME (with alerts: {known}); DAGSTER_HOME"
                " must be that of the daemon"
            )
            raise SpatialPipelineError(msg)
        with locked(alerts_lock(settings.store.absolute(), chosen), PATIENCE_S):
            yield AlertDispatcher(Book(instance, chosen), alert_context.channels_of(settings))


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    try:
        instance = dg.DagsterInstance.get()
    except dg.DagsterError as exc:
        msg = f"there is no Dagster instance: set DAGSTER_HOME to that of the daemon ({exc})"
        raise SpatialPipelineError(msg) from exc
    with instance:
        yield instance
