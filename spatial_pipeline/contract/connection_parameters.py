"""Translation of libpq's connection parameters for asyncpg: honoured, mapped, or refused by name.

Parsed by libpq itself (psycopg2's ``parse_dsn``), so a URI means here what it means to psql. The
table of the mapping is in docs/postgis-source.md. Nothing here connects or reads a file, except the
service file that a configured address names.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spatial_pipeline.errors import SourceError

DEFAULT_PORT = "5432"
SYSTEM_ROOTS = "system"
_URI = re.compile(r"postgres(ql)?://")
_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "require_auth": "PGREQUIREAUTH",
    "channel_binding": "PGCHANNELBINDING",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "sslmode": "PGSSLMODE",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcertmode": "PGSSLCERTMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "requirepeer": "PGREQUIREPEER",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "gssdelegation": "PGGSSDELEGATION",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
"""Environment variables that libpq reads; PGCLIENTENCODING does not matter, text is UTF-8."""
_TLS = (
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl",
    "ssl_min_protocol_version", "ssl_max_protocol_version",
)  # fmt: skip
_CHOICES = {
    "sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
    "sslnegotiation": {"postgres", "direct"},
    "target_session_attrs": {
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby",
    },
    "load_balance_hosts": {"disable", "random"},
    "keepalives": {"0", "1"},
    "gsslib": {"gssapi", "sspi"},
    "ssl_min_protocol_version": {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"},
    "ssl_max_protocol_version": {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"},
}  # fmt: skip
_NUMBERS = (
    "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout",
)  # fmt: skip
_HARMLESS = {
    "channel_binding": {"disable", "prefer"},
    "gssencmode": {"disable", "prefer"},
    "gssdelegation": {"0"},
    "sslcompression": {"0", "1"},
    "sslcertmode": {"allow"},
    "sslsni": {"1"},
    "replication": {"false", "off", "no", "0"},
    "require_auth": set[str](),
    "requirepeer": set[str](),
    "sslcrldir": set[str](),
    "hostaddr": set[str](),
}
"""Parameters that asyncpg has no counterpart for, and the values that ask for nothing more."""
_MAPPED = {
    "host", "port", "dbname", "user", "password", "passfile", "options", "application_name",
    "fallback_application_name", "client_encoding", "krbsrvname", "authtype", "tty", "requiressl",
}  # fmt: skip


@dataclass(frozen=True)
class ConnectionParameters:
    """Parameters of a connection, in the terms of asyncpg.

    Attributes:
        hosts: host and port of every server that may be tried, in this order; empty for the local
            default. A host that begins with ``/`` is the folder of a Unix socket.
        port: port of the local default.
        shuffled: whether to try the hosts in random order (``load_balance_hosts``).
        database: None for the name of the user.
        user: None for the name of the account.
        password: None for that of the password file.
        passfile: password file, None for ``~/.pgpass``.
        tls: TLS parameters as asyncpg takes them in a URI.
        direct_tls: TLS without PostgreSQL's negotiation.
        session: ``target_session_attrs``.
        kerberos: ``krbsrvname`` and ``gsslib``.
        settings: parameters of the session: ``application_name``, ``options``.
        timeout_s: longest attempt to reach one server, None without a limit of its own.
        socket_options: level, option and value.

    """

    hosts: tuple[tuple[str, int], ...] = ()
    port: int = int(DEFAULT_PORT)
    shuffled: bool = False
    database: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    passfile: str | None = None
    tls: Mapping[str, str] = field(default_factory=dict, repr=False)
    direct_tls: bool = False
    session: str = "any"
    kerberos: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    socket_options: tuple[tuple[int, int, int], ...] = ()


def parsed(dsn: str) -> dict[str, str]:
    """Parameters of a libpq URI or a key=value string, as libpq reads it.

    Raises:
        SourceError: libpq does not understand it; the message has no value of it.

    """
    # libpq is loaded for those who name a database.
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        return {k: str(v) for k, v in parse_dsn(dsn).items()}
    except psycopg2.ProgrammingError as exc:
        said = str(exc).strip().removeprefix("invalid dsn: ")
        if said.startswith(("invalid URI query parameter", "invalid connection option")):
            msg = f"libpq has no such parameter: {said}; settings of a session go into options"
        elif not dsn.startswith(("postgresql://", "postgres://")) and (
            "://" in dsn or "=" not in dsn
        ):
            msg = "the address of the database is not a libpq URI"
        else:
            # What libpq quotes may be a secret.
            msg = f"the address of the database cannot be parsed: {said.partition(chr(34))[0]}"
        raise SourceError(msg.rstrip(": ")) from None


def completed(given: Mapping[str, str], *, trusted: bool) -> dict[str, str]:
    """Parameters with those of a service and of the environment, in libpq's order of precedence.

    Args:
        given: parameters in the address.
        trusted: whether the address is the configured one, which may name a service.

    Raises:
        SourceError: there is no such service, or the address may not name one.

    """
    found = {k: v for k, v in given.items() if v}
    service = found.pop("service", None)
    if service is not None and not trusted:
        msg = "the parameter service is not supported: name host, port and database"
        raise SourceError(msg)
    if trusted:
        service = service or os.environ.get("PGSERVICE")
    if service:
        found = {**_service(service), **found}
    for name, variable in _ENVIRONMENT.items():
        if os.environ.get(variable):
            found.setdefault(name, os.environ[variable])
    return found


def connection_parameters(found: Mapping[str, str], application: str) -> ConnectionParameters:
    """Translate libpq parameters to those of asyncpg.

    Args:
        found: see :func:`completed`.
        application: ``application_name`` where none is given.

    Raises:
        SourceError: a parameter asks for what asyncpg cannot do, or is malformed; it is named.

    """
    for name, value in found.items():
        _admitted(name, value)
    tls = {name: found[name] for name in _TLS if name in found}
    if tls.get("sslrootcert") == SYSTEM_ROOTS:
        mode = tls.setdefault("sslmode", "verify-full")
        if mode != "verify-full":
            msg = f"sslmode={mode} is too weak for sslrootcert=system: use verify-full"
            raise SourceError(msg)
    direct = found.get("sslnegotiation") == "direct"
    if direct and tls.get("sslmode") not in {"require", "verify-ca", "verify-full"}:
        msg = "sslnegotiation=direct needs sslmode=require, verify-ca or verify-full"
        raise SourceError(msg)
    name = found.get("application_name") or found.get("fallback_application_name") or application
    settings = {"application_name": name}
    if "options" in found:
        settings["options"] = found["options"]
    timeout = int(found.get("connect_timeout", 0))
    return ConnectionParameters(
        hosts=hosts(found),
        port=_port(found.get("port", DEFAULT_PORT).partition(",")[0] or DEFAULT_PORT),
        shuffled=found.get("load_balance_hosts") == "random",
        database=found.get("dbname"),
        user=found.get("user"),
        password=found.get("password"),
        passfile=found.get("passfile"),
        tls=tls,
        direct_tls=direct,
        session=found.get("target_session_attrs", "any"),
        kerberos={k: found[k] for k in ("krbsrvname", "gsslib") if k in found},
        settings=settings,
        # libpq takes 1 as 2, and nothing or less as no limit.
        timeout_s=float(max(timeout, 2)) if timeout > 0 else None,
        socket_options=_socket_options(found),
    )


def hosts(found: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """Host and port of every server; see :class:`ConnectionParameters`.

    Raises:
        SourceError: a port is no port, or there are more ports than hosts.

    """
    names = found["host"].split(",") if "host" in found else []
    ports = found.get("port", DEFAULT_PORT).split(",")
    if len(ports) not in {1, max(1, len(names))}:
        msg = f"port names {len(ports)} ports for {len(names)} hosts"
        raise SourceError(msg)
    numbers = [_port(p or DEFAULT_PORT) for p in ports]
    if len(numbers) == 1:
        numbers *= len(names)
    return tuple(zip((n or "localhost" for n in names), numbers, strict=True))


def _port(text: str) -> int:
    if not text.strip().isdecimal() or not 0 < int(text) < 65536:
        msg = f"port {text!r} is not a number from 1 to 65535"
        raise SourceError(msg)
    return int(text)


def _admitted(name: str, value: str) -> None:
    """Refuses what would be ignored silently.

    Raises:
        SourceError: the parameter is named.

    """
    if name in _HARMLESS:
        if value in _HARMLESS[name]:
            return
        msg = f"the parameter {name}={value} is not supported: asyncpg cannot do it"
        if name in {"hostaddr", "requirepeer", "require_auth", "replication"}:
            msg = f"the parameter {name} is not supported"
        raise SourceError(msg)
    if name in _CHOICES and value not in _CHOICES[name]:
        msg = f"{name} is {value!r}, must be one of: {', '.join(sorted(_CHOICES[name]))}"
        raise SourceError(msg)
    if name in _NUMBERS and not value.strip().removeprefix("-").isdecimal():
        msg = f"{name} is {value!r}, must be a whole number"
        raise SourceError(msg)
    if name not in {*_CHOICES, *_NUMBERS, *_TLS, *_MAPPED}:
        msg = f"the parameter {name} is not supported"
        raise SourceError(msg)


def _socket_options(found: Mapping[str, str]) -> tuple[tuple[int, int, int], ...]:
    """Keep-alives as libpq sets them: on, with the system's times, unless told otherwise."""
    options = []
    if found.get("keepalives", "1") != "0":
        options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
        for name, known in (
            ("keepalives_idle", ("TCP_KEEPIDLE", "TCP_KEEPALIVE")),
            ("keepalives_interval", ("TCP_KEEPINTVL",)),
            ("keepalives_count", ("TCP_KEEPCNT",)),
        ):
            options += _tcp_option(found, name, known)
    options += _tcp_option(found, "tcp_user_timeout", ("TCP_USER_TIMEOUT",))
    return tuple(options)


