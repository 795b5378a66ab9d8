from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest.conformance import flatgeobuf
from spatial_pipeline.ingest.integrity import flatgeobuf as integrity
from spatial_pipeline_tests.ingest.sources import staged_vector


def written(path: Path, **options: Any) -> Path:
    pyogrio.raw.write(
        str(path), geometry=np.array(shapely.to_wkb([shapely.box(0, 0, 2, 1)] * 3), dtype=object),
        geometry_type="Polygon", crs=options.pop("crs", "EPSG:32633"), field_data=[np.arange(3)],
        fields=["a"], **options,
    )  # fmt: skip
    return path


def codes(path: Path, folder: Path) -> set[str]:
    profile, _ = staged_vector(path, folder)
    assert profile.conformance is not None
    return {f.code for f in profile.conformance.findings}


def test_a_good_file_has_no_finding(tmp_path: Path) -> None:
    assert codes(written(tmp_path / "a.fgb"), tmp_path / "s") == set()


def test_what_a_writer_left_out_is_recommended(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fgb", layer_options={"SPATIAL_INDEX": "NO"})
    assert codes(path, tmp_path / "s") == {"index_node_size"}
    profile, _ = staged_vector(path, tmp_path / "t")
    assert profile.conformance is not None
    assert all(f.recommended for f in profile.conformance.findings)


def test_magic_and_header(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fgb")
    raw = bytearray(path.read_bytes())
    raw[3] = 9
    path.write_bytes(raw)
    assert codes(path, tmp_path / "s") == {"magic"}
    path.write_bytes(written(tmp_path / "b.fgb").read_bytes()[:20])
    assert "header" in codes(path, tmp_path / "t")


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("envelope", {"envelope": (0.0, 0.0, 1.0, 1.0)}), ("envelope", {"envelope": (0.0, 1.0)}),
    ("geometry_type", {"geometry_type": 1}), ("geometry_type", {"geometry_type": 99}),
    ("columns", {"columns": (("a", 99),)}), ("columns", {"columns": (("a", 1), ("a", 1))}),
    ("features_count", {"features": 0}), ("index_node_size", {"node_size": 0}),
    ("crs", {"has_crs": False}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "change"), CHANGES)
def test_a_header_that_is_wrong_is_found_by_its_field(
    code: str, change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.fgb")
    header = integrity.header_of(path)
    assert header is not None
    wrong = dataclasses.replace(header, **change)
    monkeypatch.setattr(integrity, "header_of", lambda _file: wrong)
    found = flatgeobuf.judge(path)
    flatgeobuf.compare(found, path, frozenset({"Polygon"}), (0, 0, 2, 1))
    assert {f.code for f in found.evidence().findings} == {code}


def test_z_that_is_not_declared(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fgb")
    found = flatgeobuf.judge(path)
    flatgeobuf.compare(found, path, frozenset({"Polygon Z"}), None)
    assert {f.code for f in found.evidence().findings} == {"has_z"}
