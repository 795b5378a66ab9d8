from __future__ import annotations

import asyncio
import datetime as dt
import math
import threading
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow.parquet as pq
import pytest
import shapely

from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceLostError
from spatial_pipeline.ingest import ingest, opened
from spatial_pipeline.ingest.postgis import session as postgis_session
from spatial_pipeline.ingest.postgis import source as postgis_source
from spatial_pipeline.ingest.postgis import stream as postgis_stream
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]


def _staged(database: Database, folder: Path, layer: str | None, **source: Any) -> Any:
    return staged_vector(database.uri, folder, layer=layer, **source)


def test_stages_every_common_type(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TYPE mood AS ENUM ('ok', 'bad')",
        "CREATE DOMAIN positive AS int4 NOT NULL CHECK (VALUE > 0)",
        """CREATE TABLE types (
            i2 int2, i4 int4 NOT NULL, i8 int8, f4 float4, f8 float8, b bool, dec numeric(10, 3),
            num numeric, huge numeric(60, 2), t text, vc varchar(10), ch char(4), d date, ti time,
            ts timestamp, tz timestamptz, u uuid, j json, jb jsonb, raw bytea, ints int[], m mood,
            p positive, span interval, ip inet, o oid, geom geometry(PointZM, 4326),
            g2 geometry)""",
        """INSERT INTO types VALUES (-2, 4, 9223372036854775807, 1.5, 1e-300, true, 12345.678, 1.25,
            12345678901234567890123456789012345678901234567890.12, 'é;"''', 'vc', 'ch',
            '1600-02-29', '23:59:59.999999', '1969-12-31 23:59:59.999999',
            '2024-03-01 12:00:00+02', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1]}',
            '{"a": 1}', '\\x00ff', '{1,NULL,3}', 'bad', 7, '1 day 02:00', '10.0.0.1', 4294967295,
            ST_SetSRID(ST_MakePoint(1, 2, 3, 4), 4326), ST_MakePoint(5, 6))""",
        "INSERT INTO types (i4, p, f8, d, ts, tz) VALUES (5, 8, 'NaN', 'infinity', '-infinity',"
        " 'infinity')",
    )
    profile, table = _staged(database, tmp_path, "public.types")
    assert profile.error is None
    first, second = table.to_pylist()
    assert first["i2"] == -2
    assert first["i8"] == 2**63 - 1
    assert (first["f4"], first["f8"], first["b"]) == (1.5, 1e-300, True)
    assert (first["dec"], first["num"]) == (Decimal("12345.678"), Decimal("1.25"))
    assert first["huge"] == Decimal("12345678901234567890123456789012345678901234567890.12")
    assert (first["t"], first["vc"], first["ch"]) == ("é;\"'", "vc", "ch")
    assert first["d"] == "1600-02-29"
    assert first["ti"] == dt.time(23, 59, 59, 999999)
    assert first["ts"] == "1969-12-31 23:59:59.999999"
    assert first["tz"] == "2024-03-01 10:00:00+00"
    assert uuid.UUID(first["u"]) == uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
    assert (first["j"], first["jb"], first["raw"]) == ('{"a": [1]}', '{"a": 1}', b"\x00\xff")
    assert (first["ints"], first["m"], first["p"]) == ("{1,NULL,3}", "bad", 7)
    assert (first["span"], first["ip"], first["o"]) == ("P1DT2H", "10.0.0.1/32", 4294967295)
    assert first["g2"] == shapely.to_wkb(shapely.Point(5, 6), flavor="iso")
    assert geometries(profile, table)[0].wkt == "POINT ZM (1 2 3 4)"
    assert math.isnan(second["f8"])
    assert (second["d"], second["ts"], second["tz"]) == ("infinity", "-infinity", "infinity")
    given = {"i4", "p", "f8", "d", "ts", "tz", "__row", "bbox"}
    assert all(second[n] is None for n in table.column_names if n not in given)
    assert {c.name for c in profile.columns if not c.nullable} == {"i4", "p"}
    assert profile.geometry_type == "Point ZM"
    assert profile.pyproj_crs.to_epsg() == 4326
    assert not any("numeric" in note for note in profile.notes)
    assert "several geometry columns: g2 staged as binary attributes" in profile.notes
    assert (
        "staged as text, for they hold infinity, a year before 1 or behind 9999, or 24:00:00: "
        "d, ts, tz"
    ) in profile.notes


