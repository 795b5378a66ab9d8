"""Tables, views and queries of PostgreSQL with PostGIS, as streams of Arrow batches.

One repeatable-read, read-only transaction sees one state of the data, however long it lasts. In it
the server hashes exactly what would be read; that names the version. Only when this version is not
staged yet, the same transaction streams the rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg
import numpy as np
import pyarrow as pa

from spatial_pipeline.contract.database_url import Address
from spatial_pipeline.errors import SourceLostError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.postgis import catalogue
from spatial_pipeline.ingest.postgis.catalogue import Relation
from spatial_pipeline.ingest.postgis.points import PointsOfNaN, any_without_numbers
from spatial_pipeline.ingest.postgis.rows import Coding, found_rows, unpacked
from spatial_pipeline.ingest.postgis.session import (
    LOST,
    ServerLimits,
    begin,
    said,
    session,
    translated,
)
from spatial_pipeline.ingest.postgis.stream import HEADER_BYTES, RowStream
from spatial_pipeline.ingest.postgis.types import TableColumn, coding, measures, unsayable
from spatial_pipeline.ingest.schema import distinct_names
from spatial_pipeline.runtime import hashing
from spatial_pipeline.runtime.loop_thread import PrivateLoop, awaited

MAX_ROWS = 16384
"""Rows that are decoded at once."""


_UNMEASURED = (None, None)


@dataclass
class SnapshotTable:
    """Table in an open snapshot; valid within :func:`open_table` only.

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
            batches=self._batches(defects),
            required=frozenset(f.name for f in found.schema if not f.nullable),
            notes=notes,
            defects=defects,
        )

    def _batches(self, defects: Defects) -> Iterator[pa.RecordBatch]:
        found = self._described
        read, empty = 0, False
        with self._lost(lambda: read):
            stream = self._loop.run(_opened(self._connection, found.rows_sql))
            coming = self._loop.start(_fetched(stream))
            try:
                data, at = b"", HEADER_BYTES
                while part := awaited(coming):
                    # The server works on the next rows while we work on these.
                    coming = self._loop.start(_fetched(stream))
                    data += part
                    places, end = found_rows(data, at)
                    buffer = np.frombuffer(data, dtype=np.uint8)
                    for first in range(0, len(places), MAX_ROWS):
                        rows = places[first : first + MAX_ROWS]
                        arrays = unpacked(
                            buffer, rows, found.codings, found.schema.names, read, defects
                        )
                        read += len(rows)
                        empty |= found.points is not None and any_without_numbers(arrays[-1])
                        yield _batch(arrays, found.schema, len(rows))
                    data, at = data[end:], max(0, end - len(data))
            finally:
                coming.cancel()
                self._loop.finish(stream.close())
            if empty and found.points is not None:
                named = found.points.name(self._connection, defects, found.schema.names[-1])
                self._loop.run(named)

    @contextmanager
    def _lost(self, read: Callable[[], int]) -> Iterator[None]:
        try:
            yield
        except (*LOST, asyncpg.PostgresError) as exc:
            name = self.name or "the query"
            reason = said(exc, self._address, self._connection)
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
        described = loop.run(
            translated(lambda: _inspected(connection, layer, query, limits), address, connection)
        )
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
        await begin(connection)
        relation = await catalogue.relation(connection, layer, query)
        name = None if relation.name is None else str(relation.name)
        # fetch, not fetchval: a limit on rows keeps the server from working in parallel.
        (row,) = await connection.fetch(f"SELECT count(*) FROM {relation.sql} AS source")  # noqa: S608
        return name, row[0]

    with session(address) as (loop, connection):
        found: tuple[str | None, int] = loop.run(
            translated(lambda: counted(connection), address, connection)
        )
        return found


@dataclass(frozen=True)
class _Described:
    """Description of a relation before its rows are read; the geometry column comes last."""

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


async def _inspected(
    connection: asyncpg.Connection,
    layer: str | None,
    query: str | None,
    limits: ServerLimits | None,
) -> _Described:
    """Begins the snapshot, describes the relation and hashes what it holds."""
    await begin(connection, limits)
    relation = await catalogue.relation(connection, layer, query)
    if relation.stored:
        # Functions of a view or a policy may need the path of the login.
        await catalogue.use_no_search_path(connection)
    notes = list(relation.notes)
    columns = relation.columns
    geometry = next((c for c in columns if c.is_geometry), None)
    others = [c.name for c in columns if c.is_geometry and c is not geometry]
    if others:
        notes.append(f"several geometry columns: {', '.join(others)} staged as binary attributes")
    if geometry is not None and geometry.type == "geography":
        notes.append("edges are geodesic, judged as planar")
    # Columns go by number, so that no name of a source becomes part of a statement.
    numbered = [(f"c{i}", c) for i, c in enumerate(columns)]
    ordered = [n for n in numbered if n[1] is not geometry]
    ordered += [n for n in numbered if n[1] is geometry]
    # The hash is of values in the widest form of their types, whatever they are staged as.
    packed = _packed([coding(c, relation.postgis, _UNMEASURED) for _, c in ordered], ordered)
    wanted = [[m.replace("{}", n) for m in measures(c)] for n, c in ordered]
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
        f"sum(hash_array_extended(ARRAY[{packed}], 2)), "
        f"{', '.join([srids, *itertools.chain(*wanted)])} FROM {source}"
    )
    count, first, second, lowest, highest, *found = totals
    measured = [[found.pop(0) for _ in m] for m in wanted]
    codings = tuple(
        coding(c, relation.postgis, m) for (_, c), m in zip(ordered, measured, strict=True)
    )
    kept = [c.name for (_, c), m in zip(ordered, measured, strict=True) if unsayable(c, m)]
    if kept:
        notes.append(
            f"staged as text, for they hold infinity, a year before 1 or behind 9999, or "
            f"24:00:00: {', '.join(kept)}"
        )
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
    if not relation.key:
        # Workers would give the rows in another order each time.
        await connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
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
            [str(k.arrow) for k in codings],
            *(declared_type, srid, lowest, highest, crs),
            *(count, str(first), str(second)),
        ),
        rows_sql=f"SELECT {_packed(codings, ordered)} FROM {source}{order}",  # noqa: S608
        points=points,
        notes=tuple(notes),
    )


def _batch(arrays: list[pa.Array], schema: pa.Schema, count: int) -> pa.RecordBatch:
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([])))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _packed(codings: Sequence[Coding], columns: Sequence[tuple[str, TableColumn]]) -> str:
    """Expression of a row as one value."""
    parts = (k.sql.replace("{}", n) for k, (n, _) in zip(codings, columns, strict=True))
    return f"record_send(ROW({', '.join(parts)}))"


async def _opened(connection: asyncpg.Connection, sql: str) -> RowStream:
    return RowStream(connection, sql)


async def _fetched(stream: RowStream) -> bytes:
    return await stream.take()
