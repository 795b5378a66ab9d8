"""Geometries of a GeoJSON text that GDAL reads as null."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import geojson
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector, write_geojson

POINT = {"type": "Point", "coordinates": [1, 2]}
NOT_UNDERSTOOD = [
    {"type": "Point", "coordinates": ["a", 2]},
    {"type": "Pont", "coordinates": [1, 2]},
    {"type": "Polygon", "coordinates": [[1, 2]]},
    {"type": "LineString"},
    "POINT (1 2)",
]


@pytest.mark.parametrize("bad", NOT_UNDERSTOOD)
def test_a_geometry_that_is_not_understood_is_no_null(tmp_path: Path, bad: Any) -> None:
    path = write_geojson(tmp_path / "a.geojson", [POINT, bad, None, POINT])
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.undecodable == (1,)
    assert [g is None for g in geometries(profile, table)] == [False, True, True, False]


def test_the_condition_decides_who_counts(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [NOT_UNDERSTOOD[0]] * 4)
    profile, _ = staged_vector(path, tmp_path / "s", where="id > 1")
    assert profile.undecodable == (2, 3)


def test_in_an_archive(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [POINT, NOT_UNDERSTOOD[0]])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.geojson")
    assert staged_vector(tmp_path / "a.zip", tmp_path / "s")[0].undecodable == (1,)


def test_a_sequence(tmp_path: Path) -> None:
    lines = [
        json.dumps({"type": "Feature", "properties": {"id": i}, "geometry": g})
        for i, g in enumerate([POINT, NOT_UNDERSTOOD[1], POINT])
    ]
    (tmp_path / "a.geojsonl").write_text("\n".join(lines))
    assert staged_vector(tmp_path / "a.geojsonl", tmp_path / "s")[0].undecodable == (1,)


@pytest.mark.parametrize("keep", [0.5, 0.999])
def test_a_text_that_was_cut(tmp_path: Path, keep: float) -> None:
    path = write_geojson(tmp_path / "a.geojson", [POINT] * 200)
    text = path.read_text()
    path.write_text(text[: int(len(text) * keep)])
    profile, table = staged_vector(path, tmp_path / "s")
    assert str(profile.error).startswith("a.geojson: Failed to read GeoJSON data")
    assert table.num_rows == 0


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [POINT, POINT])
    path.write_bytes(path.read_bytes().replace(b'"id": 1', b'"id": "caf\xe9"'))
    profile, table = staged_vector(path, tmp_path / "s")
    assert table["id"].to_pylist() == ["0", None]
    assert [(d.row, d.column, d.reason) for d in profile.defects] == [(1, "id", "is not UTF-8")]


def test_no_text_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.geojson").write_text("not json")
    profile, _ = staged_vector(tmp_path / "a.geojson", tmp_path / "s")
    assert profile.error == "'a.geojson' not recognized as being in a supported file format"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
OTHER_KEYS = st.text(max_size=5).filter(lambda k: k != "features")


@given(
    st.lists(VALUES, max_size=6),
    st.dictionaries(OTHER_KEYS, VALUES, max_size=3),
    st.dictionaries(OTHER_KEYS, VALUES, max_size=3),
    st.integers(3, 60),
    st.sampled_from([None, 2]),
)
@settings(deadline=None, max_examples=30)
def test_features_are_those_of_the_whole_text(
    features: list[Any], before: dict[str, Any], after: dict[str, Any], chunk: int, indent: Any
) -> None:
    text = json.dumps({**before, "features": features, **after}, indent=indent)
    expected = json.loads(text)["features"]

    class Slow(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            return super().read(chunk)

    assert list(geojson.features(Slow(text))) == expected


@pytest.mark.parametrize(
    "text", ["[1, 2", '{"features": [1, 2', '{"features" 1}', '{"features": [{"a": }]}', "]"]
)
def test_what_is_not_well_formed(text: str) -> None:
    with pytest.raises(SourceError):
        list(geojson.features(io.StringIO(text)))


def test_a_feature_alone() -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": POINT}
    assert list(geojson.features(io.StringIO(json.dumps(feature)))) == [feature]
    assert geojson.rows_with_geometry(io.StringIO(json.dumps(feature)), {0}) == [0]
