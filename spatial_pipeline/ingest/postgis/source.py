"""Tables, views and queries of PostgreSQL with PostGIS, as streams of Arrow batches.

One repeatable-read, read-only transaction sees one state of the data, however long it lasts. In it
the server hashes exactly what would be read; that names the version. Only when this version is not
staged yet, the same transaction streams the rows through a cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pyarrow as pa

from spatial_pipeline.contract.database_url import Address
from spatial_pipeline.errors import SourceError, SourceLostError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.postgis import catalogue
from spatial_pipeline.ingest.postgis.catalogue import Relation
from spatial_pipeline.ingest.postgis.points import PointsOfNaN, any_without_numbers
from spatial_pipeline.ingest.postgis.rows import Coding, unpacked
from spatial_pipeline.ingest.postgis.types import TableColumn, coding, is_rounded
from spatial_pipeline.ingest.schema import distinct_names
from spatial_pipeline.runtime import hashing
from spatial_pipeline.runtime.loop_thread import PrivateLoop, awaited

CONNECT_TIMEOUT_S = 10.0
PATIENCE_S = 60.0
"""How long to ask a server again that is full, starting or stopping."""
STATEMENT_TIMEOUT_S = 3600
"""Longest statement on the server, the fingerprint of a large table included."""
SILENCE_S = 600.0
"""Longest wait for the next rows."""
CLOSE_S = 5.0
FIRST_ROWS = 256
MAX_ROWS = 16384
BATCH_BYTES = 32 << 20
_PAUSE_S = 0.2
_FULL = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError)
_LOST = (
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
class ServerLimits:
    """How long a server may take.

    Attributes:
        patience_s: asking a server again that is full, starting or stopping.
        statement_s: one statement on the server.

    """

    patience_s: float
    statement_s: float


@dataclass
class SnapshotTable:
    """What an open snapshot holds; valid within :func:`open_table` only.

    Attributes:
        name: schema and name, None for a query.
        content: hash of the declarations and of all rows, whatever their order.

    """

    name: str | None
    content: str
    _described: _Described = field(repr=False)
    _connection: asyncpg.Connection = field(repr=False)
    _loop: PrivateLoop = field(repr=False)
    _address: Address = field(repr=False)

    @contextmanager
    def open_layer(self) -> Iterator[Layer]:
        """The rows of the snapshot for one pass.

        They come in the order of the primary key, where there is one.

        Raises:
            SourceLostError: while batches are read: the server went away.

        """
        found = self._described
        notes, defects = list(found.notes), Defects()
        yield Layer(
            driver="PostgreSQL",
            name=self.name,
            crs=found.crs,
            geometry_type=found.geometry_type,
            geometry=None if found.geometry is None else found.schema.names[-1],
            schema=found.schema,
            declared_count=found.count,
            declared_bounds=None,
            batches=self._batches(notes, defects),
            required=frozenset(f.name for f in found.schema if not f.nullable),
            notes=notes,
            defects=defects,
        )

    def _batches(self, notes: list[str], defects: Defects) -> Iterator[pa.RecordBatch]:
        found = self._described
        read, empty = 0, False
        with self._lost(lambda: read):
            cursor = self._loop.run(_cursor(self._connection, found.rows_sql))
            wanted = FIRST_ROWS
            coming = self._loop.start(_fetched(cursor, wanted))
            try:
                while rows := awaited(coming):
                    packed = [r[0] for r in rows]
                    size = sum(map(len, packed)) // len(packed) + 1
                    wanted = max(1, min(MAX_ROWS, BATCH_BYTES // size))
                    # The server works on the next rows while we work on these.
                    coming = self._loop.start(_fetched(cursor, wanted))
                    arrays = unpacked(packed, found.codings, found.schema.names, notes)
                    read += len(packed)
                    empty |= found.points is not None and any_without_numbers(arrays[-1])
                    yield _batch(arrays, found.schema, len(packed))
            finally:
                coming.cancel()
            if empty and found.points is not None:
                named = found.points.name(self._connection, defects, found.schema.names[-1])
                self._loop.run(named)

    @contextmanager
    def _lost(self, read: Callable[[], int]) -> Iterator[None]:
        try:
            yield
        except (*_LOST, asyncpg.PostgresError) as exc:
            name = self.name or "the query"
            reason = _reason(exc, self._address)
            msg = f"{self._address.shown}: {name} was lost behind row {read()}: {reason}"
            raise SourceLostError(msg) from exc


@contextmanager
def open_table(
    address: Address, layer: str | None, query: str | None, limits: ServerLimits | None = None
) -> Iterator[SnapshotTable]:
    """Opens a snapshot of a table, a view or a query.

    Args:
        address: the database.
        layer: ``schema.table``, taken literally, or a name on the search path; may be None when
            there is only one table with a geometry.
        query: SQL of one SELECT instead of a table.
        limits: how long the server may take.

    Raises:
        SourceError: the server, the table or the permission is missing, or the server cannot
            evaluate what it is asked for.

    """
    with session(address, limits) as (loop, connection):
        described = loop.run(translated(lambda: _inspected(connection, layer, query), address))
        name = described.relation.name
        yield SnapshotTable(
            name=None if name is None else str(name),
            content=described.content,
            _described=described,
            _connection=connection,
            _loop=loop,
            _address=address,
        )


def count_rows(address: Address, layer: str | None, query: str | None) -> tuple[str | None, int]:
    """Name and number of rows of a table, a view or a query; see :func:`open_table`."""

    async def counted(connection: asyncpg.Connection) -> tuple[str | None, int]:
        relation = await catalogue.relation(connection, layer, query)
        name = None if relation.name is None else str(relation.name)
        # fetch, not fetchval: a limit on rows keeps the server from working in parallel.
        (row,) = await connection.fetch(f"SELECT count(*) FROM {relation.sql} AS source")  # noqa: S608
        return name, row[0]

    with session(address) as (loop, connection):
        found: tuple[str | None, int] = loop.run(translated(lambda: counted(connection), address))
        return found


@dataclass(frozen=True)
class _Described:
    """What is known of a relation before its rows are read; the geometry column is the last."""

    relation: Relation
    schema: pa.Schema
    codings: tuple[Coding, ...]
    geometry: TableColumn | None
    geometry_type: str | None
    crs: str | None
    count: int
    content: str
    rows_sql: str
    points: PointsOfNaN | None
    notes: tuple[str, ...]


@contextmanager
def session(
    address: Address, limits: ServerLimits | None = None
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
    address: Address, limits: ServerLimits | None, held: list[asyncpg.Connection]
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
    except (asyncpg.PostgresError, *_LOST):
        connection.terminate()


async def _inspected(
    connection: asyncpg.Connection, layer: str | None, query: str | None
) -> _Described:
    """Begins the snapshot, describes the relation and hashes what it holds."""
    await connection.transaction(isolation="repeatable_read", readonly=True).start()
    relation = await catalogue.relation(connection, layer, query)
    notes: list[str] = []
    columns = relation.columns
    geometry = next((c for c in columns if c.is_geometry), None)
    others = [c.name for c in columns if c.is_geometry and c is not geometry]
    if others:
        notes.append(f"several geometry columns: {', '.join(others)} staged as binary attributes")
    rounded = [c.name for c in columns if is_rounded(c)]
    if rounded:
        notes.append(f"numeric without precision staged as double: {', '.join(rounded)}")
    if geometry is not None and geometry.type == "geography":
        notes.append("edges are geodesic, judged as planar")
    # Columns go by number, so that no name of a source becomes part of a statement.
    numbered = [(f"c{i}", c) for i, c in enumerate(columns)]
    ordered = [n for n in numbered if n[1] is not geometry]
    ordered += [n for n in numbered if n[1] is geometry]
    codings = tuple(coding(c, relation.postgis) for _, c in ordered)
    packed = ", ".join(k.sql.replace("{}", n) for k, (n, _) in zip(codings, ordered, strict=True))
    packed = f"record_send(ROW({packed}))"
    aliases = ", ".join(n for n, _ in numbered)
    source = f"{relation.sql} AS source" + (f"({aliases})" if aliases else "")
    declared_type, srid, srids, place = None, 0, "0, 0", ""
    if geometry is not None:
        declared_type, srid = await catalogue.geometry_type(connection, relation, geometry)
        at = next(n for n, c in numbered if c is geometry)
        cast = "::geometry" if geometry.type == "geography" else ""
        cast = cast.replace("::", f"::{relation.postgis}.")
        place = f"{at}{cast}"
        value = f"{relation.postgis}.ST_SRID({place})"
        srids = f"min({value}), max({value})"
    # fetch, not fetchrow: a limit on rows keeps the server from working in parallel.
    (totals,) = await connection.fetch(
        f"SELECT count(*), sum(hash_array_extended(ARRAY[{packed}], 1)), "  # noqa: S608
        f"sum(hash_array_extended(ARRAY[{packed}], 2)), {srids} FROM {source}"
    )
    count, first, second, lowest, highest = totals
    if srid == 0 and lowest is not None:
        srid = lowest
        if lowest != highest:
            srid = 0
            notes.append(f"geometries have several SRIDs, {lowest} to {highest}: CRS unknown")
    crs = await catalogue.reference_system(connection, relation, srid, notes)
    names = distinct_names([c.name for _, c in ordered])
    schema = pa.schema(
        [
            pa.field(n, k.arrow, c.nullable)
            for n, k, (_, c) in zip(names, codings, ordered, strict=True)
        ]
    )
    key = [n for name in relation.key for n, c in numbered if c.name == name]
    order = f" ORDER BY {', '.join(key)}" if key else ""
    points = PointsOfNaN.of(relation.postgis, place, source, order) if place else None
    return _Described(
        relation=relation,
        schema=schema,
        codings=codings,
        geometry=geometry,
        geometry_type=declared_type,
        crs=crs,
        count=count,
        content=hashing.fingerprint(
            [[c.name, c.declared, c.nullable] for c in columns],
            *(declared_type, srid, lowest, highest, crs),
            *(count, str(first), str(second)),
        ),
        rows_sql=f"SELECT {packed} FROM {source}{order}",  # noqa: S608
        points=points,
        notes=tuple(notes),
    )


def _batch(arrays: list[pa.Array], schema: pa.Schema, count: int) -> pa.RecordBatch:
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([])))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


async def _cursor(connection: asyncpg.Connection, sql: str) -> Any:
    return await connection.cursor(sql)


async def _fetched(cursor: Any, count: int) -> list[Any]:
    async with asyncio.timeout(SILENCE_S):
        rows: list[Any] = await cursor.fetch(count)
        return rows


async def translated(begin: Callable[[], Awaitable[Any]], address: Address) -> Any:
    """The result of work; what the server or the network says becomes a SourceError.

    The work is begun here: what is given up before its first step leaves no coroutine behind.
    """
    try:
        return await begin()
    except (asyncpg.PostgresError, *_LOST, ValueError) as exc:
        raise SourceError(_reason(exc, address)) from exc


def _reason(exc: BaseException, address: Address) -> str:
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
    elif isinstance(exc, _LOST):
        text = f"{where} went away: {text}"
    return address.scrubbed(text)
