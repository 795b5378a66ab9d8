"""CSV: places and types."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.formats.csv_types import CANDIDATES, Guess
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector


def staged(folder: Path, text: str) -> Any:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    return staged_vector(folder / "a.csv", folder / "s")


def types(profile: Any) -> dict[str, str]:
    return {c.name: c.type for c in profile.columns}


def test_types_keep_every_value(tmp_path: Path) -> None:
    profile, table = staged(
        tmp_path,
        "code,int,num,day,time,truth,mixed,big,none\n"
        "08001, 3836 ,1.5,2020-01-31,2020-01-01T10:00:00,true,1,12345678901234567890,\n"
        "08002,-1,2,2021-02-28,2020-01-01 11:00:00.5,false,x,2,\n"
        "1,,1e-5,,,,true,3,\n",
    )
    assert types(profile) == {
        "code": "string", "int": "int64", "num": "double", "day": "date32[day]",
        "time": "timestamp[us]", "truth": "bool", "mixed": "string", "big": "string",
        "none": "string",
    }  # fmt: skip
    rows = table.to_pylist()
    assert [r["code"] for r in rows] == ["08001", "08002", "1"]
    assert [r["int"] for r in rows] == [3836, -1, None]
    assert [r["num"] for r in rows] == [1.5, 2.0, 1e-5]
    assert [r["day"] for r in rows] == [date(2020, 1, 31), date(2021, 2, 28), None]
    assert rows[1]["time"] == datetime.fromisoformat("2020-01-01T11:00:00.5")
    assert [r["truth"] for r in rows] == [True, False, None]
    assert [r["mixed"] for r in rows] == ["1", "x", "true"]
    assert profile.geometry_column is None


@pytest.mark.parametrize("value", ["3", "yes", "2020-02-30", "1e999", "0x10", "nan", "1,5", "١"])
def test_what_would_change_stays_text(tmp_path: Path, value: str) -> None:
    first = {"3": "true", "2020-02-30": "2020-01-01"}.get(value, "1")
    _, table = staged(tmp_path, f'a\n{first}\n"{value}"\n')
    assert table["a"].to_pylist() == [first, value]


def test_points_of_two_columns(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "id,lon,lat\n1,10.5,50\n2,11,51.25\n")
    assert [g.wkt for g in geometries(profile, table)] == ["POINT (10.5 50)", "POINT (11 51.25)"]
    assert types(profile) == {"id": "int64", "lon": "double", "lat": "double"}
    assert profile.crs is None


def test_columns_of_one_pair_are_combined(tmp_path: Path) -> None:
    profile, _ = staged(tmp_path, "X,Latitude,Longitude,Y\n500000,50,10,5500000\n")
    assert profile.bounds == (500000, 5500000, 500000, 5500000)


def test_coordinates_that_are_no_numbers(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "id,x,y\n1,1,2\n2,abc,3\n3,,\n4,1,x\n")
    assert [g is None for g in geometries(profile, table)] == [False, True, True, True]
    assert profile.undecodable == (1, 3)


def test_wkt(tmp_path: Path) -> None:
    profile, table = staged(
        tmp_path, 'id,WKT\n1,POINT (1 2)\n2,\n3,"LINESTRING Z (0 0 1,1 1 2)"\n4,POINT (1\n'
    )
    assert [g and g.wkt for g in geometries(profile, table)] == [
        "POINT (1 2)", None, "LINESTRING Z (0 0 1, 1 1 2)", None,
    ]  # fmt: skip
    assert types(profile) == {"id": "int64"}
    assert profile.undecodable == (3,)


def test_a_csvt_file_names_the_types(tmp_path: Path) -> None:
    (tmp_path / "a.csvt").write_text('"String","Real"\n')
    profile, table = staged(tmp_path, "a,b\n1,2\n")
    assert types(profile) == {"a": "string", "b": "double"}
    assert table["a"].to_pylist() == ["1"]


def test_a_value_against_the_csvt_file(tmp_path: Path) -> None:
    (tmp_path / "a.csvt").write_text('"Integer"\n')
    profile, _ = staged(tmp_path, "a\n1\nx\n")
    assert "a value does not have the type that the .csvt file gives it" in str(profile.error)


def test_names_that_occur_twice(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "a,a,b\n1,x,2\n")
    assert types(profile) == {"a": "int64", "a_1": "string", "b": "int64"}
    assert table["a_1"].to_pylist() == ["x"]


@pytest.mark.parametrize("text", ["a,b\n", "x,y\n", "WKT\n"])
def test_a_header_alone(tmp_path: Path, text: str) -> None:
    profile, table = staged(tmp_path, text)
    assert profile.error is None
    assert table.num_rows == 0


def test_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/a.csv", "id,x,y\n007,1,2\n")
    profile, table = staged_vector(tmp_path / "a.zip", tmp_path / "s")
    assert table["id"].to_pylist() == ["007"]
    assert profile.bounds == (1, 2, 1, 2)


WORDS = st.one_of(
    st.none(),
    st.integers().map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.booleans().map(lambda v: str(v).lower()),
    st.text(max_size=4),
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_the_guess_holds_every_value_and_does_not_depend_on_batches(
    batches: list[list[str | None]],
) -> None:
    whole, parts = Guess(), Guess()
    everything = [v for values in batches for v in values]
    whole.see(pa.record_batch({"a": pa.array(everything, pa.string())}))
    for values in batches:
        parts.see(pa.record_batch({"a": pa.array(values, pa.string())}))
    assert whole.types() == parts.types()
    kind = whole.types()[0]
    assert kind == pa.string() or kind in [t for t, _ in CANDIDATES]
    if kind == pa.int64():
        assert all(v is None or str(int(v)) == v.strip() or v.strip() == "-0" for v in everything)
    if kind == pa.float64():
        assert all(v is None or abs(float(v)) != float("inf") for v in everything)
