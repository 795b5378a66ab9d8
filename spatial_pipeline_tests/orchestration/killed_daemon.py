"""The daemon's work on one dataset in a process that kills itself at a chosen moment."""

from __future__ import annotations

import os
import signal
from typing import Any
from unittest import mock

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.orchestration.schema_daemon import daemon

MOMENTS = {
    "after the backfill was asked for": (dg.DagsterInstance, "add_backfill", 1, "after"),
    "before the second run is launched": (dg.DagsterInstance, "launch_run", 2, "before"),
    "after the third run": (dg.DagsterInstance, "launch_run", 3, "after"),
    "while the second partition is staged": (Pipeline, "stage", 2, "after"),
}
"""Where, at which call of it, and on which side of the call."""


def work(reference: InstanceRef, environment: dict[str, str], moment: str) -> None:
    """Ticks and backfills until the moment has come."""
    os.environ.update(environment)
    where, name, fatal, side = MOMENTS[moment]
    called = getattr(where, name)
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == fatal and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = called(*args, **kwargs)
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    with (
        dg.DagsterInstance.from_ref(reference) as instance,
        mock.patch.object(where, name, counted),
        daemon(instance) as running,
    ):
        running.settle()
