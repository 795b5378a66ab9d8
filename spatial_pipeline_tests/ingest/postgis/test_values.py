"""Values of a real server: each is staged as it is, or named with its column and row."""

from __future__ import annotations

import asyncio
import datetime as dt
import struct
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import opened
from spatial_pipeline.ingest.postgis import source as postgis_source
from spatial_pipeline.ingest.postgis import stream as postgis_stream
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]


def staged(database: Database, folder: Path, layer: str | None, **source: Any) -> Any:
    profile, table = staged_vector(database.uri, folder, layer=layer, **source)
    assert profile.error is None, profile.error
    return profile, table


LONG = "123456789012345678901234567890"


@pytest.mark.parametrize("how", ["table", "query", "view"])
def test_unequal_numbers_stay_unequal(database: Database, tmp_path: Path, how: str) -> None:
    database.sql(
        "DROP TABLE IF EXISTS exact CASCADE",
        "CREATE TABLE exact (id int PRIMARY KEY, n numeric, p numeric(38, 5), w numeric)",
        f"INSERT INTO exact VALUES (1, {LONG}, 0.1, 7), (2, {LONG[:-1]}1, 0.10001, 8),"
        " (3, 0.1234567890123456789, NULL, NULL)",
        "CREATE VIEW exact_view AS SELECT id, n + 0 AS n, p * 1 AS p, w FROM exact",
    )
    source = {
        "table": {"layer": "public.exact"},
        "view": {"layer": "public.exact_view"},
        "query": {"layer": None, "query": "SELECT id, n, p, w FROM exact;"},
    }[how]
    profile, table = staged(database, tmp_path, **source)  # type: ignore[arg-type]
    rows = sorted(table.to_pylist(), key=lambda r: r["id"])
    assert [r["n"] for r in rows] == [
        Decimal(LONG), Decimal(LONG[:-1] + "1"), Decimal("0.1234567890123456789")
    ]  # fmt: skip
    assert [r["p"] for r in rows] == [Decimal("0.1"), Decimal("0.10001"), None]
    assert [str(r["w"]) for r in rows] == ["7", "8", "None"]
    assert not profile.defects
    assert profile.notes == ()


def test_numbers_that_no_decimal_holds_are_named(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE beyond (id int PRIMARY KEY, n numeric, p numeric(10, 2))",
        "INSERT INTO beyond VALUES (1, 'NaN', 'NaN'), (2, 'Infinity', 1), (3, '-Infinity', NULL),"
        " (4, 1.5, 2), (5, 10::numeric ^ 200, 3), (6, 1e-100, 4)",
    )
    profile, table = staged(database, tmp_path, "public.beyond")
    assert [(d.row, d.column) for d in profile.defects] == [
        (0, "n"), (0, "p"), (1, "n"), (2, "n"), (4, "n"), (5, "n")
    ]  # fmt: skip
    assert [d.text for d in profile.defects][:4] == ["NaN", "NaN", "Infinity", "-Infinity"]
    kept = {r["id"]: r["n"] for r in table.to_pylist()}
    assert kept == {1: None, 2: None, 3: None, 4: Decimal("1.5"), 5: None, 6: None}


