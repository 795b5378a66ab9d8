from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.ingest.conformance import geojson
from spatial_pipeline_tests.ingest.sources import staged_vector

RING = [[0, 0], [2, 0], [2, 1], [0, 0]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}


def text(geometry: Any = POLYGON, feature: Any = None, **members: Any) -> str:
    one = {"type": "Feature", "geometry": geometry, "properties": {"a": 1}, **(feature or {})}
    one = {k: v for k, v in one.items() if v is not ...}
    return json.dumps({"type": "FeatureCollection", **members, "features": [one]})


def codes(content: str, folder: Path) -> set[str]:
    path = folder / "a.geojson"
    path.write_text(content)
    profile, _ = staged_vector(path, folder / "s")
    assert profile.conformance is not None
    return {f.code for f in profile.conformance.findings}


POINT = {"type": "Point", "coordinates": [1, 2]}
LINE = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}


def collection(*parts: Any) -> dict[str, Any]:
    return {"type": "GeometryCollection", "geometries": list(parts)}


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


GOOD = [
    text(), text(feature={"id": "a", "bbox": [0, 0, 2, 1]}), text(bbox=[170, -1, -170, 1]),
    text({"type": "Point", "coordinates": [1, 2, 3]}), text(None), text(title="x"),
    text(collection(POINT, POLYGON)), text({**POLYGON, "bbox": [0, 0, 2, 1]}),
    text(feature={"extra": {"crs": 1, "bbox": 2}, "properties": {"features": 1, "crs": 2}}),
    text({"type": "MultiPoint", "coordinates": []}), text(polygon()),
    text(polygon([[*p, 5] for p in RING])), text(bbox=[0.0000004, 0, 2, 1]), text(LINE),
]  # fmt: skip
NESTED = {
    "type": "GeometryCollection",
    "geometries": [{"type": "GeometryCollection", "geometries": []}],
}
BROKEN = [
    ("RFC 7946 2", text()[:-9]),
    ("RFC 7946 3.1", text({"type": "Point", "coordinates": ["x", 2]})),
    ("RFC 7946 3.1.1", text({"type": "Point", "coordinates": [1, 2, 3, 4]})),
    ("RFC 7946 3.1.6", text({"type": "Polygon", "coordinates": [RING[::-1]]})),
    ("RFC 7946 3.1.6", text({"type": "Polygon", "coordinates": [RING[:3]]})),
    ("RFC 7946 3.1.6", text({"type": "Polygon", "coordinates": [[*RING[:3], [9, 9]]]})),
    ("RFC 7946 3.1.6", text(polygon([]))),
    ("RFC 7946 3.1.6", text(polygon([[0, 0], [1, 1], [0, 0]]))),
    ("RFC 7946 3.1.6", text(polygon([[0, 0, 1], [2, 0, 1], [2, 1, 1], [0, 0, 2]]))),
    ("RFC 7946 3.1.6", text(collection(POINT, polygon(RING[:3])))),
    ("RFC 7946 3.1.6", text(collection(POINT, polygon(RING[::-1])))),
    ("RFC 7946 3.1.4", text({"type": "LineString", "coordinates": [[1, 2]]})),
    ("RFC 7946 3.1.4", text({"type": "MultiLineString", "coordinates": [[[1, 2]]]})),
    ("RFC 7946 3.1.4", text(collection(POINT, {"type": "LineString", "coordinates": [[1, 2]]}))),
    ("RFC 7946 3.1.8", text(NESTED)), ("RFC 7946 3.1.8", text(collection(POINT))),
    ("RFC 7946 3.1.8", text(collection(POINT, POINT))),
    ("RFC 7946 3.2", text(feature={"properties": ...})),
    ("RFC 7946 3.2", text(feature={"id": [1]})),
    ("RFC 7946 3.2", text(feature={"properties": [1]})),
    ("RFC 7946 3.2", text(feature={"properties": "x"})),
    ("RFC 7946 3.3", text().replace('"features": [', '"features": [null, ')),
    ("RFC 7946 3.3", text().replace('"features": [', f'"features": [{json.dumps(POINT)}, ')),
    ("RFC 7946 2", json.dumps({"geometryType": "esriGeometryPoint", "features": []})),
    ("RFC 7946 4", text(feature={"crs": {}})), ("RFC 7946 4", text({**POINT, "crs": {}})),
    ("RFC 7946 4", text(crs={"type": "name", "properties": {"name": "EPSG:4326"}})),
    ("RFC 7946 4", text({"type": "Point", "coordinates": [500000, 4600000]})),
    ("RFC 7946 5", text(bbox=[1, 2, 3])), ("RFC 7946 5", text(feature={"bbox": [0, 9, 2, 1]})),
    ("RFC 7946 5", text(bbox=[5, 0, 6, 1])), ("RFC 7946 5", text(feature={"bbox": [0, 0, 1, 1]})),
    ("RFC 7946 5", text({**POINT, "bbox": [1, 2, 3]})), ("RFC 7946 5", text(bbox=[0, 0, 2, 0.5])),
    ("RFC 7946 7.1", text({**POINT, "properties": {}})),
    ("RFC 7946 7.1", text(collection(POLYGON, {**POINT, "features": []}))),
    ("RFC 7946 7.1", text(properties={})), ("RFC 7946 7.1", text(feature={"coordinates": []})),
    ("RFC 8259 8.1", "\ufeff" + text()),
    ("RFC 8259 6", text({"type": "Point", "coordinates": [float("nan"), 2]})),
    ("RFC 8259 6", text(feature={"properties": {"a": float("inf")}})),
]  # fmt: skip


@pytest.mark.parametrize("content", GOOD)
def test_a_good_text_has_no_finding(content: str, tmp_path: Path) -> None:
    assert codes(content, tmp_path) == set()


@pytest.mark.parametrize(("code", "content"), BROKEN)
def test_a_broken_text_is_found_by_its_section(code: str, content: str, tmp_path: Path) -> None:
    assert code in codes(content, tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_text_that_is_not_utf_8_is_named(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(text().encode(encoding))
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.error is not None
    assert "it is UTF-16, not UTF-8" in profile.error
    assert profile.conformance is not None
    assert "RFC 8259 8.1" in {f.code for f in profile.conformance.findings}


def test_the_bbox_of_a_collection_is_what_it_declares(tmp_path: Path) -> None:
    for name, box, declared in (
        ("a", [0, 0, 2, 1], (0, 0, 2, 1)),
        ("b", [0, 0, -9, 2, 1, 9], (0, 0, 2, 1)),
        ("c", [170, 0, -170, 1], None),
        ("d", "x", None),
    ):
        path = tmp_path / f"{name}.geojson"
        path.write_text(text(bbox=box))
        profile, _ = staged_vector(path, tmp_path / name)
        assert profile.declared_bounds == declared


def test_every_requirement_is_broken_by_a_text() -> None:
    assert {c for c, _ in BROKEN} == {c for codes in geojson.REQUIREMENTS.values() for c in codes}
