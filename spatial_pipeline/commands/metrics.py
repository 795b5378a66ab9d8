"""The command ``spatial-pipeline metrics``."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spatial_pipeline.commands.project import settings
from spatial_pipeline.commands.terminal import print_text, say, wrong
from spatial_pipeline.errors import SpatialPipelineError

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

    from spatial_pipeline.settings import Settings

logger = logging.getLogger("spatial_pipeline")
PORT = 9464
"""The port that OpenTelemetry's exporters of this format use."""
LARGEST_PORT = 65_535


def metrics(
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Serve the metrics at /metrics, computed for each request. Default host: "
            "127.0.0.1.",
        ),
    ] = None,
) -> None:
    """Print metrics as OpenMetrics text.

    Age of published data, held versions, violations, runs and the queue are measured.
    Dagster's own metrics are included if DAGSTER_HOME is set.
    """
    environment = settings()
    if listen is None:
        try:
            print_text(collected(environment))
        except SpatialPipelineError as exc:
            wrong(str(exc))
        return
    server = serving(listen, environment)
    host, port = server.server_address[:2]
    say(f"metrics are served at http://{host!s}:{port}/metrics")
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()


def collected(environment: Settings) -> str:
    """All metrics as text.

    Raises:
        SpatialPipelineError: the store cannot be read.

    """
    from spatial_pipeline.pipeline.metrics import store_metrics
    from spatial_pipeline.report.openmetrics import Gauge, openmetrics
    from spatial_pipeline.store.versions import Store

    families = store_metrics(Store(environment.store))
    if os.environ.get("DAGSTER_HOME"):
        up = Gauge("spatial_dagster_up", "1 when Dagster's storage answers.")
        families.append(up)
        try:
            from spatial_pipeline.orchestration.metrics import dagster_metrics

            families += dagster_metrics()
            up.add(1)
        except Exception as exc:  # noqa: BLE001 - its drivers raise errors of their own
            logger.warning("Dagster's metrics are missing: %s", exc)
            up.add(0)
    return openmetrics(families)


def serving(listen: str, environment: Settings) -> ThreadingHTTPServer:
    """A server of metrics; exits when the address is wrong or taken."""
    from http import HTTPStatus
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from spatial_pipeline.report.openmetrics import OPENMETRICS, PLAIN

    class MetricsHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.split("?")[0] not in {"/metrics", "/"}:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                body = collected(environment).encode()
            except SpatialPipelineError as exc:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(exc))
                return
            asked = "application/openmetrics-text" in (self.headers["Accept"] or "")
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", OPENMETRICS if asked else PLAIN)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Requests are no news."""

    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or not 0 <= int(port) <= LARGEST_PORT:
        wrong(f"--listen {listen}: expected [HOST:]PORT, as {PORT} or 0.0.0.0:{PORT}")
    try:
        return ThreadingHTTPServer((host.strip("[]") or "127.0.0.1", int(port)), MetricsHandler)
    except OSError as exc:
        wrong(f"--listen {listen}: {exc.strerror or exc}")
