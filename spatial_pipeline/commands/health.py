"""The command ``spatial-pipeline health``."""

from __future__ import annotations

import os

import typer

from spatial_pipeline.commands.project import FAILED, JsonOption, settings
from spatial_pipeline.commands.terminal import print_json, print_text


def health(as_json: JsonOption = False) -> None:
    """Probe daemon, sensors, code locations, store, database and alerts.

    Exit code 1 if one of them does not work.
    """
    from spatial_pipeline.orchestration.health import probes

    found = probes(settings(), os.environ.get("DAGSTER_HOME"))
    healthy = all(p.healthy for p in found)
    if as_json:
        values = [{"name": p.name, "healthy": p.healthy, "said": p.said} for p in found]
        print_json({"healthy": healthy, "probes": values})
    else:
        width = max(len(p.name) for p in found)
        for probe in found:
            mark = "ok   " if probe.healthy else "wrong"
            print_text(f"{mark}  {probe.name:<{width}}  {probe.said}\n")
    raise typer.Exit(0 if healthy else FAILED)
