"""What the books of a server say of a table: every change changes the token."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis import probe
from spatial_pipeline.ingest.postgis.probe import table_tokens
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]
CREATED = (
    "CREATE TABLE {} (id int PRIMARY KEY, name text, g geometry(Point, 4326))",
    "INSERT INTO {} SELECT i, 'n' || i, ST_Point(i, i, 4326) FROM generate_series(1, 50) i",
)


def token(database: Database, **source: str) -> str:
    ((partition, found),) = table_tokens(
        Source.model_validate({"uri": "postgresql:", **source}), [None], None, database.uri
    )
    assert partition is None
    assert isinstance(found, str), found
    return found


def settled(database: Database, **source: str) -> str:
    """The token once the server has written down what was done: two looks agree."""
    before = token(database, **source)
    while True:
        time.sleep(0.2)
        now = token(database, **source)
        if now == before:
            return now
        before = now


def created(database: Database, table: str) -> None:
    database.sql(*(s.format(table) for s in CREATED))


@pytest.fixture
def no_rows_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        pytest.fail("rows were read")

    monkeypatch.setattr(probe, "open_table", refused)


STATEMENTS = {
    "insert": "INSERT INTO {} VALUES (99, 'x', NULL)",
    "update": "UPDATE {} SET name = 'y' WHERE id = 7",
    "the same update again": "UPDATE {} SET name = 'n8' WHERE id = 8",
    "delete": "DELETE FROM {} WHERE id = 9",
    "one in, one out": "DELETE FROM {0} WHERE id = 1; INSERT INTO {0} VALUES (1, 'n1', NULL)",
    "truncate": "TRUNCATE {}",
    "add column": "ALTER TABLE {} ADD COLUMN more int",
    "add column with default": "ALTER TABLE {} ADD COLUMN more int DEFAULT 3",
    "drop column": "ALTER TABLE {} DROP COLUMN name",
    "rename column": "ALTER TABLE {} RENAME name TO title",
    "retype without rewriting": "ALTER TABLE {} ALTER name TYPE varchar",
    "not null": "ALTER TABLE {} ALTER name SET NOT NULL",
    "another reference system": "SELECT UpdateGeometrySRID('{}', 'g', 3857)",
    "created anew": "CREATE TABLE k AS TABLE {0}; DROP TABLE {0}; ALTER TABLE k RENAME TO {0}",
}


@pytest.mark.usefixtures("no_rows_read")
def test_every_change_of_a_table_is_seen_without_reading_it(database: Database) -> None:
    tables = {f"t{number}": what for number, what in enumerate(STATEMENTS)}
    database.sql(*(s.format(t) for t in tables for s in CREATED))
    before = {t: settled(database, layer=t) for t in tables}
    assert {t: token(database, layer=t) for t in tables} == before
    database.sql(*(STATEMENTS[what].format(t) for t, what in tables.items()))
    for table, what in tables.items():
        assert seen(lambda table=table: token(database, layer=table), before[table]), what


def seen(look: Callable[[], str], before: str) -> bool:
    """True when a look within half a minute differs; counts arrive with a delay."""
    for _ in range(150):
        if look() != before:
            return True
        time.sleep(0.2)
    return False


TYPES = {
    "label": "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
    "label in an array": "ALTER TYPE hue RENAME VALUE 'red' TO 'rouge'",
    "label in a composite in a domain": "ALTER TYPE deep RENAME VALUE 'in' TO 'inner'",
    "name of an attribute": "ALTER TYPE pair RENAME ATTRIBUTE a TO first",
    "name of a type": "ALTER TYPE span RENAME TO distance",
    "a domain": "ALTER DOMAIN wide SET NOT NULL",
}


@pytest.mark.usefixtures("no_rows_read")
def test_every_change_of_a_type_is_seen_without_reading_rows(database: Database) -> None:
    database.sql(
        "CREATE TYPE mood AS ENUM ('ok', 'bad')", "CREATE TYPE hue AS ENUM ('red')",
        "CREATE TYPE deep AS ENUM ('in')", "CREATE TYPE pair AS (a int, d deep)",
        "CREATE DOMAIN held AS pair", "CREATE TYPE span AS RANGE (subtype = int)",
        "CREATE DOMAIN wide AS int",
        "CREATE TABLE typed (m mood, h hue[], p held, s span, w wide)",
        "INSERT INTO typed VALUES ('ok', '{red}', '(1,in)', '[1,2)', 3)",
    )  # fmt: skip
    before = settled(database, layer="typed")
    for what, statement in TYPES.items():
        database.sql(statement)
        now = token(database, layer="typed")
        assert now != before, what
        before = settled(database, layer="typed")


def test_a_name_that_a_value_is_shown_by_is_watched(database: Database) -> None:
    database.sql("CREATE TABLE aim (id int)", "CREATE TABLE pointing (c regclass, r regclass[])",
                 "INSERT INTO pointing VALUES ('aim', '{aim}')")  # fmt: skip
    before = settled(database, layer="pointing")
    database.sql("ALTER TABLE aim RENAME TO target")
    assert token(database, layer="pointing") != before


@pytest.mark.parametrize(
    ("on", "off"),
    [
        ("ALTER ROLE uncounted SET track_counts = 0", "ALTER ROLE uncounted RESET ALL"),
        (
            "CREATE FUNCTION quiet() RETURNS int LANGUAGE sql SET track_counts = off AS 'SELECT 1'",
            "DROP FUNCTION quiet()",
        ),
    ],
    ids=["a login", "a function"],
)
def test_a_writer_that_is_not_counted_is_not_trusted(database: Database, on: str, off: str) -> None:
    database.sql("DROP ROLE IF EXISTS uncounted", "CREATE ROLE uncounted SUPERUSER",
                 "DROP TABLE IF EXISTS silent", "CREATE TABLE silent (id int)",
                 "INSERT INTO silent VALUES (1)")  # fmt: skip
    database.sql(on)
    try:
        before = settled(database, layer="silent")
        database.sql("SET track_counts = off", "UPDATE silent SET id = 2")
        assert token(database, layer="silent") != before
    finally:
        database.sql(off)


def test_a_server_that_counts_nothing_is_not_trusted(database: Database) -> None:
    database.sql("DROP TABLE IF EXISTS silent", "CREATE TABLE silent (id int)",
                 "INSERT INTO silent VALUES (1)")  # fmt: skip
    try:
        configured(database, "ALTER SYSTEM SET track_counts = off", "off")
        before = settled(database, layer="silent")
        database.sql("UPDATE silent SET id = 2")
        assert token(database, layer="silent") != before
    finally:
        configured(database, "ALTER SYSTEM RESET track_counts", "on")


def configured(database: Database, statement: str, value: str) -> None:
    """Changes the server's ``track_counts``; returns when new sessions have it."""
    database.sql(statement)
    while database.sql("SELECT pg_reload_conf()", "SHOW track_counts").split()[-1] != value:
        time.sleep(0.05)


