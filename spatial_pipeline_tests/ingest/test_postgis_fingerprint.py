"""Random tables: what is staged is what the table holds, and its name follows what it holds."""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow.parquet as pq
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import opened, version_id
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.builds(shapely.Point, FINITE, FINITE)
LINES = st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=2, max_size=4).map(shapely.LineString)
SHAPES = st.one_of(
    POINTS, LINES, st.just(shapely.Polygon()), st.builds(shapely.box, *[FINITE] * 4),
    st.lists(POINTS, max_size=3).map(shapely.MultiPoint),
)  # fmt: skip
KINDS: dict[str, Any] = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float8": st.floats(allow_nan=False),
    "numeric(20,6)": st.decimals(-(10**12), 10**12, places=6),
    "text": TEXT,
    "bool": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(timezones=st.just(dt.UTC)),
    "uuid": st.uuids(),
    "bytea": st.binary(max_size=12),
}
COLUMNS = st.lists(st.sampled_from(sorted(KINDS)), max_size=6)


@st.composite
def tables(draw: Any) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Types of the columns, and rows with a shape each; anything may be null."""
    kinds = draw(COLUMNS)
    values = [st.none() | KINDS[k] for k in kinds] + [st.none() | SHAPES]
    return kinds, draw(st.lists(st.tuples(*values), max_size=12))


async def _fill(uri: str, kinds: list[str], rows: list[tuple[Any, ...]]) -> None:
    connection = await asyncpg.connect(uri)
    try:
        names = [f"c{i} {k}" for i, k in enumerate(kinds)]
        await connection.execute(
            "SET client_min_messages = error; DROP TABLE IF EXISTS random;"
            f"CREATE TABLE random ({', '.join([*names, 'geom geometry'])})"
        )
        marks = [f"${i + 1}::{k}" for i, k in enumerate(kinds)]
        marks.append(f"ST_GeomFromWKB(${len(kinds) + 1}::bytea, 4326)")
        await connection.executemany(
            f"INSERT INTO random VALUES ({', '.join(marks)})",
            [(*row[:-1], _wkb(row[-1])) for row in rows],
        )
    finally:
        await connection.close()


def _wkb(shape: Any) -> bytes | None:
    return None if shape is None else shapely.to_wkb(shape, flavor="iso")


def _expected(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "uuid":
        return str(value)
    if kind == "numeric(20,6)":
        return Decimal(value).quantize(Decimal("0.000001"))
    return value


def _order(row: Any) -> str:
    return repr([str(v) for v in row])


@settings(max_examples=30, deadline=None)
@given(table=tables())
def test_staged_is_what_the_table_holds(
    database: Database, table: tuple[list[str], list[tuple[Any, ...]]]
) -> None:
    kinds, rows = table
    asyncio.run(_fill(database.uri, kinds, rows))
    source = Source(uri=database.uri, layer="public.random")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "staged"
        target.mkdir()
        with opened("vector", source, None, target) as reading:
            profile = reading.ingest(target, None)
        assert profile.error is None
        staged = pq.read_table(target / "data.parquet")
    names = [*(f"c{i}" for i in range(len(kinds))), "geom"]
    found = list(zip(*(staged[n].to_pylist() for n in names), strict=True))
    wanted = [
        (*(_expected(k, v) for k, v in zip(kinds, r[:-1], strict=True)), _wkb(r[-1])) for r in rows
    ]
    assert sorted(found, key=_order) == sorted(wanted, key=_order)


@settings(max_examples=25, deadline=None)
@given(table=tables(), data=st.data())
def test_the_name_follows_the_content(
    database: Database, table: tuple[list[str], list[tuple[Any, ...]]], data: Any
) -> None:
    kinds, rows = table
    source = Source(uri=database.uri, layer="public.random")

    def name(kinds: list[str], rows: list[tuple[Any, ...]]) -> str:
        asyncio.run(_fill(database.uri, kinds, rows))
        return version_id("vector", source, None, Path())

    first = name(kinds, rows)
    assert name(kinds, data.draw(st.permutations(rows))) == first
    if not rows:
        return
    assert name(kinds, rows[1:]) != first
    assert name(kinds, [*rows, rows[0]]) != first
    at = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(kinds)))
    kind = SHAPES if column == len(kinds) else KINDS[kinds[column]]
    old = rows[at][column]
    new = data.draw(st.none() | kind)
    if _told(new) == _told(old):
        return
    changed = list(rows)
    changed[at] = (*rows[at][:column], new, *rows[at][column + 1 :])
    assert name(kinds, changed) != first


def _told(value: Any) -> str:
    return repr(_wkb(value)) if isinstance(value, shapely.Geometry) else repr(value)


def test_every_kind_of_change_changes_the_name(database: Database) -> None:
    source = Source(uri=database.uri, layer="public.watched")
    database.sql(
        "CREATE TABLE watched (id int, t text, geom geometry(Point, 4326))",
        "INSERT INTO watched SELECT i, i, ST_SetSRID(ST_MakePoint(i, i), 4326)"
        " FROM generate_series(1, 100) i",
    )

    def name(**more: str) -> str:
        return version_id("vector", source.model_copy(update=more), None, Path())

    names = [name()]
    for change in (
        "UPDATE watched SET t = t || ' ' WHERE id = 57",
        "UPDATE watched SET geom = ST_Translate(geom, 1e-12, 0) WHERE id = 3",
        "UPDATE watched SET t = NULL WHERE id = 4",
        "UPDATE watched SET t = '' WHERE id = 4",
        # Two rows that swap one value.
        "UPDATE watched SET t = CASE id WHEN 1 THEN '2' ELSE '1' END WHERE id < 3",
        "DELETE FROM watched WHERE id = 100",
        "INSERT INTO watched SELECT * FROM watched WHERE id = 99",
        "ALTER TABLE watched ALTER id SET NOT NULL",
        "ALTER TABLE watched RENAME t TO name",
        "ALTER TABLE watched ALTER name TYPE varchar(20)",
        "ALTER TABLE watched ALTER geom TYPE geometry(Point, 3857) USING ST_SetSRID(geom, 3857)",
        "ALTER TABLE watched ALTER geom TYPE geometry(Geometry, 3857)",
        "ALTER TABLE watched ADD more int",
    ):
        database.sql(change)
        names.append(name())
    names.append(name(where="id > 3"))
    assert len(set(names)) == len(names)


def test_what_is_no_change_of_content_changes_nothing(database: Database) -> None:
    source = Source(uri=database.uri, layer="public.same")
    database.sql(
        "CREATE TABLE same (id int, f float8, tz timestamptz, geom geometry(Point, 4326))",
        "INSERT INTO same SELECT i, i / 7.0, '2024-01-01'::timestamptz + i * interval '1 h',"
        " ST_SetSRID(ST_MakePoint(i, i), 4326) FROM generate_series(1, 1000) i",
    )
    first = version_id("vector", source, None, Path())
    for quiet in (
        "UPDATE same SET id = id WHERE id % 2 = 0",
        "VACUUM FULL same",
        "CREATE INDEX ON same USING gist (geom)",
        "CLUSTER same USING same_geom_idx",
        "GRANT SELECT ON same TO public",
        f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'",
        f"ALTER DATABASE {database.name} SET extra_float_digits = 0",
        "ALTER TABLE same SET (parallel_workers = 2)",
    ):
        database.sql(quiet)
        assert version_id("vector", source, None, Path()) == first, quiet
    copy = Database(database.cluster)
    copy.sql("CREATE SCHEMA filler", "CREATE TYPE filler.x AS (a int)")
    dump = database.sql(
        "SELECT string_agg(format('(%s, %s, %L, %L)', id, f, tz, geom), ',') FROM same"
    )
    copy.sql(
        "CREATE TABLE same (id int, f float8, tz timestamptz, geom geometry(Point, 4326))",
        "INSERT INTO same SELECT id, id / 7.0, tz::timestamptz, geom::geometry"
        f" FROM (VALUES {dump}) AS v(id, f, tz, geom)",
    )
    other = Source(uri=copy.uri, layer="public.same")
    assert version_id("vector", other, None, Path()) == first
