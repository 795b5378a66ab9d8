"""Runs a page of docs/tutorials as a reader would: writes its files, types its commands.

A paragraph that ends with the name of a file and a colon writes the block below it. In a block of
the console, a line after ``$`` is typed, and the lines below it must be printed in this order,
with anything between them and in place of ``…``. ``dagster dev`` is a real instance, a real code
server, and iterations of Dagster's own daemons under a clock that the harness holds; what is not
printed yet is tried again after some.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from dagster._core.test_utils import (
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline_tests.orchestration.daemons import SYNCHRONOUS

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(?:`(?P<file>[\w./-]+)`:\n\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
PORT = "8025"
"""The port of the pages, in place of which a free one is taken."""
STEPS = (70, 70, 70, 24 * 3600, 70, 70, 70)
"""Seconds that pass between two attempts: some ticks of sensors, a night, some ticks."""
logger = logging.getLogger("tutorial")


@dataclass
class Tutorial:
    """One page in one folder.

    Attributes:
        page: the page.
        folder: an empty folder, which is the working directory.

    """

    page: Path
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    workspace: Any = None
    iterations: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self.instance = self._stack.enter_context(instance_for_test(overrides=dict(SYNCHRONOUS)))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
        self._set("PATH", os.pathsep.join(paths))
        self._set("PYTHONPATH", os.pathsep.join((str(ROOT), str(self.folder))))
        self._set("PYTHONUNBUFFERED", "1")
        self._stack.callback(sys.path.remove, str(self.folder))
        sys.path.insert(0, str(self.folder))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self) -> int:
        """Runs the page; the number of commands."""
        count = 0
        for block in BLOCK.finditer(self.page.read_text(encoding="utf-8")):
            if block["file"] is not None:
                path = self.folder / block["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block["text"], encoding="utf-8")
            elif block["kind"] == "console":
                for typed in block["text"].split("$ ")[1:]:
                    command, _, expected = typed.partition("\n")
                    self.type(command, expected)
                    count += 1
        return count

    def type(self, command: str, expected: str) -> None:
        """One command, and what it must print."""
        command = command.replace(PORT, self._port)
        words = shlex.split(command)
        if words[0] == "export":
            self._set(*words[1].split("=", 1))
        elif words[:2] == ["dagster", "dev"]:
            self._serve(words[words.index("-m") + 1])
        elif words[-1] == "&":
            self._start(command.removesuffix("&"))
        else:
            self._expect(command, expected)

    def _set(self, name: str, value: str) -> None:
        self.environment[name] = value
        before = os.environ.get(name)
        os.environ[name] = value
        if before is None:
            self._stack.callback(os.environ.pop, name, None)
        else:
            self._stack.callback(os.environ.__setitem__, name, before)

    def _serve(self, module: str) -> None:
        target = ModuleTarget(
            module_name=module,
            attribute="defs",
            working_directory=str(self.folder),
            location_name=module,
        )
        made = create_test_daemon_workspace_context(target, self.instance)
        self.workspace = self._stack.enter_context(made)
        self._pass(1)

    def _start(self, command: str) -> None:
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.folder)
        self._stack.callback(process.wait, 30)
        self._stack.callback(process.send_signal, signal.SIGTERM)
        port = int(self._port)
        for _ in range(300):
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert process.poll() is None, command
            # A port without a listener refuses at once.
            time.sleep(0.1)
        pytest.fail(f"{command}: nothing listens to port {port}")

    def _expect(self, command: str, expected: str) -> None:
        # Lines are excerpts, in their order.
        parts = [p for line in expected.splitlines() for p in line.split("…")]
        pattern = ".*?".join(re.escape(" ".join(p.split())) for p in parts)
        steps = STEPS if self.workspace is not None else ()
        said = self._typed(command)
        for seconds in steps:
            if re.search(pattern, said, re.DOTALL):
                break
            self._pass(seconds)
            said = self._typed(command)
        assert re.search(pattern, said, re.DOTALL), f"{command}\n{said}\nexpected: {expected}"

    def _typed(self, command: str) -> str:
        """Output of the command; ours run in this process, which saves their imports."""
        words = shlex.split(command)
        if words[0] == "spatial-pipeline" and not {"|", ">"} & set(words):
            done = CliRunner().invoke(app, words[1:], env={"COLUMNS": "160"})
            return " ".join((done.stdout + done.stderr).split())
        other = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder, env=os.environ | {"COLUMNS": "160"}, capture_output=True, text=True,
            timeout=200, check=False,
        )  # fmt: skip
        return " ".join((other.stdout + other.stderr).split())

    def _pass(self, seconds: float) -> None:
        """Lets time pass, and Dagster's daemons work."""
        self.now += timedelta(seconds=seconds)
        with freeze_time(self.now):
            scheduled = launch_scheduled_runs(self.workspace, logger, self.now, self.iterations)
            errors = [*scheduled, *execute_sensor_iteration(self.workspace, logger, None, None)]
        for _ in range(6):
            errors += execute_backfill_iteration(self.workspace, logger)
        assert [e for e in errors if e is not None] == []
