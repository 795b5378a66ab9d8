"""A server of one's own that may be killed, started again, and made small."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spatial_pipeline.testing import postgis as module
from spatial_pipeline_tests.postgres import Cluster, running_cluster

SETTINGS = {"synchronous_commit": "on"}
"""What was committed before the server is killed is there afterwards."""


@dataclass(frozen=True)
class Server:
    """A cluster that ``pg_ctl`` controls.

    Attributes:
        cluster: its address.
        data: its folder.

    """

    cluster: Cluster
    data: Path

    def kill(self) -> None:
        """Stops at once, as if the power failed."""
        self._pg_ctl("stop", "-m", "immediate")

    def start(self, **settings: str) -> None:
        """Starts again, on the same port."""
        folder = self.data.parent
        options = [f"-p {self.cluster.port}", f"-k {folder}"]
        options += [f"-c {n}={v}" for n, v in {**module.SETTINGS, **SETTINGS, **settings}.items()]
        self._pg_ctl("start", "-w", "-l", str(folder / "restarted"), "-o", " ".join(options))

    def _pg_ctl(self, *arguments: str) -> None:
        command = [self.cluster.bindir / "pg_ctl", "-D", self.data, *arguments]
        done = subprocess.run(
            [a for a in module._as_ordinary_user(command) if a != "--pdeathsig=INT"],
            check=False, timeout=60, cwd=self.data.parent, env=module._environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        log = (self.data.parent / "restarted").read_bytes() if "start" in arguments else b""
        assert done.returncode == 0, (arguments, log[-2000:])


@contextlib.contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """A server that is gone at the end, however often it was killed."""
    with running_cluster() as cluster:
        server = Server(cluster, Path(cluster.psql("SHOW data_directory")))
        server.kill()
        server.start(**settings)
        try:
            yield server
        finally:
            with contextlib.suppress(AssertionError):
                server.kill()
