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


GOOD = [
    text(), text(feature={"id": "a", "bbox": [0, 0, 2, 1]}), text(bbox=[170, -1, -170, 1]),
    text({"type": "Point", "coordinates": [1, 2, 3]}), text(None), text(title="x"),
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
    ("RFC 7946 3.1.8", text(NESTED)),
    ("RFC 7946 3.2", text(feature={"properties": ...})),
    ("RFC 7946 3.2", text(feature={"id": [1]})),
    ("RFC 7946 4", text(crs={"type": "name", "properties": {"name": "EPSG:4326"}})),
    ("RFC 7946 4", text({"type": "Point", "coordinates": [500000, 4600000]})),
    ("RFC 7946 5", text(bbox=[1, 2, 3])), ("RFC 7946 5", text(feature={"bbox": [0, 9, 2, 1]})),
    ("RFC 7946 7.1", text(properties={})), ("RFC 7946 7.1", text(feature={"coordinates": []})),
    ("RFC 8259 8.1", "\ufeff" + text()),
]  # fmt: skip


@pytest.mark.parametrize("content", GOOD)
def test_a_good_text_has_no_finding(content: str, tmp_path: Path) -> None:
    assert codes(content, tmp_path) == set()


@pytest.mark.parametrize(("code", "content"), BROKEN)
def test_a_broken_text_is_found_by_its_section(code: str, content: str, tmp_path: Path) -> None:
    assert code in codes(content, tmp_path)


def test_every_requirement_is_broken_by_a_text() -> None:
    assert {c for c, _ in BROKEN} == {c for codes in geojson.REQUIREMENTS.values() for c in codes}
