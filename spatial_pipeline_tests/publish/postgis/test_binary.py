"""What the encoder writes is what the server keeps, type by type."""

from __future__ import annotations

import asyncio
import decimal
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.publish.postgis.binary import (
    SIGNATURE,
    TRAILER,
    Digest,
    Encoder,
    digest_sql,
    normal_wkb,
)
from spatial_pipeline.publish.postgis.columns import EPOCH_DAYS, EPOCH_US, column_type
from spatial_pipeline_tests.publish.postgis.projects import Project

NOW = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC).replace(tzinfo=None)
FIRST = datetime(1, 1, 1, tzinfo=UTC).replace(tzinfo=None)
EVE = datetime(1999, 12, 31, 23, tzinfo=UTC).replace(tzinfo=None)
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "bool": (pa.bool_(), [True, False]),
    "int8": (pa.int8(), [-128, 127]),
    "uint8": (pa.uint8(), [0, 255]),
    "int16": (pa.int16(), [-32768, 32767]),
    "uint16": (pa.uint16(), [0, 65535]),
    "int32": (pa.int32(), [-(2**31), 2**31 - 1]),
    "uint32": (pa.uint32(), [0, 2**32 - 1]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1]),
    "uint64": (pa.uint64(), [0, 2**63 - 1]),
    "float16": (pa.float16(), [np.float16(0.5), np.float16(-2)]),
    "float32": (pa.float32(), [0.5, float("inf")]),
    "float64": (pa.float64(), [0.1, -1e300]),
    "string": (pa.string(), ["", "é🌍\n\t\\N"]),
    "large_string": (pa.large_string(), ["a", "b" * 3000]),
    "binary": (pa.binary(), [b"", b"\0\xff"]),
    "large_binary": (pa.large_binary(), [b"x", b"\0"]),
    "fixed": (pa.binary(3), [b"abc", b"\0\1\2"]),
    "date32": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
    "date64": (pa.date64(), [date(1999, 12, 31), date(2000, 1, 1)]),
    "stamp_s": (pa.timestamp("s"), [NOW.replace(microsecond=0), FIRST]),
    "stamp_us": (pa.timestamp("us"), [NOW, EVE]),
    "stamp_ns": (pa.timestamp("ns"), [NOW, EVE]),
    "stamp_tz": (pa.timestamp("ms", "UTC"), [datetime(2000, 1, 1, tzinfo=UTC)] * 2),
    "time32": (pa.time32("ms"), [time(0, 0), time(23, 59, 59, 999000)]),
    "time64": (pa.time64("us"), [time(12, 30, 1, 5), time(1)]),
    "duration": (pa.duration("us"), [timedelta(seconds=-5), timedelta(microseconds=7)]),
    "decimal": (
        pa.decimal128(12, 3),
        [decimal.Decimal("-12345.678"), decimal.Decimal("0.001")],
    ),
    "decimal_0": (pa.decimal128(38, 0), [decimal.Decimal(10**37), decimal.Decimal(0)]),
    "decimal_wide": (
        pa.decimal256(60, 30),
        [decimal.Decimal("1e29"), decimal.Decimal("1e-30")],
    ),
    "decimal_38": (
        pa.decimal128(38, 9),
        [
            decimal.Decimal("12345678901234567890123456789.123456789"),
            decimal.Decimal("-99999999999999999999999999999.999999999"),
        ],
    ),
    "decimal_76": (
        pa.decimal256(76, 38),
        [
            decimal.Decimal("9" * 38 + "." + "9" * 38),
            decimal.Decimal("-" + "1" * 38 + "." + "1" * 38),
        ],
    ),
    "null": (pa.null(), [None, None]),
}


def batch_of(table: pa.Table, wkb: pa.Array | None = None) -> FeatureBatch:
    index = np.arange(len(table) if wkb is None else len(wkb))
    return FeatureBatch(index, index, table, wkb, None)


async def stored(
    dsn: str,
    table: pa.Table,
    wkb: pa.Array | None = None,
    srid: int = 25832,
    shown: str = "*",
) -> tuple[list[asyncpg.Record], Digest, Digest]:
    """Rows that the server has after a COPY, and both digests."""
    types = [column_type(f.name, f.type) for f in table.schema]
    columns = [f'"{f.name}" {t.sql}' for f, t in zip(table.schema, types, strict=True)]
    encoder = Encoder(types, None if wkb is None else srid)
    buffer, digest = encoder.encode(batch_of(table, wkb))
    encoder.close()

    async def stream() -> Any:
        yield SIGNATURE
        yield bytes(buffer)
        yield TRAILER

    connection = await asyncpg.connect(dsn)
    try:
        if wkb is not None:
            columns.append("g geometry")
        await connection.execute(f"CREATE TEMP TABLE t ({', '.join(columns)})")
        await connection.copy_to_table("t", source=stream(), format="binary")
        names = [f'"{n}"' for n in table.column_names]
        sql = digest_sql(names, None if wkb is None else "g", "ST_AsBinary")
        there = await connection.fetchrow(f"SELECT {sql} FROM t")
        if wkb is not None:
            shown += ", ST_SRID(g) AS srid, ST_AsEWKB(g) AS wkb"
        rows = await connection.fetch(f"SELECT {shown} FROM t")
    finally:
        await connection.close()
    return rows, digest, Digest(*(int(v) for v in there))