def test_tells_what_the_catalogue_declares(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE land (id int PRIMARY KEY, geom geometry(MultiPolygonZ, 32633))",
        "CREATE TABLE marks (at geography(PointM, 4326))",
        "CREATE TABLE loose (id int, geom geometry)",
        "INSERT INTO loose VALUES (1, ST_SetSRID(ST_MakePoint(1, 2), 3857)), (2, NULL)",
        "CREATE TABLE mixed (geom geometry)",
        "INSERT INTO mixed VALUES (ST_SetSRID(ST_MakePoint(1, 2), 3857)), (ST_MakePoint(0, 0))",
        "CREATE TABLE plain (id int, name text)",
        "CREATE TABLE nothing ()",
        "INSERT INTO nothing DEFAULT VALUES",
        "CREATE VIEW seen AS SELECT id, geom FROM land",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM loose",
    )
    found = {}
    for name in ("land", "marks", "loose", "mixed", "plain", "nothing", "seen", "kept"):
        profile, table = _staged(database, tmp_path / name, f"public.{name}")
        assert profile.error is None, profile.error
        crs = profile.pyproj_crs
        found[name] = (profile.geometry_type, crs and crs.to_epsg(), table.num_rows)
        assert profile.declared_count == table.num_rows
        assert profile.layer == f"public.{name}"
        assert profile.driver == "PostgreSQL"
    assert found == {
        "land": ("MultiPolygon Z", 32633, 0),
        "marks": ("Point M", 4326, 0),
        "loose": ("Unknown", 3857, 2),
        "mixed": ("Unknown", None, 2),
        "plain": (None, None, 0),
        "nothing": (None, None, 1),
        "seen": ("MultiPolygon Z", 32633, 0),
        "kept": ("Unknown", 3857, 2),
    }


def test_curves_are_staged_as_lines_and_null_and_empty_stay(
    database: Database, tmp_path: Path
) -> None:
    database.sql(
        "CREATE TABLE bent (id int PRIMARY KEY, geom geometry)",
        "INSERT INTO bent VALUES (1, 'CIRCULARSTRING(0 0, 1 1, 2 0)'), (2, 'POINT EMPTY'),"
        " (3, 'POINT(1 2)'), (4, 'MULTIPOLYGON EMPTY'), (5, NULL),"
        " (6, 'CURVEPOLYGON Z (CIRCULARSTRING Z (0 0 1, 2 0 1, 0 0 1))'),"
        " (7, 'TIN Z (((0 0 0, 1 0 0, 0 1 0, 0 0 0)))')",
    )
    profile, table = _staged(database, tmp_path, "public.bent")
    assert (profile.error, profile.undecodable) == (None, ())
    found = shapely.from_wkb(table.column("geom").to_pylist())
    assert [None if g is None else g.geom_type for g in found] == [
        "LineString", "Point", "Point", "MultiPolygon", None, "Polygon", "MultiPolygon",
    ]  # fmt: skip
    assert [g is not None and g.is_empty for g in found[:5]] == [False, True, False, True, False]
    assert found[2].wkt == "POINT (1 2)"
    assert found[5].has_z
    assert found[5].area == pytest.approx(3.14159, rel=1e-3)
    assert any(n.startswith("2 features have curves") for n in profile.notes)
    assert any(n.startswith("1 features (TIN, TRIANGLE) are staged as") for n in profile.notes)


def test_points_of_nan_are_named_and_empty_ones_are_empty(
    database: Database, tmp_path: Path
) -> None:
    rows = (
        "(9, ST_MakePoint('NaN', 'NaN')), (1, 'POINT EMPTY'), (5, ST_MakePoint('NaN', 1)),"
        " (4, ST_MakePoint('NaN', 'NaN', 3)), (2, 'LINESTRING EMPTY'), (3, NULL)"
    )
    database.sql(
        "CREATE TABLE blank (id int PRIMARY KEY, geom geometry)",
        f"INSERT INTO blank VALUES {rows}",
        "CREATE TABLE unkeyed (id int, geom geometry)",
        f"INSERT INTO unkeyed VALUES {rows}",
        "CREATE TABLE hollow (id int, geom geometry)",
        "INSERT INTO hollow VALUES (1, 'POINT EMPTY'), (2, NULL)",
    )
    profile, table = _staged(database, tmp_path / "a", "public.blank")
    assert table["id"].to_pylist() == [1, 2, 3, 4, 5, 9]
    assert [(d.row, d.column, d.text) for d in profile.defects] == [
        (row, "geom", "POINT (nan nan)") for row in (3, 5)
    ]
    profile, _ = _staged(database, tmp_path / "b", "public.unkeyed")
    assert "2 geometries in 'geom': each is a point of NaN" in str(profile.error)
    profile, _ = _staged(database, tmp_path / "c", "public.hollow")
    assert (profile.error, profile.defects) == (None, ())


