"""The throw-away server is real, private and gone afterwards."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spatial_pipeline.testing import postgis as module
from spatial_pipeline_tests.postgres import Cluster, NoPostgresError, find_programs


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_new_databases_are_empty_and_have_postgis(postgres: Cluster) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    postgres.psql("CREATE TABLE t (g geometry(Point, 4326))", first)
    assert postgres.psql("SELECT to_regclass('t') IS NULL", second) == "t"
    assert postgres.psql("SELECT ST_AsText(ST_MakePoint(1, 2))", first) == "POINT(1 2)"


def test_server_is_closed_to_other_machines_and_to_wrong_passwords(postgres: Cluster) -> None:
    assert postgres.psql("SHOW listen_addresses") == "127.0.0.1"
    wrong = Cluster(postgres.host, postgres.port, postgres.user, "wrong", postgres.bindir)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        wrong.psql("SELECT 1")
    assert "password authentication failed" in caught.value.stderr


def test_server_does_not_outlive_a_killed_test_run(tmp_path: Path) -> None:
    code = (
        "from spatial_pipeline_tests.postgres import running_cluster\n"
        "import os, pathlib, sys\n"
        "with running_cluster() as cluster:\n"
        "    folder = cluster.psql('SHOW data_directory')\n"
        "    pathlib.Path(sys.argv[1]).write_text(f'{cluster.port} {folder}')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    told = tmp_path / "told"
    root = Path(__file__).parents[1]
    killed = subprocess.run([sys.executable, "-c", code, told], cwd=root, check=False, timeout=120)
    assert killed.returncode == -9
    port, folder = told.read_text().split()
    deadline = time.monotonic() + 30
    while listening(int(port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not listening(int(port))
    subprocess.run(["rm", "-rf", Path(folder).parent], check=True)


def test_missing_programs_are_named_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    monkeypatch.setattr(module.Path, "glob", lambda _self, _pattern: iter(()))
    with pytest.raises(NoPostgresError, match="make postgis"):
        find_programs()


def test_variables_of_the_caller_do_not_reach_the_tests() -> None:
    assert not [n for n in os.environ if n.startswith(("SPATIAL_", "DAGSTER_", "PG"))]
