"""Violations for people: layers by kind of geometry with styles, and tables."""

from __future__ import annotations

import csv
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas
import pyarrow as pa
import pyogrio
import pyproj
import pytest
from shapely import GeometryCollection, LineString, Point, box

from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report import violation_export
from spatial_pipeline.report.violation_export import export, with_plain_columns, write_geopackage
from spatial_pipeline.report.violations import to_table, with_version
from spatial_pipeline_tests.report.cases import SHAPES, result
from spatial_pipeline_tests.report.test_violations import PROMISED, UTM, WGS, same_shapes, table

KINDS = ["violations_points", "violations_lines", "violations_polygons"]


def names(path: Path) -> list[str]:
    return [str(name) for name in pyogrio.list_layers(path)[:, 0]]


def versioned(dataset: str, crs: pyproj.CRS | None, partition: str | None = None) -> pa.Table:
    return with_version(table(crs=crs), Version(dataset, partition, "v"))


def test_datasets_in_one_crs_share_a_layer(tmp_path: Path) -> None:
    tables = [versioned("a", UTM), versioned("b", UTM, "north")]
    assert export(tables, tmp_path / "v.gpkg") == [tmp_path / "v.gpkg"]
    frame = geopandas.read_file(tmp_path / "v.gpkg", layer="violations")
    assert frame["dataset"].tolist() == ["a"] * 6 + ["b"] * 6
    assert frame["partition"].isna().tolist() == [True] * 6 + [False] * 6
    assert frame.crs == UTM


def test_datasets_in_several_crss_have_layers_of_their_own(tmp_path: Path) -> None:
    tables = [versioned("a", UTM), versioned("b", None), versioned("c", UTM), versioned("d", WGS)]
    assert export(tables, tmp_path / "v.gpkg") == [tmp_path / "v.gpkg"]
    layers = ["violations", "violations_2", "violations_3"]
    assert names(tmp_path / "v.gpkg") == [
        *layers,
        *(f"{layer}_{kind}" for layer in layers for kind in ("points", "lines", "polygons")),
        "layer_styles",
    ]
    frames = [geopandas.read_file(tmp_path / "v.gpkg", layer=name) for name in layers]
    assert [sorted(set(f["dataset"])) for f in frames] == [["a", "c"], ["b"], ["d"]]
    assert [f.crs for f in frames] == [UTM, None, WGS]
    files = export(tables, tmp_path / "v.parquet")
    assert [f.name for f in files] == ["v.parquet", "v_2.parquet", "v_3.parquet"]
    assert [geopandas.read_parquet(f).crs for f in files] == [UTM, None, WGS]


def test_a_dataset_without_violations_takes_no_layer(tmp_path: Path) -> None:
    empty = with_version(to_table([], WGS), Version("a", None, "v"))
    export([empty, versioned("b", UTM)], tmp_path / "v.gpkg")
    assert names(tmp_path / "v.gpkg") == ["violations", *KINDS, "layer_styles"]
    assert geopandas.read_file(tmp_path / "v.gpkg", layer="violations").crs == UTM
    export([empty, empty], tmp_path / "v.gpkg")
    assert len(geopandas.read_file(tmp_path / "v.gpkg", layer="violations")) == 0


def test_a_nul_in_a_text_does_not_end_it(tmp_path: Path) -> None:
    found = Violations.build([[0]], ["before\0behind"])
    write_geopackage(to_table([(result(), found)]), tmp_path / "v.gpkg")
    (reason,) = geopandas.read_file(tmp_path / "v.gpkg", layer="violations")["reason"]
    assert reason == "before\N{REPLACEMENT CHARACTER}behind"


@pytest.mark.parametrize("crs", [UTM, WGS, None])
def test_a_geopackage_gives_back_what_was_written(tmp_path: Path, crs: pyproj.CRS | None) -> None:
    path = tmp_path / "v.gpkg"
    path.write_text("something else that was there before")
    write_geopackage(table(crs=crs), path)
    assert names(path) == ["violations", *KINDS, "layer_styles"]
    frame = geopandas.read_file(path, layer="violations")
    assert same_shapes(frame.geometry, SHAPES)
    assert (frame.crs is None) == (crs is None)
    assert crs is None or frame.crs == crs
    assert set(PROMISED) < set(frame.columns)
    assert frame["keys"][0] == '[["key 0", 0], [null]]'
    assert list(tmp_path.iterdir()) == [path]


def test_each_kind_of_geometry_has_a_layer_of_one_type(tmp_path: Path) -> None:
    path = tmp_path / "v.gpkg"
    both = GeometryCollection([box(5, 5, 6, 6), LineString([(0, 0), (1, 1)])])
    write_geopackage(table(shapes=[*SHAPES, LineString([(0, 0), (9, 9)]), both]), path)
    found = dict(pyogrio.list_layers(path).tolist())
    assert found == {
        "violations": "Unknown",
        "violations_points": "Point",
        "violations_lines": "LineString",
        "violations_polygons": "MultiPolygon",
        "layer_styles": None,
    }
    frames = {name: geopandas.read_file(path, layer=name) for name in ["violations", *KINDS]}
    assert {name: len(f) for name, f in frames.items()} == {
        "violations": 8, "violations_points": 1, "violations_lines": 2, "violations_polygons": 3,
    }  # fmt: skip
    whole = frames["violations"]
    for name in KINDS:
        for row in frames[name].itertuples():
            (same,) = whole[whole["keys"] == row.keys].geometry
            assert same.covers(row.geometry)
    assert frames["violations_polygons"].geometry.iloc[-1].equals(box(5, 5, 6, 6))


