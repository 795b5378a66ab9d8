from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.violation_export import write_geopackage
from spatial_pipeline.report.violations import (
    SCHEMA,
    crs_of,
    rewrite,
    to_table,
    write_geoparquet,
)
from spatial_pipeline_tests.report.cases import PASSED, SHAPES, result, violations

UTM = pyproj.CRS("EPSG:32633")
WGS = pyproj.CRS("EPSG:4326")
PROMISED = [
    "rule", "family", "severity", "reason", "keys", "measure", "unit", "part", "ring", "vertex",
]  # fmt: skip


def table(name: str = "overlaps", crs: pyproj.CRS | None = UTM, shapes: Any = None) -> pa.Table:
    return to_table([(PASSED, Violations.none()), (result(name), violations(shapes))], crs)


def same_shapes(found: Any, expected: Any) -> bool:
    pairs = zip(found, expected, strict=True)
    return all((f is None) == (e is None) and (f is None or f.equals_exact(e)) for f, e in pairs)


def test_a_table_has_one_row_a_violation_and_null_for_what_does_not_apply() -> None:
    rows = table().to_pylist()
    assert [c for c in table().column_names if c != "name"] == [*PROMISED, "geometry"]
    assert rows[0] == {
        "rule": "must_not_overlap",
        "family": "topology",
        "severity": "error",
        "reason": "Überlappung <b>",
        "keys": '[["key 0", 0], [null]]',
        "measure": 0.0,
        "unit": "m²",
        "part": None,
        "ring": None,
        "vertex": None,
        "name": "overlaps",
        "geometry": shapely.to_wkb(shapely.Point(1, 2), flavor="iso"),
    }
    assert [r["measure"] for r in rows] == [0, None, 2, None, 4, None]
    assert [r["part"] for r in rows] == [None, 0, 1, 2, 3, 4]
    assert rows[1]["geometry"] is None
    assert crs_of(table()) == UTM
    assert crs_of(table(crs=None)) is None


def test_nothing_found_is_an_empty_table_of_the_same_kind(tmp_path: Path) -> None:
    empty = to_table([(PASSED, Violations.none())], UTM)
    assert empty.schema == table().schema
    assert len(empty) == 0
    write_geoparquet(empty, tmp_path / "v.parquet")
    write_geopackage(empty, tmp_path / "v.gpkg")
    assert len(geopandas.read_parquet(tmp_path / "v.parquet")) == 0
    assert pyogrio.read_info(tmp_path / "v.gpkg", layer="violations")["features"] == 0


@pytest.mark.parametrize("crs", [UTM, WGS, None])
def test_geoparquet_gives_back_what_was_written(tmp_path: Path, crs: pyproj.CRS | None) -> None:
    path = tmp_path / "v.parquet"
    write_geoparquet(table(crs=crs), path)
    frame = geopandas.read_parquet(path)
    assert same_shapes(frame.geometry, SHAPES)
    assert (frame.crs is None) == (crs is None)
    assert crs is None or frame.crs == crs
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert column["geometry_types"] == ["LineString", "MultiPolygon", "Point", "Polygon Z"]
    assert column["bbox"] == [0, 0, 3, 3]
    assert column["crs"] is None or crs is not None
    assert list(tmp_path.iterdir()) == [path]


def test_coordinates_that_are_no_numbers_are_written_too(tmp_path: Path) -> None:
    odd = [shapely.Point(float("nan"), 1), shapely.Point(float("inf"), 2), shapely.Point(3, 4)]
    write_geoparquet(table(shapes=odd), tmp_path / "v.parquet")
    write_geopackage(table(shapes=odd), tmp_path / "v.gpkg")
    assert len(geopandas.read_parquet(tmp_path / "v.parquet")) == 3
    assert pyogrio.read_info(tmp_path / "v.gpkg", layer="violations")["features"] == 3


def test_a_place_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    for write, name in ((write_geopackage, "v.gpkg"), (write_geoparquet, "v.parquet")):
        with pytest.raises(OSError, match="none"):
            write(table(), tmp_path / "none" / name)


def test_a_new_check_of_a_rule_replaces_its_violations_and_keeps_the_others(tmp_path: Path) -> None:
    layer, new = tmp_path / "v.parquet", tmp_path / "new.parquet"

    def after(*evaluations: Any, names: tuple[str, ...] = ("a", "b")) -> pa.Table:
        rewrite(new, layer, evaluations, names, UTM)
        return pq.read_table(new).replace_schema_metadata(None)

    assert after((result("a"), violations())).equals(table("a"))
    write_geoparquet(pa.concat_tables([table("a"), table("b")]), layer)
    again = after((result("a"), violations(SHAPES[:1])))
    assert again["name"].to_pylist() == ["b"] * 6 + ["a"]
    assert again.schema.equals(table().schema, check_metadata=True)
    geo = json.loads(pq.read_schema(new).metadata[b"geo"])["columns"]["geometry"]
    assert geo["bbox"] == [0, 0, 3, 3]
    assert geo["geometry_types"] == ["LineString", "MultiPolygon", "Point", "Polygon Z"]
    assert after((result("a"), Violations.none()))["name"].to_pylist() == ["b"] * 6
    assert after((result("a"), violations()), names=("b",))["name"].to_pylist() == ["b"] * 6
    assert after(names=("a",))["name"].to_pylist() == ["a"] * 6
    layer.write_bytes(b"no parquet")
    assert after((result("a"), violations())).equals(table("a"))


@given(
    st.lists(st.text(max_size=8), min_size=1, max_size=5),
    st.lists(st.sampled_from(SHAPES), min_size=5, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_any_text_goes_into_the_table_and_comes_back(words: list[str], shapes: list[Any]) -> None:
    n = len(words)
    found = Violations.build(range(n), words, shapes[:n], keys=[((w,),) for w in words])
    made = to_table([(result(), found)], UTM)
    assert made.schema.names == SCHEMA.names
    assert made["reason"].to_pylist() == words
    assert [json.loads(k) for k in made["keys"].to_pylist()] == [[[w]] for w in words]
    wkb = made["geometry"].to_pylist()
    assert same_shapes([None if w is None else shapely.from_wkb(w) for w in wkb], shapes[:n])


def test_half_a_character_of_a_broken_source_does_not_stop_the_layer() -> None:
    found = Violations.build([0], "broken \ud800", keys=[(("\udcff",),)])
    assert to_table([(result(), found)])["reason"].to_pylist() == ["broken ?"]