def test_times_that_no_type_can_say_stay_text(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE eternal (id int PRIMARY KEY, d date NOT NULL, t timestamp, z timestamptz,"
        " c time, plain date)",
        "INSERT INTO eternal VALUES"
        " (1, 'infinity', '-infinity', '2024-02-03 04:05:06.7+02', '24:00', '2024-01-01'),"
        " (2, '0044-03-15 BC', NULL, '4713-01-01 00:00:00+00 BC', '00:00', NULL),"
        " (3, '12024-01-01', '294276-12-31 23:59:59.999999', 'infinity', NULL, '9999-12-31')",
    )
    profile, table = staged(database, tmp_path, "public.eternal")
    rows = sorted(table.to_pylist(), key=lambda r: r["id"])
    assert [r["d"] for r in rows] == ["infinity", "0044-03-15 BC", "12024-01-01"]
    assert [r["t"] for r in rows] == ["-infinity", None, "294276-12-31 23:59:59.999999"]
    assert [r["z"] for r in rows] == [
        "2024-02-03 02:05:06.7+00", "4713-01-01 00:00:00+00 BC", "infinity"
    ]  # fmt: skip
    assert [r["c"] for r in rows] == ["24:00:00", "00:00:00", None]
    assert [r["plain"] for r in rows] == [dt.date(2024, 1, 1), None, dt.date(9999, 12, 31)]
    assert any(note.endswith(": d, t, z, c") for note in profile.notes)
    assert not profile.defects
    assert not next(c for c in profile.columns if c.name == "d").nullable


def test_columns_that_a_key_only_includes_are_no_key(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE including (b int, a int, note json, PRIMARY KEY (a) INCLUDE (b, note))",
        "INSERT INTO including SELECT 100 - i, i, '{}' FROM generate_series(1, 50) i",
    )
    _, table = staged(database, tmp_path, "public.including")
    rows = sorted(table.to_pylist(), key=lambda r: r["__row"])
    assert [r["a"] for r in rows] == list(range(1, 51))


def test_memory_is_bounded_by_bytes_and_not_by_rows(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", 1 << 20)
    taken: list[int] = []
    fetched = postgis_source._fetched

    async def kept(stream: Any) -> Any:
        data = await fetched(stream)
        taken.append(len(data))
        return data

    monkeypatch.setattr(postgis_source, "_fetched", kept)
    database.sql(
        "CREATE TABLE uneven (id int PRIMARY KEY, t text)",
        "INSERT INTO uneven SELECT i, repeat('x', CASE WHEN i > 3000 THEN 1000000 ELSE 1 END)"
        " FROM generate_series(1, 3040) i",
    )
    _, table = staged(database, tmp_path, "public.uneven")
    assert table.num_rows == 3040
    assert sum(taken) > 40_000_000
    assert max(taken) < 4 << 20


def test_a_reference_system_of_proj_text_only(database: Database, tmp_path: Path) -> None:
    database.sql(
        "INSERT INTO spatial_ref_sys (srid, proj4text) VALUES"
        " (990100, '+proj=tmerc +lat_0=0 +lon_0=11 +k=0.9996 +x_0=500000 +ellps=GRS80 +units=m')",
        "CREATE TABLE surveyed (id int, g geometry(Point, 990100))",
    )
    profile, _ = staged(database, tmp_path, "public.surveyed")
    assert "11" in profile.crs
    assert profile.pyproj_crs.is_projected
    assert profile.notes == ()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, g FROM typed_empty",
        "SELECT id, g FROM typed_empty AS t WHERE id > 3 ORDER BY id LIMIT 7",
        "SELECT a.id, b.g FROM typed_empty a JOIN typed_empty b USING (id)",
        "SELECT id, ST_Force2D(g)::geometry(PolygonZ, 25832) AS g FROM typed_empty",
    ],
)
def test_an_empty_query_has_the_type_of_its_column(
    database: Database, tmp_path: Path, query: str
) -> None:
    database.sql("CREATE TABLE IF NOT EXISTS typed_empty (id int, g geometry(PolygonZ, 25832))")
    profile, table = staged(database, tmp_path, None, query=query)
    assert table.num_rows == 0
    assert profile.geometry_type == "Polygon Z"
    assert profile.pyproj_crs.to_epsg() == 25832


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS one;",
        "SELECT 1 AS one ; ;\n",
        "SELECT 1 AS one; -- done",
        "SELECT 1 AS one -- done",
        "SELECT 1 AS one /* a /* nested */ ; comment */ ; -- ;",
        "-- first\nSELECT 1 AS one /* no end of line */",
        "SELECT length(';') AS one;",
        "SELECT length($a$;--$a$) - 2 AS one; /**/",
        "SELECT length(E'\\';') - 1 AS one;",
        'SELECT 1 AS one FROM (SELECT 2 AS ";--") AS "a;"',
    ],
)
def test_a_query_may_end_as_people_end_it(database: Database, tmp_path: Path, query: str) -> None:
    _, table = staged(database, tmp_path, None, query=query)
    assert table["one"].to_pylist() == [1]


def test_views_of_an_extension_are_no_layers(database: Database, tmp_path: Path) -> None:
    cluster, own = database.cluster, Database(database.cluster)
    cluster.psql("CREATE EXTENSION postgis_raster", own.name)
    own.sql("CREATE TABLE only_one (id int, g geometry(Point, 4326))")
    profile, _ = staged(own, tmp_path, None)
    assert profile.layer == "public.only_one"


