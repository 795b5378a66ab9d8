"""Connections with a real server, as the parameters of libpq ask for them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from spatial_pipeline.contract.database_url import Address, parse
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis.session import ServerLimits, session
from spatial_pipeline.sources.postgis_connection import connect, is_lost
from spatial_pipeline.testing import postgis as module
from spatial_pipeline_tests.postgres import Cluster, running_cluster

PATIENCE = ServerLimits(patience_s=20.0, statement_s=20.0)


def asked(address: Address, sql: str) -> str:
    """What a server answers to one statement in a session of a source."""
    with session(address, PATIENCE) as (loop, connection):
        return str(loop.run(connection.fetchval(sql)))


def of(postgres: Cluster, text: str, *, hosts: str | None = None) -> Address:
    user = f"{postgres.user}:{postgres.password}"
    hosts = hosts or f"{postgres.host}:{postgres.port}"
    return parse(f"postgresql://{user}@{hosts}/postgres?{text}", None)


def test_hosts_are_tried_one_after_the_other(postgres: Cluster) -> None:
    with socket.socket() as silent:
        # Takes connections and never says a word.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        mute = f"127.0.0.1:{silent.getsockname()[1]}"
        hosts = f"127.0.0.1:1,{mute},{postgres.host}:{postgres.port}"
        address = of(postgres, "connect_timeout=2", hosts=hosts)
        assert asked(address, "SELECT inet_server_port()") == str(postgres.port)
        with pytest.raises(SourceError, match=f"{mute} does not answer in time"):
            asked(of(postgres, "connect_timeout=2", hosts=mute), "SELECT 1")


def test_the_kind_of_server_is_asked_of_each(postgres: Cluster) -> None:
    for kind in ("any", "primary", "read-write", "prefer-standby"):
        address = of(postgres, f"target_session_attrs={kind}&load_balance_hosts=random")
        assert asked(address, "SELECT 1") == "1"
    for kind in ("standby", "read-only"):
        with pytest.raises(SourceError, match="satisfies target_session_attrs"):
            asked(of(postgres, f"target_session_attrs={kind}"), "SELECT 1")


def test_options_and_the_name_reach_the_session(postgres: Cluster) -> None:
    options = quote("-c search_path=far,public -c statement_timeout=7s", safe="")
    address = of(postgres, f"options={options}&application_name=my%20name")
    assert asked(address, "SHOW search_path") == "far,public"
    assert asked(address, "SHOW application_name") == "my name"


def test_sockets_are_kept_alive(postgres: Cluster) -> None:
    address = of(postgres, "keepalives_idle=41&keepalives_interval=7&keepalives_count=3")

    async def main() -> list[int]:
        connection = await connect(address.connection, 10.0)
        try:
            made = connection._transport.get_extra_info("socket")
            return [
                made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            ]
        finally:
            await connection.close()

    assert asyncio.run(main()) == [1, 41, 7, 3]


def test_unix_sockets_password_files_and_services(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = postgres.psql("SHOW unix_socket_directories")
    address = parse(
        f"postgresql://postgres@{quote(folder, safe='')}:{postgres.port}/postgres", None
    )
    assert asked(address, "SELECT inet_server_port() IS NULL") == "True"
    missing = parse(f"postgresql://postgres@{quote(folder, safe='')}:1/postgres", None)
    with pytest.raises(SourceError, match="cannot be reached"):
        asked(missing, "SELECT 1")

    passwords = tmp_path / "passwords"
    passwords.write_text(f"{postgres.host}:*:postgres:postgres:{postgres.password}\n")
    passwords.chmod(0o600)
    uri = f"postgresql://postgres@{postgres.host}:{postgres.port}/postgres"
    assert asked(parse(f"{uri}?passfile={passwords}", None), "SELECT 1") == "1"

    services = tmp_path / "services"
    services.write_text(
        f"[here]\nhost={postgres.host}\nport={postgres.port}\nuser=postgres\ndbname=postgres\n"
        f"password={postgres.password}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert asked(parse("postgresql:", "postgresql:///?service=here"), "SELECT 1") == "1"
    assert asked(parse("postgresql:", "service=here"), "SELECT 1") == "1"
    monkeypatch.setenv("PGSERVICE", "here")
    assert asked(parse("postgresql:", "application_name=x"), "SELECT 1") == "1"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """A server with TLS, and the certificate that it shows."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    with running_cluster() as cluster:
        data = Path(cluster.psql("SHOW data_directory"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", data / "server.key", "-out", data / "server.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        for name in ("server.key", "server.crt"):
            module._give_away(data / name)
        (data / "server.key").chmod(0o600)
        certificate = tmp_path_factory.mktemp("tls") / "root.crt"
        shutil.copy(data / "server.crt", certificate)
        cluster.psql("ALTER SYSTEM SET ssl = on")
        cluster.psql("SELECT pg_reload_conf()")
        yield cluster, certificate


TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def test_every_sslmode_against_a_server_with_tls(
    secure: tuple[Cluster, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster, certificate = secure
    monkeypatch.setenv("HOME", str(tmp_path))
    for mode in ("disable", "allow", "prefer", "require"):
        encrypted = asked(of(cluster, f"sslmode={mode}"), TLS)
        assert encrypted == str(mode in {"prefer", "require"}), mode
    for mode in ("verify-ca", "verify-full"):
        address = of(cluster, f"sslmode={mode}&sslrootcert={certificate}")
        assert asked(address, TLS) == "True"
        with pytest.raises(SourceError, match=r"root certificate file .* does not exist"):
            asked(of(cluster, f"sslmode={mode}"), TLS)
    with pytest.raises(SourceError, match=r"sslrootcert names /nowhere/x\.crt"):
        asked(of(cluster, "sslmode=verify-full&sslrootcert=/nowhere/x.crt"), TLS)


def test_the_certificates_of_the_system(
    secure: tuple[Cluster, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, certificate = secure
    address = of(cluster, "sslrootcert=system")
    with pytest.raises(SourceError, match=r"TLS with 127\.0\.0\.1:\d+ fails: .*verify failed"):
        asked(address, TLS)
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(certificate))
    assert asked(address, TLS) == "True"


def test_a_server_without_tls_is_named(postgres: Cluster) -> None:
    for text in ("sslmode=require", "sslrootcert=system"):
        with pytest.raises(SourceError, match="has no TLS, which sslmode requires"):
            asked(of(postgres, text), "SELECT 1")


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (asyncpg.InterfaceError("the server expects 1 argument for this query"), False),
        (asyncpg.InterfaceError("another operation is in progress"), False),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.ConnectionDoesNotExistError("connection was closed"), True),
        (asyncpg.QueryCanceledError("statement timeout"), False),
        (asyncpg.UndefinedTableError("no such table"), False),
        (ConnectionResetError(), True),
        (ValueError("no"), False),
    ],
)  # fmt: skip
def test_a_mistake_is_not_a_lost_server(error: Exception, lost: bool) -> None:
    assert is_lost(error) == lost
