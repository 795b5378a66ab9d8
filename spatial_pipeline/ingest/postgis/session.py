"""Read-only PostgreSQL sessions: begin, end, time limits, and errors in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.transaction import Transaction

from spatial_pipeline.contract.database_url import Address
from spatial_pipeline.errors import SourceError
from spatial_pipeline.runtime.loop_thread import PrivateLoop
from spatial_pipeline.sources.postgis_connection import FULL, connect, connecting_error, is_lost

CONNECT_TIMEOUT_S = 10.0
PATIENCE_S = 60.0
"""Longest time to retry a server that is full, starting or stopping."""
STATEMENT_TIMEOUT_S = 3600
"""Longest statement on the server, the fingerprint of a large table included."""
CLOSE_S = 5.0
_PAUSE_S = 0.2
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Errors of a session beside those that the server names."""
_LONGEST = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""Settings of which a shorter one of the login stands."""
_applied: WeakKeyDictionary[asyncpg.Connection, dict[str, tuple[str, bool]]] = WeakKeyDictionary()
"""Values of settings in a session as the server shows them, and whether the login's was shorter."""
_SETTINGS = {
    "statement_timeout": str(STATEMENT_TIMEOUT_S * 1000),
    "lock_timeout": "60000",
    # A version may wait for another run to stage the same dataset.
    "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_S * 1000),
    # A server whose client died looks for it only between statements unless it is told to.
    "client_connection_check_interval": "5000",
    "client_min_messages": "error",
    "jit": "off",
    # What a row holds must not depend on how a server, a database or a login is set up.
    "array_nulls": "on",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "datestyle": "ISO, YMD",
    "default_text_search_config": "pg_catalog.simple",
    "extra_float_digits": "1",
    "gin_fuzzy_search_limit": "0",
    "intervalstyle": "iso_8601",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "quote_all_identifiers": "off",
    "row_security": "on",
    "standard_conforming_strings": "on",
    "synchronize_seqscans": "off",
    "timezone": "UTC",
    "timezone_abbreviations": "Default",
    "transform_null_equals": "off",
    "xmlbinary": "base64",
    "xmloption": "content",
}
_SET = """
SELECT s.name, l.shorter, pg_catalog.set_config(
    s.name, CASE WHEN l.shorter THEN s.setting ELSE g.value END, true) AS value
FROM unnest($1::text[], $2::text[]) AS g(name, value)
JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = g.name
CROSS JOIN LATERAL (SELECT CASE WHEN s.name = ANY($3::text[])
    THEN s.setting::int8 BETWEEN 1 AND g.value::int8 - 1 ELSE false END) AS l(shorter)
WHERE s.context = 'user'
"""


@dataclass(frozen=True)
class ServerLimits:
    """Time limits for a server.

    Attributes:
        patience_s: asking a server again that is full, starting or stopping.
        statement_s: one statement on the server.

    """

    patience_s: float
    statement_s: float


@contextmanager
def session(
    address: Address, limits: ServerLimits | None = None
) -> Iterator[tuple[PrivateLoop, asyncpg.Connection]]:
    """A session and the loop it lives on; closed whoever gives up, and when.

    Nothing outside of a transaction that :func:`begin` began is kept on the server, so a pooler
    may stand between.

    Raises:
        SourceError: the server does not answer or does not let us in.

    """
    held: list[asyncpg.Connection] = []
    with PrivateLoop() as loop:
        try:
            yield loop, loop.run(_connected(address, limits, held))
        finally:
            # Closing ends the statement that the server may still be busy with.
            for connection in held:
                loop.finish(_disconnected(connection))


async def begin(connection: asyncpg.Connection, limits: ServerLimits | None = None) -> Transaction:
    """A read-only transaction that sees one state of the data, with settings of its own.

    Args:
        connection: the session.
        limits: how long the server may take.

    """
    settings = dict(_SETTINGS)
    if limits is not None:
        settings["statement_timeout"] = str(int(limits.statement_s * 1000))
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    rows = await connection.fetch(_SET, list(settings), list(settings.values()), _LONGEST)
    _applied[connection] = {r["name"]: (r["value"], r["shorter"]) for r in rows}
    return transaction


@asynccontextmanager
async def snapshot(
    connection: asyncpg.Connection, limits: ServerLimits | None = None
) -> AsyncIterator[None]:
    """The transaction of :func:`begin`, which ends with the block."""
    transaction = await begin(connection, limits)
    try:
        yield
    finally:
        if not connection.is_closed():
            await transaction.rollback()


async def _connected(
    address: Address, limits: ServerLimits | None, held: list[asyncpg.Connection]
) -> asyncpg.Connection:
    """Asks again where the server is full or starting.

    What must be closed is noted in ``held`` before anything else is awaited.

    Raises:
        SourceError: there is no session to be had.

    """
    patience_s = PATIENCE_S if limits is None else limits.patience_s
    try:
        async with asyncio.timeout(patience_s):
            while not held:
                try:
                    held.append(
                        await connect(
                            address.connection,
                            min(CONNECT_TIMEOUT_S, patience_s),
                            statement_cache_size=0,
                        )
                    )
                except FULL:
                    await asyncio.sleep(_PAUSE_S)
    except (asyncpg.PostgresError, *LOST, ValueError) as exc:
        where = ", ".join(address.place.hosts) or "the local server"
        raise SourceError(address.scrubbed(connecting_error(exc, where))) from exc
    return held[0]


async def _disconnected(connection: asyncpg.Connection) -> None:
    """Ends a session, whatever state it is in."""
    try:
        await connection.close(timeout=CLOSE_S)
    except (asyncpg.PostgresError, *LOST):
        connection.terminate()


async def translated(
    begun: Callable[[], Awaitable[Any]], address: Address, connection: asyncpg.Connection
) -> Any:
    """The result of work in a session; an error of server or network becomes a SourceError.

    The work is begun here: what is given up before its first step leaves no coroutine behind.
    """
    try:
        return await begun()
    except (asyncpg.PostgresError, *LOST, ValueError) as exc:
        raise SourceError(said(exc, address, connection)) from exc


def said(exc: BaseException, address: Address, connection: asyncpg.Connection) -> str:
    """Error of a session in words, without the secrets of the address."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    where = ", ".join(address.place.hosts) or "the local server"
    if isinstance(exc, asyncpg.QueryCanceledError):
        text = f"{text} ({_why_cancelled(text, connection)})"
    elif isinstance(exc, TimeoutError):
        text = f"{where} does not answer in time"
    elif is_lost(exc):
        text = f"{where} went away: {text}"
    return address.scrubbed(text)


def _why_cancelled(text: str, connection: asyncpg.Connection) -> str:
    """Cause of a cancelled statement: a limit and whose it is, or a person."""
    if "user request" in text:
        return "by an administrator or pg_cancel_backend: run again, or ask who cancelled it"
    limit, shorter = _applied.get(connection, {}).get("statement_timeout", (None, False))
    if limit is None:
        return "before the limits of the session were set"
    if shorter:
        return f"statement_timeout of the login or its database is {limit}: raise it there"
    return f"the limit is {limit}"
