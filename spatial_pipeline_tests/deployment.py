"""The compose file of deploy/ without an engine: its services as processes on this machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class MissingVariableError(ValueError):
    """A variable that a compose file insists on is not set."""


def interpolated(text: str, environment: Mapping[str, str]) -> str:
    """Variables filled in as the Compose specification says: ``${A}``, ``${A:-b}``, ``${A:?m}``."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if environment.get(name):
            return environment[name]
        if operator == "?":
            raise MissingVariableError(f"{name}: {rest}")
        return rest if operator == "-" else ""

    return _VARIABLE.sub(value, text)


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with its variables filled in."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    written = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return yaml.safe_load(interpolated(written, environment))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Deployment:
    """Services of the compose file, started as processes.

    Attributes:
        home: what the image has at ``/opt/dagster``.
        replaced: what a container knows by another name: hosts, ports, folders.
        environment: the variables that a person sets.
        overrides: variables of all services that differ here.

    """

    home: Path
    replaced: Mapping[str, str]
    environment: Mapping[str, str]
    overrides: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Puts the files where the Dockerfile copies them."""
        (self.home / "home").mkdir(parents=True)
        shutil.copy(DEPLOY / "dagster-postgres.yaml", self.home / "home" / "dagster.yaml")
        shutil.copy(DEPLOY / "workspace.yaml", self.home / "workspace.yaml")
        self.services = compose(self.environment)["services"]

    def variables(self, service: str) -> dict[str, str]:
        """The environment of a service."""
        given = {
            name: self.replaced.get(value, value)
            for name, value in self.services[service]["environment"].items()
        }
        return {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self.home / "home"),
            **given,
            **self.overrides,
        }

    def command(self, words: list[str]) -> list[str]:
        """A command of the file, with the programs of this environment."""
        program, *rest = [self.replaced.get(w, w) for w in words]
        return [str(Path(sys.executable).with_name(program)), *rest]

    def start(self, service: str, **more: str) -> None:
        """Starts a service."""
        with self.log(service).open("wb") as log:
            self.processes[service] = subprocess.Popen(
                self.command(self.services[service]["command"]),
                cwd=self.home, env={**self.variables(service), **more},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def log(self, service: str) -> Path:
        """What a service printed."""
        return self.home / f"{service}.log"

    def healthy(self, service: str) -> bool:
        """What the health check of the compose file says."""
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(
            self.command(words), cwd=self.home, env=self.variables(service), check=False,
            capture_output=True, timeout=120,
        )  # fmt: skip
        return done.returncode == 0

    def wait(self, what: str, ready: Callable[[], Any], seconds: float = 150) -> Any:
        """Waits until something is true; shows the logs of all services otherwise."""
        deadline = time.monotonic() + seconds
        while not (answer := ready()):
            dead = [s for s, p in self.processes.items() if p.poll() is not None]
            late = time.monotonic() > deadline
            logs = "\n".join(f"--- {s}\n{self.log(s).read_text()}" for s in self.processes)
            assert not dead, f"{what}: stopped {dead}\n{logs}"
            assert not late, f"{what}: not in time\n{logs}"
            time.sleep(0.5)
        return answer

    def drain(self, service: str) -> None:
        """Stops a service as an engine does: SIGTERM, the grace period, then everything is gone."""
        process = self.processes.pop(service)
        process.send_signal(signal.SIGTERM)
        grace = self.services[service].get("stop_grace_period", "10s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=int(grace.removesuffix("s")))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ends all services, with everything that they started."""
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                pass
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