def test_every_kind_of_geometry_is_staged_or_named(database: Database, tmp_path: Path) -> None:
    texts = {
        "m": ("geometry(GeometryM, 4326)", "LINESTRING M (0 0 1, 1 1 2)", "Unknown"),
        "zm": ("geometry(PolygonZM, 4326)", "POLYGON ZM ((0 0 1 2, 1 0 1 2, 1 1 1 2, 0 0 1 2))",
               "Polygon ZM"),
        "mm": ("geometry(MultiPointM, 4326)", "MULTIPOINT M ((0 0 1), (1 1 2))", "MultiPoint M"),
        "curve": ("geometry(CurvePolygon, 4326)",
                  "CURVEPOLYGON(CIRCULARSTRING(0 0, 1 1, 2 0, 1 -1, 0 0))", "CurvePolygon"),
        "tin": ("geometry(TINZ, 4326)", "TIN Z (((0 0 0, 0 1 0, 1 0 0, 0 0 0)))", "TIN Z"),
        "solid": ("geometry(PolyhedralSurfaceZ, 4326)",
                  "POLYHEDRALSURFACE Z (((0 0 0, 0 1 0, 1 0 0, 0 0 0)))", "PolyhedralSurface Z"),
        "triangle": ("geometry(Triangle, 4326)", "TRIANGLE((0 0, 0 1, 1 0, 0 0))", "Triangle"),
    }  # fmt: skip
    for name, (kind, text, declared) in texts.items():
        database.sql(
            f"CREATE TABLE kind_{name} (g {kind})",
            f"INSERT INTO kind_{name} VALUES (ST_GeomFromText('{text}', 4326))",
        )
        profile, table = staged(database, tmp_path / name, f"public.kind_{name}")
        assert profile.geometry_type == declared, name
        (shape,) = geometries(profile, table)
        assert shape is not None, name
        assert shapely.get_type_id(shape) in {1, 3, 4, 6}, name
        said = any("staged as" in note for note in profile.notes)
        assert said == (name in {"curve", "tin", "solid", "triangle"}), profile.notes


def test_row_level_security_and_what_changes_by_itself_are_said(
    database: Database, tmp_path: Path
) -> None:
    reader = "reader_" + database.name[-8:]
    database.sql(
        f"CREATE ROLE {reader} LOGIN PASSWORD 'readerpw'",
        "CREATE TABLE hidden (id int, g geometry(Point, 4326))",
        "INSERT INTO hidden SELECT i, NULL FROM generate_series(1, 9) i",
        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY low ON hidden USING (id < 4)",
        "CREATE VIEW through AS SELECT * FROM hidden",
        "CREATE FUNCTION drawn() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
        "CREATE VIEW moving AS SELECT id, random() AS r, now() AS n, drawn() AS d FROM hidden",
        "CREATE VIEW calm AS SELECT id, 'random(' AS t, upper('x') AS u FROM hidden"
        " TABLESAMPLE bernoulli (100) REPEATABLE (1)",
        f"GRANT SELECT ON hidden, through, moving, calm TO {reader}",
    )
    uri = database.uri.replace(f"postgres:{database.cluster.password}", f"{reader}:readerpw")
    profile, table = staged_vector(uri, tmp_path / "table", layer="public.hidden")
    assert table.num_rows == 3
    secured = "public.hidden has row-level security"
    assert any(n.startswith(secured) for n in profile.notes)
    for name, source in {
        "view": {"layer": "public.through"},
        "query": {"layer": None, "query": "SELECT * FROM hidden"},
    }.items():
        profile, _ = staged_vector(uri, tmp_path / name, **source)  # type: ignore[arg-type]
        assert any(n.startswith(secured) for n in profile.notes), name
    profile, _ = staged(database, tmp_path / "owner", "public.hidden")
    assert profile.notes == ()
    profile, _ = staged(database, tmp_path / "moving", "public.moving")
    assert any(n.startswith("calls drawn(), now(), random(): ") for n in profile.notes)
    profile, _ = staged(database, tmp_path / "calm", "public.calm")
    assert not any(n.startswith("calls") for n in profile.notes)
    query = "SELECT id, CURRENT_DATE AS d FROM hidden TABLESAMPLE bernoulli (100)"
    profile, _ = staged(database, tmp_path / "sample", None, query=query)
    assert any(n.startswith("calls CURRENT_DATE, TABLESAMPLE: ") for n in profile.notes)


DIGITS = st.text("0123456789", min_size=1, max_size=45)
NUMBERS = st.builds(lambda s, a, b: f"{s}{a}.{b}", st.sampled_from(["", "-"]), DIGITS, DIGITS)
KINDS: dict[str, st.SearchStrategy[str]] = {
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-(2**31), 2**31 - 1).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "float4": st.floats(width=32).map(repr),
    "float8": st.floats().map(repr),
    "numeric": NUMBERS | st.sampled_from(["NaN", "Infinity", "-Infinity", "0.0", "1e-60", "1e60"]),
    "numeric(20,6)": st.decimals(-(10**13), 10**13, places=6).map(str) | st.just("NaN"),
    "numeric(60,3)": st.decimals(-(10**56), 10**56, places=3).map(str) | st.just("NaN"),
    "numeric(4,-2)": st.integers(-999000, 999000).map(str),
    "numeric(3,5)": st.integers(-999, 999).map(lambda n: f"{n}e-5"),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    "bool": st.sampled_from(["true", "false"]),
    "date": st.dates().map(str)
    | st.sampled_from(["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01"]),
    "timestamp": st.datetimes().map(str)
    | st.sampled_from(["infinity", "-infinity", "4713-01-01 BC", "294276-12-31 23:59:59.999999"]),
    "timestamptz": st.datetimes().map(lambda d: f"{d}+00")
    | st.sampled_from(["infinity", "-infinity", "4713-01-01 00:00+00 BC", "294276-12-31 00:00+00"]),
    "time": st.times().map(str) | st.just("24:00:00"),
    "timetz": st.times().map(lambda t: f"{t}+05:30") | st.just("24:00:00+00"),
    "interval": st.timedeltas().map(lambda d: f"{d.days} days {d.seconds} seconds"),
    "uuid": st.uuids().map(str),
    "bytea": st.binary(max_size=12).map(lambda b: "\\x" + b.hex()),
    "json": st.sampled_from(['{"a": 1.50}', "[1, null]", '"é"']),
    "jsonb": st.sampled_from(['{"a": 1.50}', "[1, null]", '"é"']),
    "numeric[]": st.lists(st.sampled_from(["NaN", "1.50", "Infinity", "NULL"]), max_size=3).map(
        lambda v: "{" + ",".join(v) + "}"
    ),
    "daterange": st.sampled_from(["[2024-01-01,infinity)", "empty", "(,2024-01-01]"]),
    "inet": st.ip_addresses().map(str),
    "varbit": st.text("01", max_size=9),
    "money": st.integers(-(10**12), 10**12).map(str),
}