SESSIONS = (
    "search_path=nowhere", "DateStyle=SQL,DMY", "TimeZone=Asia/Tokyo", "bytea_output=escape",
    "extra_float_digits=-3", "IntervalStyle=sql_standard", "quote_all_identifiers=on",
    "xmlbinary=hex", "lc_monetary=C.UTF-8",
)  # fmt: skip


@pytest.mark.parametrize("read", ["the books", "the rows"])
def test_no_setting_of_a_session_changes_the_token(database: Database, read: str) -> None:
    database.sql(
        'CREATE SCHEMA IF NOT EXISTS "Odd"', "DROP TABLE IF EXISTS calm_one",
        'DROP TYPE IF EXISTS "Odd".kind', """CREATE TYPE "Odd".kind AS ENUM ('a')""",
        """CREATE TABLE calm_one (k "Odd".kind, d date, t timestamptz, b bytea, f float8,
           i interval, m money, r regclass, a regtype[], g geometry(Point, 4326))""",
        """INSERT INTO calm_one VALUES ('a', '2024-02-01', '2024-02-01 10:00+02', '\\x00ff', 1/7.0,
           '1 day 2:00', 5, 'calm_one', ARRAY['"Odd".kind'::regtype], ST_Point(1, 2, 4326))""",
    )  # fmt: skip
    if read == "the books":
        database.sql("ALTER TABLE calm_one DROP r, DROP a")
    layer = {"layer": "public.calm_one"}
    before = settled(database, **layer)
    for setting in SESSIONS:
        options = quote(f"-c {setting}", safe="")
        ((_, found),) = table_tokens(
            Source.model_validate({"uri": "postgresql:", **layer}), [None], None,
            f"{database.uri}?options={options}",
        )  # fmt: skip
        assert found == before, setting


