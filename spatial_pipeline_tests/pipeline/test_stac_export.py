"""The STAC item beside a published version: valid, relative, and no concern of readers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from pydantic import SecretStr
from pystac.validation.stac_validator import JsonSchemaSTACValidator

import spatial_pipeline
from spatial_pipeline.contract.models import RasterContract
from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.prune import prune
from spatial_pipeline.store.stac_items import ITEM
from spatial_pipeline.store.verify import verify
from spatial_pipeline_tests.ingest.tables import Database, database
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project

__all__ = ["database"]

MORE = [*GOOD, [3, 3]]
YEAR_S = 366 * 86_400.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """``points``, published once."""
    project = Project(tmp_path)
    deliver(project, GOOD)
    return project


def deliver(project: Project, points: list[Any]) -> Version:
    project.supply(points)
    return staged(project.pipeline, project.contract)


def staged(pipeline: Pipeline, contract: Any) -> Version:
    version = pipeline.stage(contract)
    asyncio.run(pipeline.audit(contract, version))
    asyncio.run(pipeline.apublish(contract, version))
    return version


def beside(project: Project, version: Version | None = None) -> Path:
    """The item of a version; of the published one unless given."""
    store = project.pipeline.store
    return store.path(version or store.published_version("points", None)) / ITEM


def opened(path: Path) -> pystac.Item:
    """An item as a catalogue reads it, after the core schema accepted it."""
    item = pystac.Item.from_file(str(path))
    value = json.loads(path.read_bytes())
    validator = JsonSchemaSTACValidator()
    validator.validate_core(value, pystac.STACObjectType.ITEM, pystac.get_stac_version())
    return item


def test_a_published_version_has_a_valid_item_beside_its_data(project: Project) -> None:
    item = opened(beside(project))
    version = project.pipeline.store.published_version("points", None)
    assert (item.id, item.bbox) == (f"points-{version.id}", [0, 0, 2, 2])
    asset = item.assets["data"]
    assert asset.href == "./data.parquet"
    data = Path(str(asset.get_absolute_href()))
    assert data == project.pipeline.store.data_path(version)
    assert asset.extra_fields["file:size"] == data.stat().st_size
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert asset.extra_fields["file:checksum"] == f"1220{digest}"
    publication = project.pipeline.store.published("points", None)
    assert publication is not None
    assert item.properties["datetime"] == publication.published_at.replace("+00:00", "Z")
    assert item.properties["spatial_pipeline:passed"]


def test_an_item_moves_with_its_version(project: Project, tmp_path: Path) -> None:
    moved = beside(project).parent.rename(tmp_path / "served elsewhere")
    href = opened(moved / ITEM).assets["data"].get_absolute_href()
    assert Path(str(href)).is_relative_to(moved)


def test_a_raster_has_one(tmp_path: Path) -> None:
    grid = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "uint8"}
    place = {"crs": "EPSG:32633", "transform": Affine(10, 0, 5e5, 0, -10, 5.5e6)}
    with rasterio.open(tmp_path / "dem.tif", "w", **grid, **place) as out:
        out.write(np.arange(12, dtype="uint8").reshape(1, 3, 4))
    contract = RasterContract.model_validate(
        {"name": "dem", "source": {"uri": str(tmp_path / "dem.tif")}, "rules": []}
    )
    pipeline = Pipeline.of([contract], Settings(store=tmp_path / "store"))
    item = opened(pipeline.store.path(staged(pipeline, contract)) / ITEM)
    assert item.assets["data"].href == "./data.tif"
    assert item.properties["proj:shape"] == [3, 4]


def test_a_version_that_is_published_to_a_table_has_one(database: Database, tmp_path: Path) -> None:
    project = Project(tmp_path, publish={"table": "public.points"})
    project.supply(GOOD)
    settings = Settings(store=tmp_path / "store", database_url=SecretStr(database.uri))
    version = staged(Pipeline.of([project.contract], settings), project.contract)
    assert opened(beside(project, version)).assets["data"].href == "./data.parquet"


def test_a_held_version_has_none_and_the_last_good_one_keeps_its_own(project: Project) -> None:
    before = beside(project).read_bytes()
    with pytest.raises(GateClosedError):
        deliver(project, BAD)
    held = project.pipeline.store.staged_version("points", None)
    assert not beside(project, held).exists()
    assert beside(project).read_bytes() == before


def test_a_withdrawn_version_loses_its_item(project: Project) -> None:
    first = project.pipeline.store.published_version("points", None)
    second = deliver(project, MORE)
    assert beside(project, second).exists()
    assert beside(project, first).exists()
    asyncio.run(project.pipeline.roll_back(project.contract))
    assert not beside(project, second).exists()
    assert opened(beside(project)).id == f"points-{first.id}"


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"properties": 3}', None])
def test_the_next_publication_writes_a_lost_or_damaged_item(
    project: Project, damage: str | None
) -> None:
    path = beside(project)
    whole = opened(path)
    path.unlink()
    if damage is not None:
        path.write_text(damage)
        (defect,) = verify(project.pipeline.store, "points", None)
        assert (defect.problem, defect.harms) == ("item.json is damaged", False)
    deliver(project, GOOD)
    assert opened(path).assets["data"].to_dict() == whole.assets["data"].to_dict()
    assert verify(project.pipeline.store, "points", None) == []


def test_an_item_of_other_data_is_named(project: Project) -> None:
    path = beside(project)
    other = beside(project, deliver(project, MORE))
    path.write_bytes(other.read_bytes())
    (defect,) = verify(project.pipeline.store, "points", None)
    assert (defect.problem, defect.harms) == ("item.json describes other data", False)


def test_readers_do_not_need_it(project: Project) -> None:
    store = project.pipeline.store.root
    with_item = spatial_pipeline.read("points", store=store)
    beside(project).write_text("{")
    assert spatial_pipeline.read("points", store=store).equals(with_item)


def test_an_item_neither_ages_a_version_nor_outlives_it(project: Project) -> None:
    first = project.pipeline.store.published_version("points", None)
    folder = project.pipeline.store.path(first)
    deliver(project, MORE)
    os.utime(folder, (0, 0))
    beside(project, first).unlink()
    os.utime(folder, (0, 0))
    asyncio.run(project.pipeline.roll_back(project.contract, to=first.id))
    assert beside(project, first).exists()
    assert folder.stat().st_mtime == 0
    store = project.pipeline.store
    (newest,) = (v for v in store.versions("points", None) if v.id != first.id)
    deliver(project, [[9, 9]])
    now = folder.parent.stat().st_mtime + YEAR_S
    prune(store, "points", None, Retention(keep=1, days=1), now)
    assert not store.path(newest).exists()


def test_an_item_that_cannot_be_written_is_a_warning(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    version = project.pipeline.store.published_version("points", None)
    beside(project).unlink()
    beside(project).mkdir()
    with caplog.at_level(logging.WARNING, "spatial_pipeline"):
        assert deliver(project, GOOD) == version
    assert f"{version} is published, but its STAC item cannot be written" in caplog.text