def test_every_type_arrives_as_it_was(project: Project) -> None:
    table = pa.table({n: pa.array([*v, None], kind) for n, (kind, v) in COLUMNS.items()}).slice(0)
    rows, here, there = asyncio.run(stored(project.dsn, table))
    assert here == there
    for name, (_, values) in COLUMNS.items():
        assert [r[name] for r in rows] == [*values, None], name


def test_slices_and_chunks_are_encoded_as_they_are(project: Project) -> None:
    table = pa.table({n: pa.array([None, *v], kind) for n, (kind, v) in COLUMNS.items()})
    table = pa.concat_tables([table, table]).slice(2, 3)
    rows, here, there = asyncio.run(stored(project.dsn, table))
    assert here == there
    for name, (_, values) in COLUMNS.items():
        assert [r[name] for r in rows] == [values[1], None, values[0]], name


def test_lists_structs_and_maps_become_json(project: Project) -> None:
    table = pa.table(
        {
            "list": pa.array([[1, None], None]),
            "struct": pa.array([{"a": "é", "b": date(2026, 1, 1)}, None]),
        }
    )
    rows, here, there = asyncio.run(stored(project.dsn, table))
    assert here == there
    assert rows[0]["list"] == "[1, null]"
    assert rows[0]["struct"] == '{"a": "é", "b": "2026-01-01"}'
    assert tuple(rows[1]) == (None, None)


@pytest.mark.parametrize(
    ("column", "sql"),
    [
        (pa.array([2**64 - 1], pa.uint64()), "bigint"),
        (pa.array([1], pa.timestamp("ns")), "timestamp"),
        (pa.array([1], pa.timestamp("ns", "UTC")), "timestamp"),
        (pa.array([2**62], pa.timestamp("s")), "timestamp"),
        (pa.array([-(2**63)], pa.timestamp("us")), "timestamp"),
        (pa.array([-(2**62)], pa.timestamp("us")), "timestamp"),
        (pa.array([1], pa.time64("ns")), "time"),
        (pa.array([1], pa.duration("ns")), "interval"),
        (pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), "date"),
        (pa.array([-(2**31)], pa.int32()).cast(pa.date32()), "date"),
    ],
    ids=lambda v: str(v.type) if isinstance(v, pa.Array) else v,
)
def test_what_the_type_cannot_hold_is_refused_by_column(column: pa.Array, sql: str) -> None:
    encoder = Encoder([column_type("n", column.type)], None)
    with pytest.raises(StoreError, match=f"column 'n': a value .* PostgreSQL's {sql}"):
        encoder.encode(batch_of(pa.table({"n": column})))
    encoder.close()


EXTREMES = [
    (pa.date32(), [-2_451_545 + EPOCH_DAYS, 2_145_031_948 + EPOCH_DAYS, 0]),
    (pa.timestamp("us"), [-211_813_488_000_000_000 + EPOCH_US, 2**63 - 1, -1]),
    (pa.timestamp("us", "Europe/Paris"), [-211_813_488_000_000_000 + EPOCH_US, 2**63 - 1]),
    (pa.time64("us"), [0, 86_399_999_999]),
    (pa.duration("us"), [-(2**63), 2**63 - 1]),
]


@pytest.mark.parametrize(("kind", "numbers"), EXTREMES, ids=lambda v: str(v))
def test_the_ends_of_a_range_arrive(
    project: Project, kind: pa.DataType, numbers: list[int]
) -> None:
    storage = pa.int32() if kind == pa.date32() else pa.int64()
    table = pa.table({"v": pa.array(numbers, storage).cast(kind)})
    _, here, there = asyncio.run(stored(project.dsn, table, shown='"v"::text'))
    assert here == there


