"""Rows of a statement as the bytes of a binary COPY, bounded by bytes however rows differ in size.

Rows of one column are sent one after the other. The server waits while nobody takes them, so
memory holds the bytes of one piece that is worked on and of one that is coming, and a row more.
"""

from __future__ import annotations

import asyncio

import asyncpg

SILENCE_S = 600.0
"""Longest wait for the next rows."""
BATCH_BYTES = 16 << 20
HEADER_BYTES = 19
"""Bytes of a stream before its first row."""


class RowStream:
    """Rows that are coming; lives on the loop of its connection."""

    def __init__(self, connection: asyncpg.Connection, sql: str) -> None:
        """Begins to read.

        Args:
            connection: session with an open transaction.
            sql: statement with one column.

        """
        self._connection = connection
        self._parts: list[bytes] = []
        self._size = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._copy = asyncio.create_task(
            connection.copy_from_query(sql, output=self._put, format="binary")
        )
        self._copy.add_done_callback(lambda _: self._arrived.set())

    async def take(self) -> bytes:
        """The next bytes of the stream, about ``BATCH_BYTES`` of them; none behind the last.

        Raises:
            TimeoutError: nothing came for a long time.

        """
        while self._size < BATCH_BYTES and not self._copy.done():
            self._arrived.clear()
            async with asyncio.timeout(SILENCE_S):
                await self._arrived.wait()
        if self._copy.done():
            self._copy.result()
        taken, self._parts, self._size = b"".join(self._parts), [], 0
        self._room.set()
        return taken

    async def close(self) -> None:
        """Ends the statement and, unless all rows were taken, the session, too.

        asyncpg takes rows under way for the answer to a cancellation, so such a session cannot
        serve another statement.
        """
        if not self._copy.done():
            self._connection.terminate()
            self._copy.cancel()
            await asyncio.wait([self._copy])
        if not self._copy.cancelled():
            self._copy.exception()

    async def _put(self, part: bytes) -> None:
        await self._room.wait()
        self._parts.append(part)
        self._size += len(part)
        if self._size >= BATCH_BYTES:
            self._room.clear()
        self._arrived.set()