def _tcp_option(
    found: Mapping[str, str], name: str, known: tuple[str, ...]
) -> list[tuple[int, int, int]]:
    value = int(found.get(name, 0))
    if value <= 0:
        return []
    option = next((getattr(socket, k) for k in known if hasattr(socket, k)), None)
    if option is None:
        msg = f"the parameter {name} is not supported by this system"
        raise SourceError(msg)
    return [(socket.IPPROTO_TCP, option, value)]


def _service(name: str) -> dict[str, str]:
    """Parameters of a service of the connection service file."""
    import configparser

    own = os.environ.get("PGSERVICEFILE")
    system = os.environ.get("PGSYSCONFDIR", "/etc/postgresql-common")
    files = [
        Path(own) if own else Path.home() / ".pg_service.conf",
        Path(system) / "pg_service.conf",
    ]
    for file in files:
        sections = configparser.ConfigParser(
            delimiters=("=",), comment_prefixes=("#",), interpolation=None, strict=False
        )
        try:
            sections.read_string(file.read_text(encoding="utf-8"))
        except OSError:
            continue
        except (configparser.Error, UnicodeDecodeError) as exc:
            msg = f"the service file {file.name} cannot be parsed: {type(exc).__name__}"
            raise SourceError(msg) from None
        if sections.has_section(name):
            found = {k: v.strip() for k, v in sections.items(name)}
            if "service" in found:
                msg = f"the service {name!r} names another service"
                raise SourceError(msg)
            return found
    msg = f"there is no service {name!r} in {', '.join(f.name for f in files)}"
    raise SourceError(msg)
