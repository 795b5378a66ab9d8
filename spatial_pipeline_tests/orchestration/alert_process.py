"""A sensor daemon in a process of its own, with its code server, until somebody kills it."""

from __future__ import annotations

import logging
import sys
import time

import dagster as dg
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._daemon.sensor import execute_sensor_iteration

from spatial_pipeline_tests.orchestration.alert_daemon import LOCATION


def main() -> None:
    """Ticks for ever."""
    with (
        dg.DagsterInstance.get() as instance,
        create_test_daemon_workspace_context(LOCATION, instance) as workspace,
    ):
        while True:
            list(execute_sensor_iteration(workspace, logging.getLogger("test"), None, None))
            sys.stdout.write("tick\n")
            sys.stdout.flush()
            time.sleep(0.3)


if __name__ == "__main__":
    main()
