"""CSV: declared types."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.csv_declared import DeclaredColumn, declared_types, roles

DAY, TIME = date(2020, 1, 31), time(10, 20)


def values(declared: str, *texts: str | None) -> tuple[pa.DataType, list[Any]]:
    column = DeclaredColumn("a", declared)
    array = pa.array(texts, pa.string())
    column.see(array, 10)
    return column.kind, column.convert(array).to_pylist()


@pytest.mark.parametrize(
    ("declared", "texts", "kind", "found"),
    [
        ("Integer", ["+7", " 007 ", None], pa.int32(), [7, 7, None]),
        ("Integer64", ["9007199254740993"], pa.int64(), [9007199254740993]),
        ("Integer(Boolean)", ["1", "FALSE", None], pa.bool_(), [True, False, None]),
        ("Real", ["1,5", "2"], pa.float64(), [1.5, 2.0]),
        ("Real", ["+1.5", ".5", "1e5", "inf"], pa.float64(), [1.5, 0.5, 1e5, float("inf")]),
        ("Real(Float32)", ["16777216", "0.5"], pa.float32(), [16777216.0, 0.5]),
        ("Real(Float32)", ["16777217"], pa.float64(), [16777217.0]),
        ("Real(Float32)", ["1e39"], pa.float64(), [1e39]),
        ("Date", ["2020/01/31", "2020-01-31"], pa.date32(), [DAY] * 2),
        ("Time", ["10:20", "10:20:30.5"], pa.time32("ms"), [TIME, time(10, 20, 30, 500000)]),
        ("Time", ["10:20:30.000001"], pa.time64("us"), [time(10, 20, 30, 1)]),
        ("DateTime", ["2020/01/31 10:20"], pa.timestamp("us"), [datetime.combine(DAY, TIME)]),
        (
            "DateTime", ["2020-01-31T10:20Z", "2020/01/31 10:20:00+02"], pa.timestamp("us", "UTC"),
            [datetime(2020, 1, 31, h, 20, tzinfo=UTC) for h in (10, 8)],
        ),
        (
            "DateTime", ["2020-01-31T10:20Z", "2020-01-31T10:20"], pa.string(),
            ["2020-01-31T10:20Z", "2020-01-31T10:20"],
        ),
        ("JSonStringList", ['[ "a", "b" ]', "[]"], pa.list_(pa.string()), [["a", "b"], []]),
        ("JSonIntegerList", ["[1,null]"], pa.list_(pa.int32()), [[1, None]]),
        ("String", ["007", " x "], pa.string(), ["007", " x "]),
    ],
)  # fmt: skip
def test_values_of_declared_types(
    declared: str, texts: list[str | None], kind: pa.DataType, found: list[Any]
) -> None:
    assert values(declared, *texts) == (kind, found)


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("Integer", "3000000000"), ("Integer", "1.7"), ("Integer", "abc"), ("Integer64", "1" * 20),
        ("Integer(Int16)", "40000"), ("Integer(Boolean)", "2"), ("Real", "abc"), ("Real", "1e400"),
        ("Real", "1.234,5"), ("Real", "0x10"), ("Date", "2020-02-30"), ("Date", "31.01.2020"),
        ("Time", "25:00:00"), ("Time", "10:20:30.1234567"), ("DateTime", "2020-01-31"),
        ("DateTime", "2020-02-30T10:00:00"), ("JSonIntegerList", "[1.5]"),
        ("JSonStringList", "[1]"), ("JSonStringList", "[true]"), ("JSonRealList", "x"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_named(declared: str, text: str) -> None:
    with pytest.raises(SourceError) as raised:
        values(declared, None, text)
    assert str(raised.value) == (
        "a value does not have the type that the .csvt file gives it: "
        f"column 'a' is {declared}, row 11: {text!r}"
    )


def test_decimal_commas_beside_points() -> None:
    with pytest.raises(SourceError, match="values need different types"):
        values("Real", "1,234", "1.5")


def test_a_csvt_file(tmp_path: Path) -> None:
    file = tmp_path / "a.csvt"
    file.write_text('"Integer(5)", "Real(10.3)","CoordX" ,Foo,Point(Y)\n')
    notes: list[str] = []
    found = declared_types(file, 6, notes)
    assert found == ["Integer", "Real", "CoordX", "String", "Point(Y)", "String"]
    assert roles(found) == {"x": 2, "y": 4}
    assert notes == [
        "the .csvt file names 5 types, there are 6 columns",
        "the .csvt file names an unknown type 'Foo', read as text",
    ]