def test_one_kind_of_geometry_is_one_layer(tmp_path: Path) -> None:
    path = tmp_path / "v.gpkg"
    write_geopackage(table(shapes=[Point(0, 0), Point(1, 1)]), path)
    assert pyogrio.list_layers(path).tolist() == [["violations", "Point"], ["layer_styles", None]]
    ((name, sheet),) = styles(path)
    assert (name, sheet.find("layerGeometryType").text) == ("violations", "0")


def styles(path: Path) -> list[tuple[str, Any]]:
    query = "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(query).fetchall()
        (listed,) = connection.execute(
            "SELECT data_type FROM gpkg_contents WHERE table_name = 'layer_styles'"
        ).fetchone()
    assert listed == "attributes"
    assert all(row[1] == "geometry" and row[3] == 1 for row in rows)
    return [(row[0], ET.fromstring(row[2].partition("\n")[2])) for row in rows]


def test_every_typed_layer_has_a_style_with_a_colour_for_each_check(tmp_path: Path) -> None:
    path = tmp_path / "v.gpkg"
    write_geopackage(pa.concat_tables([table("<odd> & 'name'"), table("b")]), path)
    found = styles(path)
    assert [name for name, _ in found] == KINDS
    for i, (_, sheet) in enumerate(found):
        assert sheet.find("layerGeometryType").text == str(i)
        renderer = sheet.find("renderer-v2")
        assert renderer.attrib["attr"] == "name"
        categories = {c.attrib["value"]: c.attrib["symbol"] for c in renderer.iter("category")}
        assert list(categories) == ["<odd> & 'name'", "b"]
        colours = {
            symbol.attrib["name"]: [p.attrib["v"] for p in symbol.iter("prop")]
            for symbol in renderer.findall("symbols/symbol")
        }
        assert sorted(colours) == sorted(categories.values())
        assert colours["0"] != colours["1"]
    # A marker shows polygons that are too small to be seen.
    markers = [e.attrib["class"] for e in found[-1][1].findall(".//layer/symbol/layer")]
    assert markers == ["SimpleMarker", "SimpleMarker"]


def test_a_check_keeps_its_colour_and_is_listed_where_it_has_features(tmp_path: Path) -> None:
    path = tmp_path / "v.gpkg"
    points = table("points", shapes=[Point(0, 0)])
    write_geopackage(pa.concat_tables([points, table("polygons", shapes=[box(0, 0, 1, 1)])]), path)
    listed = {
        name: [
            (category.attrib["value"], sheet.find(".//prop[@k='color']").attrib["v"][:3])
            for category in sheet.iter("category")
        ]
        for name, sheet in styles(path)
    }
    assert listed == {
        "violations_points": [("points", "214")],
        "violations_polygons": [("polygons", "31,")],
    }


def test_plain_columns_need_no_parser() -> None:
    found = Violations.build(
        [[0, 1], [2, -1], [-1, -1]],
        "x",
        [box(1, 2, 3, 4), None, Point(5, 6)],
        keys=[(("08001", 7), ("08005", 8), ("09", 9)), (("a",),), ()],
    )
    rows = with_plain_columns(to_table([(result(), found)], UTM)).to_pylist()
    wanted = ("key", "other_key", "xmin", "ymin", "xmax", "ymax")
    assert [tuple(r[c] for c in wanted) for r in rows] == [
        ("08001/7", "08005/8, 09/9", 1, 2, 3, 4),
        ("a", None, None, None, None, None),
        (None, None, 5, 6, 5, 6),
    ]


def hostile() -> pa.Table:
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "plain", 'a"b\nc;d,e', "Ünïcode"]
    shapes = [Point(500000.1234567891, i + 1 / 3) for i in range(len(texts))]
    found = Violations.build(range(len(texts)), texts, shapes, 0.1 + 0.2, "m²",
                             keys=[((t,),) for t in texts])  # fmt: skip
    return with_version(to_table([(result(), found)], UTM), Version("=a", None, "v"))


def test_a_csv_file_has_every_digit_and_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    assert export([hostile(), versioned("b", WGS)], path) == [path]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    assert [r["reason"] for r in rows[:8]] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain", 'a"b\nc;d,e', "Ünïcode",
    ]  # fmt: skip
    assert rows[0]["dataset"] == "'=a"
    assert (float(rows[0]["x"]), float(rows[1]["y"])) == (500000.1234567891, 1 + 1 / 3)
    assert float(rows[0]["measure"]) == 0.1 + 0.2
    assert {r["crs"] for r in rows} == {"EPSG:32633", "EPSG:4326"}


def test_a_workbook_has_the_same_and_takes_no_text_for_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "v.xlsx"
    assert export([hostile()], path) == [path]
    frame = pyogrio.read_dataframe(path)
    assert frame["reason"].tolist() == hostile()["reason"].to_pylist()
    assert frame["x"].tolist() == pytest.approx([500000.1234567891] * 8, rel=1e-15)
    with zipfile.ZipFile(path) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_more_than_a_sheet_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(violation_export, "MOST_ROWS", 7)
    with pytest.raises(OSError, match=r"8 violations, and a sheet has 7 rows: write \.csv"):
        export([hostile()], tmp_path / "v.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_no_violations_are_a_table_without_rows(tmp_path: Path, suffix: str) -> None:
    empty = with_version(to_table([], UTM), Version("a", None, "v"))
    (path,) = export([empty], tmp_path / f"v.{suffix}")
    assert path.stat().st_size > 100