async def _written(uri: str, kinds: list[str], rows: list[tuple[str | None, ...]]) -> list[Any]:
    """Fills a table and gives the texts of its values, as psql would show them."""
    connection = await asyncpg.connect(uri)
    try:
        columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
        await connection.execute(
            "SET client_min_messages = error; SET datestyle = 'ISO, YMD'; SET timezone = 'UTC';"
            "SET intervalstyle = 'iso_8601'; DROP TABLE IF EXISTS valued;"
            f"CREATE TABLE valued (id int PRIMARY KEY, {columns})"
        )
        marks = ", ".join(f"${i + 2}::text::{kind}" for i, kind in enumerate(kinds))
        await connection.executemany(
            f"INSERT INTO valued VALUES ($1, {marks})", [(i, *row) for i, row in enumerate(rows)]
        )
        texts = ", ".join(f"c{i}::text" for i in range(len(kinds)))
        return list(await connection.fetch(f"SELECT {texts} FROM valued ORDER BY id"))
    finally:
        await connection.close()


def _same(value: Any, text: str, kind: pa.DataType) -> bool:
    """Whether a staged value is what the server shows, by arithmetic of Python's own."""
    if pa.types.is_decimal(kind):
        return bool(value == Decimal(text))
    if pa.types.is_float32(kind):
        return struct.pack("f", value) == struct.pack("f", float(text))
    if pa.types.is_float64(kind):
        return struct.pack("d", value) == struct.pack("d", float(text))
    if pa.types.is_integer(kind):
        return bool(value == int(text))
    if pa.types.is_boolean(kind):
        return bool(value == (text == "true"))
    if pa.types.is_binary(kind):
        return bool(value == bytes.fromhex(text[2:]))
    if pa.types.is_temporal(kind):
        zone = ":00" if text.endswith("+00") else ""
        made = type(value).fromisoformat(_padded(text + zone))
        return bool(value == made)
    return bool(value == text)


def _padded(text: str) -> str:
    """Six digits of a second, as Python 3.11 reads them."""
    head, point, tail = text.partition(".")
    digits, sign, zone = tail.partition("+")
    return f"{head}.{digits:0<6}{sign}{zone}" if point else text


@st.composite
def tables(draw: Any) -> tuple[list[str], list[tuple[str | None, ...]]]:
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
    row = st.tuples(*(st.none() | KINDS[kind] for kind in kinds))
    return kinds, draw(st.lists(row, max_size=8))


@settings(max_examples=60, deadline=None)
@given(table=tables())
def test_every_value_is_staged_as_it_is_or_named(
    database: Database, table: tuple[list[str], list[tuple[str | None, ...]]]
) -> None:
    kinds, rows = table
    shown = asyncio.run(_written(database.uri, kinds, rows))
    with tempfile.TemporaryDirectory() as folder:
        with opened("vector", Source(uri=database.uri, layer="valued"), None, Path(folder)) as read:
            profile = read.ingest(Path(folder), None)
        found = pq.read_table(Path(folder) / "data.parquet")
    assert profile.error is None
    named = {(d.row, d.column) for d in profile.defects}
    assert len(named) == profile.defect_count
    staged_rows = {r["__row"]: r for r in found.to_pylist()}
    for number, texts in enumerate(shown):
        for place, text in enumerate(texts):
            column = f"c{place}"
            value = staged_rows[number][column]
            if text is None or (number, column) in named:
                assert value is None
                assert text is not None or (number, column) not in named
            else:
                assert value is not None, (kinds[place], text)
                assert _same(value, text, found.schema.field(column).type), (kinds[place], text)
    assert len(staged_rows) == len(rows)
