"""Bytes of a run that are known without reading."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.pipeline.work_size import work_bytes
from spatial_pipeline.store.versions import Store

BEYOND = 3_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.geojson").write_bytes(b"x" * 1_000)
    (tmp_path / "b.geojson").write_bytes(b"x" * 500)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + b"x" * 96)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.geojson", b"x" * BEYOND)
    return tmp_path


def size(folder: Path, uri: str, *rules: dict[str, Any]) -> int | None:
    path = str(folder / uri) if ":" not in uri else uri
    contract = VectorContract.model_validate(
        {"name": "a", "source": {"uri": path}, "rules": rules or [{"rule": "not_empty"}]}
    )
    return work_bytes(contract, None, Store(folder / "store"))


def test_files_have_the_size_that_they_have(folder: Path) -> None:
    assert size(folder, "a.geojson") == 1_000
    assert size(folder, "missing.geojson") == 0


def test_an_archive_counts_as_it_is_unpacked(folder: Path) -> None:
    assert (folder / "a.zip").stat().st_size < BEYOND
    assert size(folder, "a.zip") == BEYOND


@pytest.mark.parametrize("uri", ["https://example.org/a.gpkg", "postgresql://h/d?table=gis.a"])
def test_what_is_elsewhere_has_no_size(folder: Path, uri: str) -> None:
    assert size(folder, uri) is None
    compared = {"rule": "same_features_as", "other": {"uri": uri}}
    assert size(folder, "a.geojson", compared) is None


def test_other_data_and_areas_count_too(folder: Path) -> None:
    other = {"rule": "same_features_as", "other": {"uri": str(folder / "b.geojson")}}
    assert size(folder, "a.geojson", other) == 1_500
    areas = {"rule": "not_empty", "except": {"uri": str(folder / "b.geojson")}}
    assert size(folder, "a.geojson", areas) == 1_500
    unpublished = {"rule": "must_be_covered_by", "other": {"dataset": "b"}}
    assert size(folder, "a.geojson", unpublished) == 1_000


def test_pixels_are_not_known_before_a_version_is_staged(folder: Path) -> None:
    contract = RasterContract.model_validate(
        {
            "name": "a",
            "source": {"uri": str(folder / "a.tif")},
            "rules": [{"rule": "readable_pixels"}],
        }
    )
    assert work_bytes(contract, None, Store(folder / "store")) is None
