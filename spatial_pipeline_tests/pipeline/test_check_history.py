"""A check that recalls an earlier version of the store, and what it does where it cannot."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from spatial_pipeline.check.base import check_class
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.validity import ValidGeometry
from spatial_pipeline.distributed import worker
from spatial_pipeline.model.hashing import geometry_hash
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline import check_history
from spatial_pipeline.pipeline.pipeline import Audit, Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline.store import check_cache

RULES: list[dict[str, Any]] = [
    {"rule": "valid_geometry", "max_violations": 9},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_have_gaps"},
]
COUNT = 100


class Layer:
    """A dataset of square cells in a store of its own."""

    def __init__(self, folder: Path, rules: list[dict[str, Any]] = RULES) -> None:
        self.folder = folder
        self.cells = [shapely.box(i % 10, i // 10, i % 10 + 1, i // 10 + 1) for i in range(COUNT)]
        self.numbered: dict[int, int] = {}
        self.crs = "EPSG:32633"
        self.contract = self.ruled(rules)

    def ruled(self, rules: list[dict[str, Any]]) -> VectorContract:
        source = {"uri": str(self.folder / "cells.parquet")}
        return VectorContract.model_validate({"name": "cells", "source": source, "rules": rules})

    def pipeline(self, **settings: Any) -> Pipeline:
        return Pipeline.of([self.contract], Settings(store=self.folder / "store", **settings))

    def staged(self) -> Version:
        ids = [self.numbered.get(i, i) for i in range(len(self.cells))]
        frame = geopandas.GeoDataFrame({"id": ids}, geometry=self.cells, crs=self.crs)
        frame.to_parquet(self.folder / "cells.parquet")
        return self.pipeline().stage(self.contract)

    def audited(self, version: Version | None = None, **settings: Any) -> Audit:
        version = version or self.staged()
        return asyncio.run(self.pipeline(**settings).audit(self.contract, version))

    def path(self, version: Version) -> Path:
        return self.pipeline().store.path(version)


def check_of(model: type[Rule]) -> type[Any]:
    catalogue.load()
    return check_class(model, "vector")


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    return Layer(tmp_path)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of features that valid_geometry gets to see."""
    found: list[int] = []
    check: Any = check_of(ValidGeometry)
    plain = check.judge

    def judge(self: Any, batch: Any) -> Any:
        found.append(len(batch))
        return plain(self, batch)

    monkeypatch.setattr(check, "judge", judge)
    return found


def said(audit: Audit) -> list[Any]:
    return [replace(r, elapsed_s=0.0) for r in audit.results]


def bow_tie() -> shapely.Polygon:
    return shapely.Polygon([(3, 3), (4, 4), (4, 3), (3, 4)])


def test_the_next_version_is_checked_where_it_changed(layer: Layer, seen: list[int]) -> None:
    layer.audited()
    assert sum(seen) == COUNT
    seen.clear()
    layer.cells[33] = bow_tie()
    version = layer.staged()
    recalling = layer.audited(version)
    assert sum(seen) == 1
    violations = (layer.path(version) / "violations.parquet").read_bytes()
    everything = layer.audited(version, incremental=False)
    assert sum(seen) == 1 + COUNT
    assert said(recalling) == said(everything)
    assert violations == (layer.path(version) / "violations.parquet").read_bytes()
    assert [r.violations for r in recalling.results[2:]] == [1, 0, 0, 1]


def test_a_version_that_was_held_is_recalled_too(layer: Layer, seen: list[int]) -> None:
    layer.cells[50] = layer.cells[51]
    held = layer.audited()
    assert not held.verdict.passed
    seen.clear()
    layer.cells[50] = shapely.box(0, 5, 1, 6)
    assert layer.audited().verdict.passed
    assert sum(seen) == 1


def test_the_same_version_again_costs_what_was_remarkable(layer: Layer, seen: list[int]) -> None:
    layer.cells[33] = bow_tie()
    version = layer.staged()
    first = layer.audited(version)
    seen.clear()
    assert said(layer.audited(version)) == said(first)
    assert sum(seen) == 1


