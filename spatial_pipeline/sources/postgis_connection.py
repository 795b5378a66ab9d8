"""Connections of asyncpg as libpq would make them, and classification of their errors.

Hosts are tried one after the other, each with the time that ``connect_timeout`` gives it, and
``target_session_attrs`` is asked of each: libpq's way, which asyncpg's own list of hosts is not
(there one limit counts for all of them).
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
from typing import Any
from urllib.parse import urlencode

import asyncpg
from asyncpg.exceptions import TargetServerAttributeNotMatched

from spatial_pipeline.contract.connection_parameters import SYSTEM_ROOTS, ConnectionParameters

FULL = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)
"""Errors of a server that is full, starting or stopping: worth another try."""
_NEXT_HOST = (OSError, TimeoutError, asyncpg.CannotConnectNowError, TargetServerAttributeNotMatched)
_UNNAMED = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
POOLER = (
    "the server stands behind a pooler in transaction or statement mode (PgBouncer), which cannot "
    "keep the session lock of a publication: name the server itself, or set pool_mode=session "
    "for this database"
)


async def connect(
    parameters: ConnectionParameters,
    timeout_s: float,
    **more: Any,
) -> asyncpg.Connection:
    """A connection with the first server that answers and is what the parameters ask for.

    Args:
        parameters: how to connect.
        timeout_s: longest attempt to reach one server, unless the parameters set a limit.
        more: further arguments of asyncpg.

    Raises:
        OSError: no server can be reached.
        asyncpg.PostgresError: a server refuses.
        ValueError: asyncpg cannot do what the parameters ask for.

    """
    hosts: list[tuple[str | None, int]] = list(parameters.hosts) or [(None, parameters.port)]
    if parameters.shuffled:
        random.shuffle(hosts)
    prefers_standby = parameters.session == "prefer-standby"
    kinds = ("standby", "any") if prefers_standby else (parameters.session,)
    last: Exception = TimeoutError()
    for kind in kinds:
        for host, port in hosts:
            try:
                arguments = {
                    **_arguments(parameters),
                    **more,
                    "host": host,
                    "port": port,
                    "target_session_attrs": kind,
                    "timeout": parameters.timeout_s or timeout_s,
                }
                connection: asyncpg.Connection = await asyncpg.connect(**arguments)
            except _NEXT_HOST as exc:
                last = exc
            else:
                _tune(connection, parameters)
                return connection
    raise last


def _arguments(parameters: ConnectionParameters) -> dict[str, Any]:
    found: dict[str, Any] = {
        "user": parameters.user,
        "password": parameters.password,
        "passfile": parameters.passfile,
        "database": parameters.database,
        "direct_tls": parameters.direct_tls or None,
        "server_settings": dict(parameters.settings),
        **parameters.kerberos,
    }
    tls = parameters.tls
    for name in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
        if tls.get(name, SYSTEM_ROOTS) != SYSTEM_ROOTS and not os.access(tls[name], os.R_OK):
            msg = f"{name} names {tls[name]}, which cannot be read"
            raise ValueError(msg)
    if tls.get("sslrootcert") == SYSTEM_ROOTS:
        found["ssl"] = _verified(parameters)
    elif tls:
        # asyncpg takes the files of TLS in a URI only.
        found["dsn"] = f"postgresql://?{urlencode(dict(tls))}"
    return found


def _verified(parameters: ConnectionParameters) -> ssl.SSLContext:
    """TLS that trusts the certificates of the system."""
    tls = parameters.tls
    context = ssl.create_default_context()
    if "sslcert" in tls:
        context.load_cert_chain(tls["sslcert"], tls.get("sslkey"), tls.get("sslpassword", ""))
    if "sslcrl" in tls:
        context.load_verify_locations(tls["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    versions = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1,
                "TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}  # fmt: skip
    context.minimum_version = versions[tls.get("ssl_min_protocol_version", "TLSv1.2")]
    if "ssl_max_protocol_version" in tls:
        context.maximum_version = versions[tls["ssl_max_protocol_version"]]
    context.set_alpn_protocols(["postgresql"])
    return context


def _tune(connection: asyncpg.Connection, parameters: ConnectionParameters) -> None:
    # asyncpg lends its socket nowhere else.
    made = getattr(connection, "_transport").get_extra_info("socket")  # noqa: B009
    if made is None or made.family == getattr(socket, "AF_UNIX", None):
        return
    for level, option, value in parameters.socket_options:
        made.setsockopt(level, option, value)


def is_lost(exc: BaseException) -> bool:
    """Whether an error says that the server, or the way to it, went away.

    A mistake of the client, such as a value that asyncpg cannot send, does not, although asyncpg
    has one class for it and for a session that was closed.
    """
    if isinstance(exc, asyncpg.QueryCanceledError | ssl.SSLCertVerificationError):
        return False
    if isinstance(exc, asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError):
        return True
    if isinstance(exc, ConnectionError | TimeoutError | asyncpg.InternalClientError):
        return True
    if isinstance(exc, asyncpg.InterfaceError) and not isinstance(exc, ValueError):
        return "closed" in str(exc) or "released back to the pool" in str(exc)
    return False


def connecting_error(exc: BaseException, where: str) -> str:
    """The reason why a connection was not made, with the way out.

    Args:
        exc: exception of :func:`connect`.
        where: the servers, without secrets.

    """
    text = " ".join(str(exc).split()) or type(exc).__name__
    if isinstance(exc, asyncpg.InvalidAuthorizationSpecificationError):
        return f"{where} refuses the login: {text}"
    if isinstance(exc, TargetServerAttributeNotMatched):
        return f"no server of {where} satisfies target_session_attrs"
    if isinstance(exc, _UNNAMED):
        return POOLER
    if isinstance(exc, ssl.SSLError):
        return f"TLS with {where} fails: {text}"
    if isinstance(exc, TimeoutError):
        return f"{where} does not answer in time"
    if isinstance(exc, ConnectionError) and "SSL" in text:
        return f"{where} has no TLS, which sslmode requires: {text}"
    if isinstance(exc, OSError):
        return f"{where} cannot be reached: {text}"
    if isinstance(exc, asyncpg.ProtocolViolationError) and "startup parameter" in text:
        return f"{where} is a connection pooler that rejects a parameter: {text}"
    return text


async def is_shared(
    parameters: ConnectionParameters, timeout_s: float, connection: asyncpg.Connection
) -> bool:
    """Whether a pooler lends the server of a session to others between its transactions.

    A pooler makes process ids of its own, so a session without one is settled by one statement.
    Behind a pooler another session begins a transaction: it gets the server that ours has just
    used, or ours then gets another one, unless the pooler keeps sessions.

    Args:
        parameters: how to connect.
        timeout_s: see :func:`connect`.
        connection: the session, outside of a transaction.

    """
    asked = "SELECT pg_catalog.pg_backend_pid()"
    try:
        first = await connection.fetchval(asked)
        if first == connection.get_server_pid():
            return False
        other = await connect(parameters, timeout_s, statement_cache_size=0)
        try:
            async with other.transaction():
                if await other.fetchval(asked) == first:
                    return True
                # Ours waits only where its server is lent to others.
                async with asyncio.timeout(timeout_s):
                    return bool(await connection.fetchval(asked) != first)
        finally:
            other.terminate()
    except (*_UNNAMED, TimeoutError):
        return True
