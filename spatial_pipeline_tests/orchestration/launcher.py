"""A run launcher of tests: each run in a thread of its own, waited for."""

from __future__ import annotations

import threading
from typing import Any

from dagster._core.launcher.base import LaunchRunContext
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher


class ThreadedRunLauncher(SyncInMemoryRunLauncher):
    """Runs where no event loop is running, as in a process of their own: the daemon has one."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> ThreadedRunLauncher:
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        thread = threading.Thread(target=super().launch_run, args=(context,))
        thread.start()
        thread.join()


SYNCHRONOUS = {
    "run_launcher": {"module": __name__, "class": "ThreadedRunLauncher"},
    "run_coordinator": {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    },
}
"""Overrides of an instance whose runs have ended when they were launched."""
