"""Hostile names are names, nothing else."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.table_name import IDENTIFIER_BYTES, TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis.identifiers import (
    SYSTEM_COLUMNS,
    quoted,
    quoted_column,
    shortened,
)
from spatial_pipeline_tests.publish.postgis.projects import Project, contract

HOSTILE = [
    'a"; DROP SCHEMA victim CASCADE; --',
    "b'; DROP SCHEMA victim CASCADE; --",
    "UPPER lower",
    "select",
    "🌍🗺️ été",
    "%s $1 {0} \\",
    "x" * IDENTIFIER_BYTES,
    "é" * 31 + "e",
    "a.b",
    "line\nbreak\ttab",
    "geometry",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_publish_and_read_back(project: Project, name: str) -> None:
    column = name if name != "geometry" else "Geometry"
    literal = ".".join('"' + part.replace('"', '""') + '"' for part in (name, name))
    of = contract(project.folder, publish={"table": literal}, key=["id"])
    assert of.table == TableName(name, name)

    async def schema() -> None:
        connection = await asyncpg.connect(project.dsn)
        await connection.execute(f"CREATE SCHEMA victim; CREATE SCHEMA {quoted(name)}")
        await connection.close()

    asyncio.run(schema())
    for mark in (1, 2):
        version = project.proven(of, 2, mark, **{column: "value"})
        asyncio.run(project.pipeline(of).apublish(of, version))

    async def read() -> None:
        connection = await asyncpg.connect(project.dsn)
        rows = await connection.fetch(f"SELECT * FROM {quoted(name)}.{quoted(name)}")
        assert [(r["mark"], r[column]) for r in rows] == [(2, "value")] * 2
        assert await connection.fetchval("SELECT to_regnamespace('victim') IS NOT NULL")
        await connection.close()

    asyncio.run(read())


@pytest.mark.parametrize("name", ["x" * 64, "é" * 32])
def test_names_that_would_be_cut_are_refused(project: Project, name: str) -> None:
    with pytest.raises(ValueError, match="64 bytes; PostgreSQL keeps 63"):
        contract(project.folder, publish={"table": f"gis.{name}"})
    of = contract(project.folder)
    version = project.proven(of, 1, **{name: 1, "ctid": 2})
    with pytest.raises(StoreError, match="64 bytes") as caught:
        asyncio.run(project.pipeline().apublish(of, version))
    assert "'ctid' cannot be published" in str(caught.value)


@pytest.mark.parametrize("text", ["", "counties", "a.b.c", ".b", "a.", 'a."b', 'a.b"c', '"".b'])
def test_what_is_no_table_name_is_refused(text: str) -> None:
    words = r"not of the form schema\.table|not an identifier|no identifier"
    with pytest.raises(ValueError, match=words):
        TableName.parse(text)


def test_plain_and_quoted_names() -> None:
    assert TableName.parse("Gis.Counties 2") == TableName("Gis", "Counties 2")
    assert TableName.parse('"a.b"."say ""hi"""') == TableName("a.b", 'say "hi"')


@given(st.text(min_size=1, max_size=40))
@example('"')
@example("\0")
@example("\ud800")
@settings(max_examples=60, deadline=None)
def test_a_quoted_name_has_one_meaning(name: str) -> None:
    try:
        text = quoted(name)
    except StoreError:
        assert "\0" in name or len(name.encode(errors="replace")) > IDENTIFIER_BYTES or any(
            "\ud800" <= c <= "\udfff" for c in name
        )  # fmt: skip
        return
    inner = text[1:-1]
    assert text[0] == text[-1] == '"'
    assert '"' not in inner.replace('""', "")
    assert inner.replace('""', '"') == name
    assert TableName.parse(f"{text}.{text}") == TableName(name, name)


@given(st.text(max_size=50), st.integers(0, 80))
@settings(max_examples=40, deadline=None)
def test_shortened_names_fit(name: str, size: int) -> None:
    name = name.encode(errors="ignore").decode()
    short = shortened(name, size)
    assert name.startswith(short)
    assert len(short.encode()) <= size
    assert len(short.encode()) > size - 4 or short == name


@pytest.mark.parametrize("name", sorted(SYSTEM_COLUMNS))
def test_system_columns_are_refused(name: str) -> None:
    with pytest.raises(StoreError, match="column of its own"):
        quoted_column(name)