@pytest.mark.usefixtures("no_rows_read")
def test_reading_and_tidying_change_nothing(database: Database) -> None:
    created(database, "calm")
    database.sql("CREATE TABLE other (id int)")
    before = settled(database, layer="calm")
    database.sql("SELECT count(*) FROM calm", "INSERT INTO other VALUES (1)")
    database.sql("ANALYZE calm")
    assert settled(database, layer="calm") == before


@pytest.mark.usefixtures("no_rows_read")
def test_children_count_as_the_table(database: Database) -> None:
    database.sql(
        "CREATE TABLE parted (id int, g geometry) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)",
    )
    before = settled(database, layer="parted")
    database.sql("INSERT INTO parted_1 VALUES (1, NULL)")
    assert seen(lambda: token(database, layer="parted"), before)
    before = settled(database, layer="parted")
    database.sql("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)")
    assert token(database, layer="parted") != before


@pytest.mark.usefixtures("no_rows_read")
def test_a_refreshed_materialized_view_is_seen(database: Database) -> None:
    created(database, "below")
    database.sql("CREATE MATERIALIZED VIEW mat AS TABLE below", "CREATE UNIQUE INDEX ON mat (id)")
    for how in ("", "CONCURRENTLY "):
        before = settled(database, layer="mat")
        database.sql(f"UPDATE below SET name = name || '!'; REFRESH MATERIALIZED VIEW {how}mat")
        assert seen(lambda before=before: token(database, layer="mat"), before)


def test_views_queries_and_secured_tables_are_known_by_what_they_hold(database: Database) -> None:
    created(database, "base")
    created(database, "secured")
    database.sql(
        "CREATE VIEW v AS SELECT id, upper(name) AS name, g FROM base WHERE id < 40",
        "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
    )
    for source in ({"layer": "v"}, {"query": "SELECT id, g FROM base WHERE id < 40"}):
        before = token(database, **source)
        database.sql("UPDATE base SET name = name")
        database.sql("UPDATE base SET id = id + 1000 WHERE id >= 40")
        assert token(database, **source) == before
        database.sql("DELETE FROM base WHERE id = (SELECT min(id) FROM base)")
        assert token(database, **source) != before
    before = token(database, layer="secured")
    database.sql("UPDATE secured SET name = name")
    assert settled(database, layer="secured") == before
    database.sql("DELETE FROM secured WHERE id = 1")
    assert token(database, layer="secured") != before


def test_partitions_share_a_session_and_each_has_its_own_answer(database: Database) -> None:
    created(database, "tile_a")
    created(database, "tile_b")
    source = Source(uri="postgresql:?table=tile_{partition}")
    found = dict(table_tokens(source, ["a", "b", "c"], None, database.uri))
    assert isinstance(found["a"], str)
    assert isinstance(found["b"], str)
    assert found["a"] != found["b"]
    assert isinstance(found["c"], SourceError)
    assert "tile_c" in str(found["c"])


def test_a_server_that_is_away_or_not_allowed_is_told(database: Database) -> None:
    source = Source(uri="postgresql://nobody:secret@127.0.0.1:1/x?table=t")
    ((_, away),) = table_tokens(source, [None])
    assert isinstance(away, SourceError)
    assert "cannot be reached" in str(away)
    assert "secret" not in str(away)
    ((_, refused),) = table_tokens(source, [None], ["/data"])
    assert "SPATIAL_ALLOWED_SOURCES" in str(refused)


def test_a_view_that_takes_too_long_says_what_to_do(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.sql("CREATE VIEW slow AS SELECT 1 AS id, pg_sleep(60)::text AS s")
    monkeypatch.setattr(probe, "LIMITS", probe.ServerLimits(5.0, 0.5))
    ((_, found),) = table_tokens(
        Source(uri="postgresql:", layer="slow"), [None], None, database.uri
    )
    assert isinstance(found, SourceError)
    assert "use schedule instead of watch" in str(found)
