"""A throw-away PostgreSQL server with PostGIS: an own cluster in a temporary folder."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "32MB",
}
USER = "postgres"


class NoPostgresError(Exception):
    """The programs of a PostgreSQL server with PostGIS are not installed."""


@dataclass(frozen=True)
class Cluster:
    """Address of a running server; its superuser may create databases.

    Attributes:
        host: loopback address.
        port: TCP port.
        user: superuser.
        password: password of the superuser.
        bindir: folder of the server's programs.

    """

    host: str
    port: int
    user: str
    password: str
    bindir: Path

    def dsn(self, database: str = "postgres") -> str:
        """The libpq DSN of a database."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def psql(self, statement: str, database: str = "postgres") -> str:
        """Rows that a statement returns, one a line, columns separated by ``|``."""
        done = subprocess.run(
            [self.bindir / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement,
             self.dsn(database)],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    def new_database(self, prefix: str = "test") -> str:
        """Name of a new, empty database with PostGIS."""
        name = f"{prefix}_{secrets.token_hex(4)}"
        self.psql(f"CREATE DATABASE {name}")
        self.psql("CREATE EXTENSION postgis", name)
        return name


def find_programs() -> Path:
    """Folder of the newest installed server that has PostGIS.

    Raises:
        NoPostgresError: there is none.

    """
    places = [Path(p).resolve().parent for p in (shutil.which("pg_ctl"),) if p]
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/bin"):
        places += sorted(Path("/").glob(pattern), key=_version, reverse=True)
    for place in dict.fromkeys(places):
        if all((place / name).exists() for name in ("initdb", "postgres", "psql")):
            shares = [Path("/usr/share/postgresql") / place.parent.name]
            if (place / "pg_config").exists():
                told = subprocess.run(
                    [place / "pg_config", "--sharedir"], capture_output=True, text=True, check=True
                )
                shares.append(Path(told.stdout.strip()))
            if any((share / "extension" / "postgis.control").exists() for share in shares):
                return place
    msg = "no PostgreSQL server with PostGIS is installed; install it with: make postgis"
    raise NoPostgresError(msg)


def _version(bindir: Path) -> tuple[int, ...]:
    digits = "".join(c if c.isdigit() else " " for c in bindir.parent.name)
    return tuple(int(d) for d in digits.split())


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Makes a cluster, starts its server, and removes both at the end.

    The server runs as an ordinary user where this process is root; it stops when this process dies.

    Raises:
        NoPostgresError: the programs are not installed.

    """
    bindir = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="spatial-pg-", dir=_reachable_folder()))
    password = secrets.token_hex(8)
    try:
        secret = folder / "password"
        secret.write_text(_verifier(password), encoding="utf-8")
        for path in (folder, secret):
            _give_away(path)
        _run(
            [bindir / "initdb", "--pgdata", folder / "data", "--username", USER, "--encoding=UTF8",
             "--locale=C", "--auth-host=scram-sha-256", "--auth-local=trust",
             "--pwfile", secret, "--no-sync"],
            folder,
        )  # fmt: skip
        with _server(bindir, folder) as port:
            yield Cluster("127.0.0.1", port, USER, password, bindir)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verifier(password: str) -> str:
    """What the server keeps of a password, with one iteration (RFC 5803).

    Clients derive a key from the password at each connection. The usual 4096 iterations take
    milliseconds, and Dagster's storage connects for every question.
    """
    salt = secrets.token_bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client = hashlib.sha256(hmac.digest(key, b"Client Key", "sha256")).digest()
    server = hmac.digest(key, b"Server Key", "sha256")
    kept, stored, own = (base64.b64encode(b).decode() for b in (salt, client, server))
    return f"SCRAM-SHA-256$1:{kept}${stored}:{own}"


@contextlib.contextmanager
def _server(bindir: Path, folder: Path) -> Iterator[int]:
    for _attempt in range(5):
        port = _free_port()
        command: list[str | Path] = [
            bindir / "postgres",
            "-D",
            folder / "data",
            "-p",
            str(port),
            "-k",
            folder,
        ]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                _as_ordinary_user(command), stdout=output, stderr=output, cwd=folder,
                env=_environment(), start_new_session=True,
            )  # fmt: skip
        try:
            if _ready(bindir, port, process):
                yield port
                return
        finally:
            _stop(process)
    raise RuntimeError(log.read_text(encoding="utf-8", errors="replace"))


def _ready(bindir: Path, port: int, process: subprocess.Popen[bytes]) -> bool:
    """False when the server gave up, for example because the port was taken meanwhile."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        asked: list[str | Path] = [bindir / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        if subprocess.run(asked, check=False, timeout=30).returncode == 0:
            return True
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable_folder() -> str:
    """A folder for temporary files that the ordinary user can enter too."""
    chosen = Path(tempfile.gettempdir()).resolve()
    closed = any(not p.stat().st_mode & 0o001 for p in (chosen, *chosen.parents))
    return "/tmp" if os.geteuid() == 0 and closed else str(chosen)


def _ordinary_user() -> pwd.struct_passwd | None:
    """The account of the server; None when this process is ordinary itself."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _give_away(path: Path) -> None:
    account = _ordinary_user()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _as_ordinary_user(command: Sequence[str | Path]) -> list[str | Path]:
    account = _ordinary_user()
    if shutil.which("setpriv") is None:
        if account is None:
            return list(command)
        return ["runuser", "-u", account.pw_name, "--", *command]
    identity = (
        []
        if account is None
        else [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    )
    return ["setpriv", *identity, "--pdeathsig=INT", "--", *command]


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}


def _run(command: Sequence[str | Path], folder: Path) -> None:
    as_user: list[str | Path] = _as_ordinary_user(command)
    done = subprocess.run(
        as_user, capture_output=True, text=True, check=False, cwd=folder,
        env=_environment(), timeout=120,
    )  # fmt: skip
    if done.returncode:
        msg = f"{command[0]} failed: {done.stderr or done.stdout}"
        raise RuntimeError(msg)