def test_rows_come_in_the_order_of_the_key(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE keyed (b int, a text, PRIMARY KEY (a, b))",
        "INSERT INTO keyed SELECT 100 - i, chr(97 + i % 5) FROM generate_series(1, 60) i",
    )
    _, table = _staged(database, tmp_path, "keyed")
    rows = list(zip(table["a"].to_pylist(), table["b"].to_pylist(), strict=True))
    assert rows == sorted(rows)
    assert len(rows) == 60


HOSTILE = [
    'we"ird', "Upper Case", "semi;colon", "x'); DROP TABLE victim; --", "🗺️ Karte", "a.b",
    "{}", "%s", "é" * 31, "$1", "select", " leading",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_names(database: Database, tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    database.sql(
        "CREATE TABLE IF NOT EXISTS victim ()",
        f"CREATE SCHEMA {quoted}",
        f"CREATE TABLE {quoted}.{quoted} ({quoted} int, geom geometry(Point, 4326))",
        f"INSERT INTO {quoted}.{quoted} VALUES (7, ST_SetSRID(ST_MakePoint(1, 2), 4326))",
    )
    profile, table = _staged(database, tmp_path, f"{quoted}.{quoted}")
    assert profile.error is None
    assert table[name].to_pylist() == [7]
    assert database.sql("SELECT count(*) FROM victim") == "0"
    if "." not in name:
        profile, _ = _staged(database, tmp_path / "literal", f"{name}.{name}")
        assert profile.error is None


def test_a_missing_name_is_not_executed(database: Database, tmp_path: Path) -> None:
    for i, layer in enumerate(["public.x; DROP TABLE victim", '"', "a" * 300, ".", "x\0y", ""]):
        profile, table = _staged(database, tmp_path / str(i), layer)
        assert "no table or view" in profile.error or "name a table" in profile.error
        assert table.num_rows == 0


def test_a_query_is_read_like_a_table(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE asked (id int, geom geometry(Point, 3857))",
        "INSERT INTO asked SELECT i, ST_SetSRID(ST_MakePoint(i, i), 3857)"
        " FROM generate_series(1, 10) i",
    )
    query = "SELECT id, id AS id, geom FROM asked WHERE id > 4 ORDER BY id; "
    profile, table = _staged(database, tmp_path, None, query=query, where="id < 8")
    assert table["id"].to_pylist() == [5, 6, 7]
    assert table["id_1"].to_pylist() == [5, 6, 7]
    assert profile.pyproj_crs.to_epsg() == 3857
    assert profile.layer is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1; DROP TABLE asked_not", "multiple commands"),
        ("SELECT 1) TO PROGRAM 'true'; --", "syntax error"),
        ("SELECT 1) AS s; DROP TABLE asked_not; --", "syntax error"),
        ("DELETE FROM asked_not RETURNING 1", "syntax error"),
        ("SELECT nextval('counted')", "read-only transaction"),
        ("SELECT 1/0", "division by zero"),
        ("SELECT * FROM nowhere", "does not exist"),
        ("SELECT $1::int", ""),
        ("SHOW port", "syntax error"),
        ("", "no columns"),
        ("/* open", "unterminated"),
    ],
)
def test_a_query_can_only_be_one_select(
    database: Database, tmp_path: Path, query: str, said: str
) -> None:
    database.sql("CREATE TABLE IF NOT EXISTS asked_not (id int)",
                 "CREATE SEQUENCE IF NOT EXISTS counted", "TRUNCATE asked_not",
                 "INSERT INTO asked_not VALUES (1)")  # fmt: skip
    profile, table = _staged(database, tmp_path, None, query=query)
    assert said in profile.error
    assert table.num_rows == 0
    assert database.sql("SELECT count(*) FROM asked_not") == "1"


def test_says_what_is_missing(database: Database, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE locked (id int, geom geometry)",
        "CREATE ROLE guest LOGIN PASSWORD 'guestpw'",
    )
    cluster = database.cluster
    port = f"{cluster.host}:{cluster.port}"
    base = f"postgresql://guest:guestpw@{port}/{database.name}"
    errors = {
        "table": ("postgresql://guest:guestpw@" + port + "/" + database.name, "public.nope"),
        "permission": (base, "public.locked"),
        "database": (f"postgresql://guest:guestpw@{port}/nowhere", "public.x"),
        "password": (f"postgresql://guest:wr0ngpw@{port}/{database.name}", "public.x"),
        "server": ("postgresql://guest:guestpw@127.0.0.1:1/x", "public.x"),
        "host": ("postgresql://guest:guestpw@nowhere.invalid/x", "public.x"),
    }
    said = {}
    for what, (uri, layer) in errors.items():
        profile, table = staged_vector(uri, tmp_path / what, layer=layer)
        assert table.num_rows == 0
        assert "pw" not in repr(profile)
        said[what] = profile.error
    assert "no table or view 'public.nope'" in said["table"]
    assert "permission denied for table locked" in said["permission"]
    assert 'database "nowhere" does not exist' in said["database"]
    assert 'authentication failed for user "guest"' in said["password"]
    assert "127.0.0.1:1 cannot be reached" in said["server"]
    assert "nowhere.invalid:5432 cannot be reached" in said["host"]


