"""A PgBouncer in front of a server of the tests."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spatial_pipeline.testing import postgis as module
from spatial_pipeline_tests.postgres import Cluster


@contextlib.contextmanager
def running_pooler(cluster: Cluster, mode: str, **settings: str) -> Iterator[str]:
    """Address of a PgBouncer in this pool mode, without the name of a database."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("PgBouncer is not installed: make postgis")
    folder = Path(tempfile.mkdtemp(prefix="spatial-pool-", dir=module._reachable_folder()))
    port = module._free_port()
    configured = {
        "listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": "",
        "auth_type": "trust", "auth_file": str(folder / "users"), "pool_mode": mode,
        "logfile": str(folder / "log"), "pidfile": str(folder / "pid"), **settings,
    }  # fmt: skip
    lines = [
        "[databases]",
        f"* = host={cluster.host} port={cluster.port} user=postgres password={cluster.password}",
        "[pgbouncer]",
        *(f"{name} = {value}" for name, value in configured.items()),
    ]
    (folder / "ini").write_text("\n".join(lines), encoding="utf-8")
    (folder / "users").write_text('"postgres" ""\n', encoding="utf-8")
    for path in (folder, *folder.iterdir()):
        module._give_away(path)
    process = subprocess.Popen(
        module._as_ordinary_user([program, folder / "ini"]), cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            log = folder / "log"
            assert process.poll() is None, log.read_text() if log.exists() else "no log"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)
