"""Read-only sessions with a server of PostgreSQL: how they begin, end, and what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from spatial_pipeline.contract.database_url import Address
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.private_loop import PrivateLoop

CONNECT_TIMEOUT_S = 10.0
PATIENCE_S = 60.0
"""How long to ask a server again that is full, starting or stopping."""
STATEMENT_TIMEOUT_S = 3600
"""Longest statement on the server, the fingerprint of a large table included."""
CLOSE_S = 5.0
_PAUSE_S = 0.2
_FULL = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_SETTINGS = {
    "application_name": "spatial_pipeline source",
    "statement_timeout": str(STATEMENT_TIMEOUT_S * 1000),
    "lock_timeout": "60000",
    # A version may wait for another run to stage the same dataset.
    "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_S * 1000),
    "default_transaction_read_only": "on",
    "client_min_messages": "error",
    "jit": "off",
    # What is staged as text must not depend on how a server is set up.
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
}


_LOOK_FOR_CLIENT = (
    "SELECT set_config(name, '5s', false) FROM pg_catalog.pg_settings"
    " WHERE name = 'client_connection_check_interval'"
)


@dataclass(frozen=True)
class Limits:
    """How long a server may take.

    Attributes:
        patience_s: asking a server again that is full, starting or stopping.
        statement_s: one statement on the server.

    """

    patience_s: float
    statement_s: float


@contextmanager
def session(
    address: Address, limits: Limits | None = None
) -> Iterator[tuple[PrivateLoop, asyncpg.Connection]]:
    """A read-only session and the loop it lives on; closed whoever gives up, and when.

    Raises:
        SourceError: the server does not answer or does not let us in.

    """
    held: list[asyncpg.Connection] = []
    with PrivateLoop() as loop:
        try:
            begun = translated(lambda: _connected(address, limits, held), address)
            yield loop, loop.run(begun)
        finally:
            # Closing ends the statement that the server may still be busy with.
            for connection in held:
                loop.finish(_disconnected(connection))


async def _connected(
    address: Address, limits: Limits | None, held: list[asyncpg.Connection]
) -> asyncpg.Connection:
    """Asks again where the server is full or starting.

    What must be closed is noted in ``held`` before anything else is awaited.
    """
    settings, patience_s = dict(_SETTINGS), PATIENCE_S
    if limits is not None:
        settings["statement_timeout"] = str(int(limits.statement_s * 1000))
        patience_s = limits.patience_s
    async with asyncio.timeout(patience_s):
        while not held:
            try:
                held.append(
                    await asyncpg.connect(
                        address.dsn,
                        timeout=min(CONNECT_TIMEOUT_S, patience_s),
                        server_settings=settings,
                    )
                )
            except _FULL:
                await asyncio.sleep(_PAUSE_S)
        # A server whose client died looks for it only between statements unless it is told to.
        await held[0].execute(_LOOK_FOR_CLIENT)
    return held[0]


async def _disconnected(connection: asyncpg.Connection) -> None:
    """Ends a session, whatever state it is in."""
    try:
        await connection.close(timeout=CLOSE_S)
    except (asyncpg.PostgresError, *LOST):
        connection.terminate()


async def translated(begin: Callable[[], Awaitable[Any]], address: Address) -> Any:
    """The result of work; what the server or the network says becomes a SourceError.

    The work is begun here: what is given up before its first step leaves no coroutine behind.
    """
    try:
        return await begin()
    except (asyncpg.PostgresError, *LOST, ValueError) as exc:
        raise SourceError(said(exc, address)) from exc


def said(exc: BaseException, address: Address) -> str:
    """What went wrong, without the secrets of the address."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    where = ", ".join(address.place.hosts) or "the local server"
    if isinstance(exc, asyncpg.QueryCanceledError):
        text = f"{text} (the limit is {STATEMENT_TIMEOUT_S} s)"
    elif isinstance(exc, asyncpg.InvalidAuthorizationSpecificationError):
        text = f"{where} refuses the login: {text}"
    elif isinstance(exc, TimeoutError):
        text = f"{where} does not answer in time"
    elif isinstance(exc, OSError):
        text = f"{where} cannot be reached: {text}"
    elif isinstance(exc, LOST):
        text = f"{where} went away: {text}"
    return address.scrubbed(text)