def test_rows_in_another_order_are_known_again(layer: Layer, seen: list[int]) -> None:
    layer.cells[33] = bow_tie()
    layer.audited()
    seen.clear()
    layer.cells.reverse()
    audit = layer.audited()
    assert sum(seen) == 1
    assert audit.results[2].sample[0].keys == ((COUNT - 1 - 33,),)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (Path.unlink, "valid_geometry.npz"),
        (cut_short, "valid_geometry.npz"),
        (flipped, "valid_geometry.npz"),
        (Path.unlink, geometry_hash.FILE),
        (cut_short, geometry_hash.FILE),
    ],
)
def test_what_is_missing_or_damaged_is_as_if_it_had_never_been(
    layer: Layer, seen: list[int], damage: Callable[[Path], None], name: str
) -> None:
    first = layer.staged()
    layer.audited(first)
    seen.clear()
    folder = layer.path(first)
    file = folder / name if name == geometry_hash.FILE else folder / check_cache.FOLDER / name
    damage(file)
    layer.cells[33] = bow_tie()
    version = layer.staged()
    recalling = layer.audited(version)
    assert sum(seen) == COUNT
    assert said(recalling) == said(layer.audited(version, incremental=False))


@pytest.mark.parametrize("damage", [Path.unlink, cut_short])
@pytest.mark.parametrize("name", ["data.parquet", "profile.json"])
def test_an_earlier_version_that_is_damaged_is_not_recalled(
    layer: Layer, seen: list[int], damage: Callable[[Path], None], name: str
) -> None:
    first = layer.staged()
    layer.audited(first)
    seen.clear()
    damage(layer.path(first) / name)
    layer.cells[33] = bow_tie()
    assert layer.audited().results[2].violations == 1
    assert sum(seen) == COUNT


@pytest.mark.parametrize("missing", ["extra_edges", "classes"])
def test_half_of_a_memory_is_none(layer: Layer, missing: str) -> None:
    first = layer.staged()
    layer.audited(first)
    file = layer.path(first) / check_cache.FOLDER / "must_not_have_gaps.npz"
    with np.load(file) as stored:
        arrays = {name: stored[name] for name in stored.files if name != missing}
    np.savez(file, **arrays)
    layer.cells.pop(44)
    version = layer.staged()
    recalling = layer.audited(version)
    assert recalling.results[-1].violations == 1
    assert said(recalling) == said(layer.audited(version, incremental=False))


def test_a_store_that_cannot_be_written_forgets(
    layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    version = layer.staged()
    monkeypatch.setattr(np, "savez", full)
    assert layer.audited(version).verdict.passed
    assert not list((layer.path(version) / check_cache.FOLDER).iterdir())


def test_other_code_asks_anew(
    layer: Layer, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer.audited()
    seen.clear()
    other = {**worker.feature_versions(), "GEOS": "4.0"}
    monkeypatch.setattr(check_history, "feature_versions", lambda: other)
    layer.cells[33] = bow_tie()
    layer.audited()
    assert sum(seen) == COUNT


def test_another_crs_asks_anew(layer: Layer, seen: list[int]) -> None:
    layer.audited()
    seen.clear()
    layer.crs = "EPSG:32632"
    layer.audited()
    assert sum(seen) == COUNT


def test_nothing_is_kept_when_it_is_switched_off(layer: Layer) -> None:
    version = layer.staged()
    layer.audited(version, incremental=False)
    assert not (layer.path(version) / check_cache.FOLDER).exists()


def test_a_version_staged_before_identities_is_checked_whole(layer: Layer, seen: list[int]) -> None:
    version = layer.staged()
    (layer.path(version) / geometry_hash.FILE).unlink()
    assert layer.audited(version).verdict.passed
    assert layer.audited(version).verdict.passed
    assert sum(seen) == 2 * COUNT


def test_identities_are_those_of_the_staged_order(layer: Layer) -> None:
    layer.cells[7] = None
    version = layer.staged()
    data = layer.pipeline().store.open(version)
    stored = check_cache.identities(layer.path(version), COUNT)
    assert stored is not None
    wkb = data.take(np.arange(COUNT), ()).wkb
    assert np.array_equal(stored, geometry_hash.identities(wkb))
    assert check_cache.identities(layer.path(version), COUNT + 1) is None


def test_partitions_do_not_share_what_they_know(layer: Layer) -> None:
    version = layer.staged()
    layer.audited(version)
    folder = layer.path(version)
    store = layer.pipeline().store
    other = Version("cells", "north", version.id)
    shutil.copytree(folder, store.path(other))
    shutil.rmtree(store.path(other) / check_cache.FOLDER)
    history = check_history.earlier(store, other, store.open(other))
    assert history is not None
    assert history.recall("valid_geometry", "anything", None) is None
