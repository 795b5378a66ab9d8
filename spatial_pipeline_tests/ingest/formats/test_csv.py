"""CSV: places and types."""

from __future__ import annotations

import shutil
import zipfile
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

CASES = Path(__file__).parents[2] / "cases/vector"


def staged(folder: Path, text: str | bytes, name: str = "a.csv", **source: Any) -> Any:
    """Stages a text; bytes as they are."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return staged_vector(folder / name, folder / "s", **source)


def case(folder: Path, name: str, **source: Any) -> Any:
    """Stages a copy of a case."""
    shutil.copy(CASES / name, folder)
    return staged_vector(folder / name, folder / "s", **source)


def named(profile: Any) -> list[tuple[int, str, str, str]]:
    """Row, column, text and reason of each defect."""
    return [(d.row, d.column, d.text, d.reason) for d in profile.defects]


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


def test_quotes_pair_up(tmp_path: Path) -> None:
    profile, _ = case(tmp_path, "csv-unbalanced-quote.csv")
    assert str(profile.error).endswith(
        'a quoted field is not closed (RFC 4180), line 3: \'"b""\\n3,5,6,c\\n4,7,8,d\\n\''
    )


def test_records_with_more_or_fewer_fields_are_named(tmp_path: Path) -> None:
    profile, table = case(tmp_path, "csv-extra-field.csv")
    assert named(profile) == [
        (0, "n", "1,1,2,Main St, 5", "is a record with 5 fields instead of 4"),
        (1, "n", "2,3,4", "is a record with 3 fields instead of 4"),
    ]
    assert table["id"].to_pylist() == [None, None, 3]
    assert [g and g.wkt for g in geometries(profile, table)] == [None, None, "POINT (5 6)"]


def test_additional_empty_fields_lose_nothing(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "a,b\n1,2,,\n3,4\n")
    assert table["b"].to_pylist() == [2, 4]
    assert profile.notes == ("1 records end with additional empty fields, left out",)


def test_decimal_commas_of_coordinates(tmp_path: Path) -> None:
    profile, table = case(tmp_path, "csv-decimal-comma-xy.csv")
    assert (profile.undecodable, profile.defects, profile.notes) == ((), (), ())
    assert [g.wkt for g in geometries(profile, table)] == [
        "POINT (558353.518 4117090.688)", "POINT (252874.86 4049205.16)",
    ]  # fmt: skip
    assert table["X"].to_pylist() == [558353.518, 252874.86]


def test_a_comma_beside_points_may_separate_thousands(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "id;x;y\n1;1,234;5\n2;1234.5;6\n")
    assert named(profile) == [(0, "geometry", "1,234", "is not a coordinate (column 'x')")]
    assert table["x"].to_pylist() == ["1,234", "1234.5"]
    assert profile.undecodable == (0,)


@pytest.mark.parametrize(
    "value", ["1 234", "nan", "inf", "1e999", "12°", "1,234,567", "0x10", "1d5"]
)
def test_coordinates_that_are_none_are_named(tmp_path: Path, value: str) -> None:
    profile, table = staged(tmp_path, f"id;lon;lat\n1;2;3\n2;{value};3\n")
    assert named(profile) == [(1, "geometry", value, "is not a coordinate (column 'lon')")]
    assert table["lon"].to_pylist() == ["2", value]
    assert [g and g.wkt for g in geometries(profile, table)] == ["POINT (2 3)", None]


def test_half_of_a_place_is_said(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "x,y\n1,\n,2\n,\n3,4\n")
    assert profile.notes == ("2 rows have only some of their coordinates, so no geometry",)
    assert geometries(profile, table)[:3] == [None] * 3


def test_text_behind_a_geometry_and_nul(tmp_path: Path) -> None:
    profile, table = case(tmp_path, "csv-wkt-garbage.csv")
    assert named(profile) == [
        (0, "geometry", "POINT (1 2) POINT (3 4)", "has text behind the geometry"),
        (0, "n", "a\0b", "holds the character NUL"),
    ]
    assert profile.undecodable == (0,)
    assert table["n"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("name", "text"), [("csv-latin1-a.csv", "M\\xfcnchen"), ("csv-latin1-b.csv", "\\x80 5")]
)
def test_bytes_that_are_not_utf8_are_named(tmp_path: Path, name: str, text: str) -> None:
    profile, table = case(tmp_path, name)
    assert named(profile) == [(0, "n", text, "is not UTF-8")]
    assert table["n"].to_pylist() == [None]


def test_a_declared_encoding_settles_it(tmp_path: Path) -> None:
    profile, table = case(tmp_path, "csv-latin1-a.csv", encoding="latin-1")
    assert (profile.defects, table["n"].to_pylist()) == ((), ["München"])


def test_a_declared_encoding_that_does_not_fit(tmp_path: Path) -> None:
    profile, _ = staged(tmp_path, b"id,n\n1,a\x81b\n2,\x80\n", encoding="cp1252")
    assert named(profile) == [(0, "n", "a\\x81b", "is not CP1252")]


def test_a_geometry_that_does_not_decode_as_text(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, b"id,wkt\n1,POINT (1 2)\xff\n2,POINT (1 2)\n")
    assert named(profile) == [(0, "geometry", "POINT (1 2)\\xff", "is not UTF-8")]
    assert profile.undecodable == (0,)
    assert [g and g.wkt for g in geometries(profile, table)] == [None, "POINT (1 2)"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    profile, table = staged(tmp_path, "größe,n\n1,ü\n2,名\n".encode(encoding))
    assert profile.error is None
    assert table.select(["größe", "n"]).to_pylist() == [
        {"größe": 1, "n": "ü"},
        {"größe": 2, "n": "名"},
    ]


def test_a_column_name_that_does_not_decode(tmp_path: Path) -> None:
    text = "id,größe\n1,2\n".encode("latin-1")
    profile, _ = staged(tmp_path, text)
    assert "the name of column 2, 'gr\\\\xf6\\\\xdfe', does not decode" in str(profile.error)
    profile, _ = staged_vector(tmp_path / "a.csv", tmp_path / "t", encoding="iso8859-1")
    assert types(profile) == {"id": "int64", "größe": "int64"}


def test_a_row_of_400_000_vertices(tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 400_001)
    ring = np.stack([500_000 + 100 * np.cos(angle), 5_000_000 + 100 * np.sin(angle)], axis=1)
    ring[-1] = ring[0]
    wkt = shapely.to_wkt(shapely.polygons(ring), rounding_precision=9)
    assert len(wkt) > 10_000_000
    profile, table = staged(tmp_path, f'id,WKT\n1,POINT (1 2)\n2,"{wkt}"\n3,POINT (3 4)\n')
    assert profile.error is None
    assert shapely.get_num_coordinates(geometries(profile, table)).tolist() == [1, 400_001, 1]


def test_empty_texts_are_told_from_nulls_where_the_file_does(tmp_path: Path) -> None:
    _, table = staged(tmp_path, 'a,b,c\n1,"",""\n"",,"x"\n')
    assert table["a"].to_pylist() == [1, None]
    assert table["b"].to_pylist() == ["", None]
    assert table["c"].to_pylist() == [None, "x"]


def test_quoted_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    _, table = staged(tmp_path, 'a,b\r\n1,"x\r\ny"\r\n2,"x\ny\rz"\r\n')
    assert table["b"].to_pylist() == ["x\r\ny", "x\ny\rz"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a\tb,c\n1\t2\n", 1), ("a|b\n1|2\n", 1), ("a b\n1 2\n", 1), ("sep=;\na;b\n1;2\n", 1),
        ("a,b\r1,2\r3,4", 2), ("a,b\r\r\n1,2\r\r\n", 1), ("\n\na,b\n\n1,2\n\n", 1),
    ],
)  # fmt: skip
def test_delimiters_and_line_ends(tmp_path: Path, text: str, rows: int) -> None:
    profile, _ = staged(tmp_path, text)
    assert (profile.error, profile.defects, profile.count) == (None, (), rows)
    assert len(profile.columns) == 2


def test_tab_separated_values_and_text_files(tmp_path: Path) -> None:
    (tmp_path / "a.csvt").write_text("String,Real,Real")
    (tmp_path / "a.prj").write_text("EPSG:25832")
    for name in ("a.tsv", "a.txt", "a.psv"):
        profile, table = staged(tmp_path, "id\tx\ty\n1\t2\t3\n", name)
        assert types(profile) == {"id": "string", "x": "double", "y": "double"}
        assert profile.crs is not None
        assert geometries(profile, table)[0].wkt == "POINT (2 3)"
        shutil.rmtree(tmp_path / "s")


def test_a_text_file_that_is_no_table(tmp_path: Path) -> None:
    feature = '{"type": "Feature", "properties": {}, "geometry": null}'
    text = f'{{"type": "FeatureCollection", "features": [{feature}]}}'
    profile, _ = staged(tmp_path, text, "a.txt")
    assert (profile.driver, profile.count) == ("GeoJSON", 1)
    (tmp_path / "b.txt").write_text("something else entirely\n")
    profile, _ = staged_vector(tmp_path / "b.txt", tmp_path / "t")
    assert profile.error is not None


def test_a_file_without_header_is_said(tmp_path: Path) -> None:
    profile, table = staged(tmp_path, "1,a\n2,b\n")
    assert types(profile) == {"field_1": "int64", "field_2": "string"}
    assert profile.notes == (
        "the first line holds numbers, so it was read as data, not as column names",
    )
    assert table["field_1"].to_pylist() == [1, 2]


def test_comment_lines_are_no_records(tmp_path: Path) -> None:
    profile, _ = staged(tmp_path, "a,b\n1,2\n# note\n3,4\n")
    assert named(profile) == [(1, "b", "# note", "is a record with 1 fields instead of 2")]


def test_types_of_a_csvt_file(tmp_path: Path) -> None:
    (tmp_path / "a.csvt").write_text(
        "Integer(5),Integer64,Real(10.3),String(3),Date,Time,DateTime,Integer(Boolean),Real(Float32)\n"
    )
    profile, table = staged(
        tmp_path,
        "a,b,c,d,e,f,g,h,i\n1,2,1.5,007,2020/01/31,10:20:30,2020/01/31 10:20:30.000001+02,1,0.1\n",
    )
    assert types(profile) == {
        "a": "int32", "b": "int64", "c": "double", "d": "string", "e": "date32[day]",
        "f": "time32[ms]", "g": "timestamp[us, tz=UTC]", "h": "bool", "i": "float",
    }  # fmt: skip
    row = table.to_pylist()[0]
    assert (row["d"], row["e"], row["f"]) == ("007", date(2020, 1, 31), time(10, 20, 30))
    assert row["g"] == datetime(2020, 1, 31, 8, 20, 30, 1, tzinfo=UTC)
    assert (row["h"], row["i"]) == (True, float(np.float32(0.1)))


def test_srids_of_geometries(tmp_path: Path) -> None:
    point = shapely.set_srid(shapely.Point(1, 2), 25832)
    texts = [
        '"SRID=25832;POINT (1 2)"',
        shapely.to_wkb(point, hex=True, include_srid=True),
        '"SRID=4326;POINT (1 2)"',
        "POINT (5 6)",
    ]
    profile, table = staged(tmp_path, "id;geom\n" + "".join(f"1;{t}\n" for t in texts))
    assert "UTM zone 32N" in str(profile.crs)
    assert profile.notes == ("the CRS is EPSG:25832 by the SRID of the geometries",)
    assert named(profile) == [
        (2, "geom_1", "SRID=4326;POINT (1 2)", "has SRID 4326, the first geometry 25832")
    ]
    found = [g and g.wkt for g in geometries(profile, table)]
    assert found == ["POINT (1 2)", "POINT (1 2)", None, "POINT (5 6)"]


def test_srids_against_the_prj_file(tmp_path: Path) -> None:
    (tmp_path / "a.prj").write_text("EPSG:25832")
    profile, _ = staged(tmp_path, "id,wkt\n1,SRID=4326;POINT (1 2)\n")
    assert "the geometries have SRID 4326, the .prj file or the column's name" in str(profile.error)


def test_a_prj_file_that_is_not_understood_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.prj").write_text("nonsense")
    profile, _ = staged(tmp_path, "id,x,y\n1,2,3\n")
    assert profile.crs is None
    assert profile.notes[0] == "the CRS in a.prj is not understood: 'nonsense'"


def test_a_layer_is_named_like_the_file(tmp_path: Path) -> None:
    assert staged(tmp_path, "a\n1\n", layer="a")[0].error is None
    profile, _ = staged_vector(tmp_path / "a.csv", tmp_path / "t", layer="b")
    assert "no layer 'b' in it; there is a" in str(profile.error)


def test_batches_do_not_change_what_is_read(tmp_path: Path, monkeypatch: Any) -> None:
    rows = [f'{i},"a\n""{i}""",{i}.5,"POINT ({i} {i})"' for i in range(300)]
    (tmp_path / "a.csv").write_text("id,t,v,wkt\n" + "\n".join(rows) + "\n")
    whole, table = staged_vector(tmp_path / "a.csv", tmp_path / "s")
    monkeypatch.setattr("spatial_pipeline.ingest.formats.csv_records.BLOCK", 64)
    parts, same = staged_vector(tmp_path / "a.csv", tmp_path / "t")
    assert parts == whole
    assert same.drop(["bbox"]).equals(table.drop(["bbox"]))
