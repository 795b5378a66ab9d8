"""GeoJSON texts: every value as it stands there, or named."""

from __future__ import annotations

import io
import json
import zipfile
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats import geojson_text
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
    assert profile.error == "a.geojson: the text ends before its features do"
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
    assert profile.error == "a.geojson: it is not GeoJSON: it does not start with an object"


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
    expected = json.loads(text)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(chunk if size == geojson_text.BLOCK_BYTES else size)

    assume(set(before).isdisjoint(after))
    read = geojson_text.opened(Slow(text.encode()))
    assert list(chain.from_iterable(read.blocks())) == expected.pop("features")
    assert list(chain.from_iterable(read.again())) == features
    assert read.members == expected


@given(st.lists(st.dictionaries(OTHER_KEYS, VALUES, max_size=3), max_size=6), st.integers(3, 60))
@settings(deadline=None, max_examples=30)
def test_elements_are_those_of_the_whole_sequence(elements: list[Any], chunk: int) -> None:
    text = "\x1e".join(json.dumps(e) + "\n" for e in elements)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(chunk)

    read = geojson_text.GeoJsonText(Slow(text.encode()))
    assert list(chain.from_iterable(read.blocks())) == elements
    assert list(chain.from_iterable(read.again())) == elements


@pytest.mark.parametrize(
    "text", ["[1, 2", '{"features": [1, 2', '{"features" 1}', '{"features": [{"a": }]}', "]",
             '{"features": [1,]}', '{"features": [,1]}', '{"features": [1]', '{"features": [1]}}',
             '{"features": [1} ', '{"features": [1]}{', '{"a": 1, "a": 2, "features": []}',
             '{"features": [], "features": []}', '{"features": [{"a": 1, "a": 2}]}',
             '{"features": [{"a": "\\"}]}', '{"a": 1},{"a": 2}', '{"a": 1} x', '{"a": 1']
)  # fmt: skip
def test_what_is_not_well_formed(text: str) -> None:
    with pytest.raises(SourceError):
        list(geojson_text.opened(io.BytesIO(text.encode())).blocks())


def test_a_feature_alone() -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": POINT}
    read = geojson_text.opened(io.BytesIO(json.dumps(feature).encode()))
    assert list(read.blocks()) == [[feature]]


def test_whole_numbers_are_exact(tmp_path: Path) -> None:
    values = [2**63 - 1, -(2**63), 2**64, -(2**63) - 1, 2**70, None]
    features = [{"type": "Feature", "properties": {"n": v}, "geometry": None} for v in values]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "a.geojson").write_text(text)
    profile, table = staged_vector(tmp_path / "a.geojson", tmp_path / "s")
    assert table["n"].to_pylist() == [2**63 - 1, -(2**63), None, None, None, None]
    assert [(d.row, d.text) for d in profile.defects] == [
        (2, str(2**64)), (3, str(-(2**63) - 1)), (4, str(2**70))
    ]  # fmt: skip


def test_an_id_beside_a_property_of_that_name(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "id": i, "properties": {"id": "a"}, "geometry": None} for i in (1, 2)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / "a.geojson").write_text(text)
    _, table = staged_vector(tmp_path / "a.geojson", tmp_path / "s")
    assert table["id"].to_pylist() == ["a", "a"]
    assert table["id_1"].to_pylist() == [1, 2]