def test_a_table_may_be_named_in_the_uri_by_partition(database: Database, tmp_path: Path) -> None:
    database.sql('CREATE TABLE "part_a&b" AS SELECT 1 AS id')
    target = tmp_path / "staged"
    target.mkdir()
    source = Source(uri="postgresql:?table=public.part_{partition}")
    profile = ingest("vector", source, "a&b", tmp_path, target, database=database.uri)
    assert profile.error is None
    assert profile.count == 1
    assert profile.uri == "postgresql:?table=public.part_a%26b"


def test_refuses_before_any_connection(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(asyncpg, "connect", never)
    target = tmp_path / "staged"
    target.mkdir()
    source = Source(uri=database.uri, layer="public.x")
    profile = ingest("vector", source, None, tmp_path, target, ["postgresql://elsewhere/db"])
    assert "SPATIAL_ALLOWED_SOURCES" in str(profile.error)


def test_a_raster_needs_a_file(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "staged"
    target.mkdir()
    profile = ingest("raster", Source(uri=database.uri), None, tmp_path, target)
    assert "needs a file" in str(profile.error)


@pytest.mark.asyncio
async def test_works_under_a_running_loop(database: Database, tmp_path: Path) -> None:
    database.sql("CREATE TABLE looped AS SELECT generate_series(1, 5) AS id")
    profile, _ = _staged(database, tmp_path, "public.looped")
    assert profile.count == 5
    other, _ = await asyncio.to_thread(_staged, database, tmp_path / "thread", "public.looped")
    assert other.count == 5


def test_a_writer_changes_nothing_of_what_is_read(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", 4096)
    monkeypatch.setattr(postgis_source, "MAX_ROWS", 16)
    database.sql("CREATE TABLE busy AS SELECT i AS id, 0 AS turn FROM generate_series(1, 5000) i")
    source = Source(uri=database.uri, layer="public.busy")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            database.sql(
                "UPDATE busy SET turn = turn + 1 WHERE id % 7 = 0",
                "DELETE FROM busy WHERE id < 10",
                "INSERT INTO busy SELECT max(id) + 1, 9 FROM busy",
            )

    writer = threading.Thread(target=write)
    target = tmp_path / "staged"
    target.mkdir()
    with opened("vector", source, None, tmp_path) as reading:
        database.sql("UPDATE busy SET turn = 1 WHERE id = 4999")
        writer.start()
        try:
            profile = reading.ingest(target, None)
        finally:
            stop.set()
            writer.join()
    assert profile.error is None
    assert profile.count == 5000
    table = pq.read_table(target / "data.parquet")
    assert sorted(table["id"].to_pylist()) == list(range(1, 5001))
    assert set(table["turn"].to_pylist()) == {0}
    with opened("vector", source, None, tmp_path) as later:
        assert later.version_id != reading.version_id


def test_a_server_that_goes_away_leaves_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", 4096)
    monkeypatch.setattr(postgis_source, "MAX_ROWS", 16)
    # More than fits into the buffers between the server and us.
    database.sql(
        "CREATE TABLE gone AS SELECT i AS id, repeat('x', 10000) AS pad"
        " FROM generate_series(1, 5000) i"
    )
    source = Source(uri=database.uri, layer="public.gone")

    def cut(done: int, _total: int | None) -> None:
        if done > 1000:
            database.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'spatial_pipeline source'"
            )

    with (
        pytest.raises(SourceLostError, match=r"public\.gone was lost behind row"),
        opened("vector", source, None, tmp_path) as reading,
    ):
        reading.ingest(tmp_path, cut)
    profile, _ = _staged(database, tmp_path / "again", "public.gone")
    assert profile.count == 5000


def test_waits_for_a_server_that_is_full(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = asyncpg.connect
    tries: list[int] = []

    async def full(*args: Any, **kwargs: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
        return await connect(*args, **kwargs)

    monkeypatch.setattr(asyncpg, "connect", full)
    database.sql("CREATE TABLE full_house AS SELECT 1 AS id")
    profile, _ = _staged(database, tmp_path, "public.full_house")
    assert profile.error is None
    assert len(tries) == 3


def test_a_statement_that_takes_too_long_is_named(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**postgis_session._SETTINGS, "statement_timeout": "100"}
    monkeypatch.setattr(postgis_session, "_SETTINGS", settings)
    profile, _ = _staged(database, tmp_path, None, query="SELECT pg_sleep(20)::text AS x")
    assert "statement timeout" in str(profile.error)