def test_nested_values_are_json_without_loss(project: Project) -> None:
    value = {
        "bytes": b"\x00hi",
        "number": decimal.Decimal("12345678901234567890123456789012345.678"),
        "at": EVE,
        "not": float("nan"),
        "all": [float("inf"), 0.1],
    }
    kind = pa.struct({
        "bytes": pa.binary(), "number": pa.decimal128(38, 3), "at": pa.timestamp("us"),
        "not": pa.float64(), "all": pa.list_(pa.float64()),
    })  # fmt: skip
    rows, here, there = asyncio.run(stored(project.dsn, pa.table({"v": pa.array([value], kind)})))
    assert here == there
    assert json.loads(rows[0]["v"]) == {
        "bytes": "\\x006869",
        "number": "12345678901234567890123456789012345.678",
        "at": "1999-12-31T23:00:00",
        "not": "NaN",
        "all": ["Infinity", 0.1],
    }


DECIMALS = st.integers(1, 76).flatmap(
    lambda precision: st.tuples(
        st.just(precision),
        st.integers(0, precision),
        st.lists(st.none() | st.integers(-(10**precision) + 1, 10**precision - 1), max_size=5),
    )
)


@given(DECIMALS)
@settings(max_examples=30, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_decimals_of_any_width_arrive(
    project: Project, made: tuple[int, int, list[int | None]]
) -> None:
    precision, scale, numbers = made
    wide = decimal.Context(prec=100)
    values = [None if n is None else decimal.Decimal(n).scaleb(-scale, wide) for n in numbers]
    kind = pa.decimal256(precision, scale)
    rows, here, there = asyncio.run(
        stored(project.dsn, pa.table({"v": pa.array(values, kind)}), shown='"v"::text AS v')
    )
    assert here == there
    assert [r["v"] and decimal.Decimal(r["v"]) for r in rows] == values


GEOMETRIES = [
    "POINT (1 2)",
    "POINT Z (1 2 3)",
    "POINT EMPTY",
    "LINESTRING (0 0, 1 1)",
    "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
    "MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)))",
    "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
    "GEOMETRYCOLLECTION EMPTY",
    "GEOMETRYCOLLECTION (POINT EMPTY)",
    "GEOMETRYCOLLECTION (MULTIPOINT (EMPTY), POINT (1 2))",
    "MULTIPOINT (EMPTY, EMPTY)",
    "MULTIPOLYGON (EMPTY)",
    "MULTILINESTRING Z (EMPTY, (1 2 3, 4 5 6))",
    "MULTIPOINT ((0 0), (1 1))",
]


@pytest.mark.parametrize("flavor", ["iso", "extended"])
@pytest.mark.parametrize("order", [0, 1])
def test_geometries_arrive_however_they_were_written(
    project: Project, flavor: str, order: int
) -> None:
    geometries = shapely.from_wkt(GEOMETRIES)
    wkb = shapely.to_wkb(geometries, flavor=flavor, byte_order=order)
    column = pa.array([*wkb, None], pa.binary())
    table = pa.table({"id": pa.array(range(len(column)))})
    rows, here, there = asyncio.run(stored(project.dsn, table, column))
    assert here == there
    assert [r["srid"] for r in rows[:-1]] == [25832] * len(geometries)
    back = shapely.from_wkb([r["wkb"] for r in rows])
    assert back[-1] is None
    assert shapely.equals_identical(back[:-1], geometries).all()


coordinates = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=5),
                  st.sampled_from(["iso", "extended"]), st.sampled_from([0, 1]), st.booleans()),
        max_size=12,
    )
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_normal_wkb_is_iso_and_little_endian(rows: list[Any]) -> None:
    lines = [None if null else shapely.linestrings(p) for p, _, _, null in rows]
    written = [
        None if line is None else shapely.to_wkb(line, flavor=flavor, byte_order=order)
        for line, (_, flavor, order, _) in zip(lines, rows, strict=True)
    ]
    expected = [
        None if line is None else shapely.to_wkb(line, flavor="iso", byte_order=1) for line in lines
    ]
    assert normal_wkb(pa.array(written, pa.binary())).to_pylist() == expected


@given(st.lists(st.tuples(st.integers(-5, 5), st.none() | st.text(max_size=4)), max_size=12),
       st.randoms(use_true_random=False))  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_a_digest_does_not_depend_on_order_and_sees_every_change(
    rows: list[tuple[int, str | None]], random: Any
) -> None:
    def digest(values: list[tuple[int, str | None]]) -> Digest:
        table = pa.table(
            {
                "a": pa.array([a for a, _ in values], pa.int32()),
                "b": pa.array([b for _, b in values], pa.string()),
            }
        )
        encoder = Encoder([column_type(f.name, f.type) for f in table.schema], None)
        try:
            return encoder.encode(batch_of(table))[1]
        finally:
            encoder.close()

    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest(shuffled) == digest(rows)
    if rows:
        changed = [(rows[0][0] + 1, rows[0][1]), *rows[1:]]
        assert digest(changed) != digest(rows)
        half = len(rows) // 2
        assert digest(rows[:half]) + digest(rows[half:]) == digest(rows)
