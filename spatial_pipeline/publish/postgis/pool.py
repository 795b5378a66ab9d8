"""Connections to PostGIS: one pool a loop, bounded in number and in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg

from spatial_pipeline.contract.database_url import CONFIGURED, parse
from spatial_pipeline.errors import SourceError, StoreError
from spatial_pipeline.publish.postgis.migrations import migrate
from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.sources.postgis_connection import (
    POOLER,
    connect,
    connecting_error,
    is_lost,
    is_shared,
)
from spatial_pipeline.store.locks import TIMEOUT_S

APPLICATION = "spatial_pipeline"
CLOSE_S = 10.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
REFUSED = (
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    ConnectionError,
    TimeoutError,
)
"""Errors of a server that is full, starting or stopping: worth another try."""
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
)
"""Errors that a session which ended under us may raise; :func:`is_lost` tells."""
_CONNECT_TIMEOUT_S = 10.0
_SETTINGS = {
    "client_connection_check_interval": "5s",
    "client_min_messages": "warning",
    "idle_in_transaction_session_timeout": "600000",
    "jit": "off",
    "tcp_keepalives_idle": "60",
}
"""A server whose client died looks for it only between statements unless it is told to."""
_SET = """
SELECT pg_catalog.set_config(s.name, g.value, false)
FROM unnest($1::text[], $2::text[]) AS g(name, value)
JOIN pg_catalog.pg_settings s ON s.name = g.name
"""


@dataclass(frozen=True)
class ServerAddress:
    """Address of the database, and time limits of its sessions.

    Attributes:
        dsn: libpq URI, or libpq's ``key=value`` pairs.
        pool_size: most connections of this process.
        acquire_timeout_s: how long to wait for a connection, retries included.
        statement_timeout_s: longest statement, COPY and index builds included.
        lock_timeout_s: longest wait for a lock on a table that readers use; while we wait, new
            readers wait behind us.
        lock_attempts: how often such a lock is asked for.
        patience_s: longest wait for another process that publishes the same partition, brings the
            schema ``spatial_pipeline`` up to date, or adds a CRS.

    """

    dsn: str = field(repr=False)
    pool_size: int = 4
    acquire_timeout_s: float = 60.0
    statement_timeout_s: float = 3600.0
    lock_timeout_s: float = 1.0
    lock_attempts: int = 30
    patience_s: float = TIMEOUT_S


class Database:
    """A database that is opened on the loop that uses it.

    ``async with database.opened():`` holds a pool open; inside, ``connection()`` lends one of its
    connections. Opening connects to nothing yet. Each loop has a pool of its own.
    """

    def __init__(self, address: ServerAddress) -> None:
        try:
            self._parsed = parse(CONFIGURED, address.dsn, APPLICATION)
        except SourceError as exc:
            msg = f"SPATIAL_DATABASE_URL: {exc} (write postgresql://user@host:port/database)"
            raise StoreError(msg) from exc
        self.address = address
        self._pools: dict[asyncio.AbstractEventLoop, tuple[asyncpg.Pool, int]] = {}
        self._opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        self._migrated = False

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Database]:
        """Holds the pool of this loop open; the outermost of nested uses closes it.

        Raises:
            StoreError: the address is wrong.

        """
        loop = asyncio.get_running_loop()
        async with self._opening.setdefault(loop, asyncio.Lock()):
            if loop not in self._pools:
                self._pools[loop] = (await self._pool(), 0)
            pool, users = self._pools[loop]
            self._pools[loop] = (pool, users + 1)
        try:
            yield self
        finally:
            pool, users = self._pools.pop(loop)
            if users > 1:
                self._pools[loop] = (pool, users - 1)
            else:
                await _close(pool)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Lends a connection; the schema ``spatial_pipeline`` is there.

        Raises:
            StoreError: the server cannot be reached in time, or went away meanwhile.

        """
        entry = self._pools.get(asyncio.get_running_loop())
        if entry is None:
            msg = "the database is not open on this loop: use it within database.opened()"
            raise StoreError(msg)
        pool = entry[0]
        connection = await self._acquired(pool)
        try:
            if not self._migrated:
                if await is_shared(self._parsed.connection, _CONNECT_TIMEOUT_S, connection):
                    raise StoreError(POOLER)
                await migrate(connection, self.address.patience_s)
                self._migrated = True
            yield connection
        except LOST as exc:
            told = "went away" if is_lost(exc) else "rejected the request"
            msg = f"the database {told}: {_said(exc)}"
            raise StoreError(msg) from exc
        except asyncpg.PostgresError as exc:
            msg = f"the database refused: {_said(exc)}"
            raise StoreError(msg) from exc
        finally:
            await _released(pool, connection)

    async def _pool(self) -> asyncpg.Pool:
        timeout_s = min(_CONNECT_TIMEOUT_S, self.address.acquire_timeout_s)

        async def connected(*_: Any, **more: Any) -> asyncpg.Connection:
            return await connect(self._parsed.connection, timeout_s, **more)

        return await asyncpg.create_pool(
            min_size=0,
            max_size=self.address.pool_size,
            max_inactive_connection_lifetime=30.0,
            connect=connected,
            init=_prepared,
            setup=self._set,
        )

    async def _set(self, connection: Any) -> None:
        """Settings of a lent session; a pooler admits none of them when a session begins."""
        longest = str(int(self.address.statement_timeout_s * 1000))
        settings = {**_SETTINGS, "statement_timeout": longest}
        await connection.fetch(_SET, list(settings), list(settings.values()))

    async def _acquired(self, pool: asyncpg.Pool) -> Any:
        """A connection; a server that is full, starting or stopping is asked again."""
        pause = FIRST_PAUSE_S
        said: BaseException = TimeoutError("no free connection")
        try:
            async with asyncio.timeout(self.address.acquire_timeout_s):
                while True:
                    try:
                        return await pool.acquire()
                    except REFUSED as exc:
                        if isinstance(exc, ConnectionError) and "SSL" in str(exc):
                            raise
                        said = exc
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
        except TimeoutError as exc:
            patience = f"{self.address.acquire_timeout_s:g} s"
            msg = f"the database gave no connection within {patience}: {_said(said)}"
            raise StoreError(self._parsed.scrubbed(msg)) from exc
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as exc:
            where = ", ".join(self._parsed.place.hosts) or "the local server"
            msg = f"cannot connect to the database: {connecting_error(exc, where)}"
            raise StoreError(self._parsed.scrubbed(msg)) from exc


async def _prepared(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=json_text, decoder=json.loads, schema="pg_catalog"
    )


async def _released(pool: asyncpg.Pool, connection: Any) -> None:
    try:
        await pool.release(connection, timeout=CLOSE_S)
    except (asyncpg.PostgresError, *LOST):
        # The session is gone, and what it held with it.
        with contextlib.suppress(asyncpg.InterfaceError):
            connection.terminate()


async def _close(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await pool.close()
    except BaseException:
        pool.terminate()
        raise


def _said(error: BaseException) -> str:
    detail = getattr(error, "detail", None)
    text = str(error) or type(error).__name__
    return f"{text} ({detail})" if detail else text
