"""Small files made after public bug reports, through ``check``: each has one right verdict.

The files stand in ``cases``; each stands for a kind of fault of ingest, not for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.model.result import Result
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store.versions import Store

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One file: rules beside ``readable``, and the violations that each must have.

    Attributes:
        name: path below ``cases``.
        rules: rules of the contract.
        expected: rule → number of violations, 0 when it passes, None for any number above.
        says: a text that the message or a reason of ``readable`` holds.

    """

    name: str
    rules: tuple[Mapping[str, Any], ...]
    expected: Mapping[str, int | None]
    says: str = ""


VALID = {"rule": "valid_geometry"}
FINITE = {"rule": "finite_coordinates"}


def vector(name: str, expected: Mapping[str, int | None], says: str = "", *rules: Any) -> Case:
    return Case(f"vector/{name}", rules or (VALID,), expected, says)


def raster(name: str, expected: Mapping[str, int | None], says: str = "", *rules: Any) -> Case:
    return Case(f"raster/{name}", rules or ({"rule": "readable_pixels"},), expected, says)


PASSES = {"readable": 0}
FAILS = {"readable": None}
TWIN = {"uri": str(CASES / "raster/tw.vrt")}
ALL = [
    vector("csv-unbalanced-quote.csv", FAILS, "quote"),
    vector("csv-extra-field.csv", FAILS, "field"),
    vector("csv-decimal-comma-xy.csv", {"readable": 0, "not_empty": 0}, "", {"rule": "not_empty"}),
    vector("csv-wkt-garbage.csv", FAILS, "behind"),
    vector("csv-latin1-a.csv", {"readable": 1}, "UTF-8"),
    vector("csv-latin1-b.csv", {"readable": 1}, "UTF-8"),
    vector("geojson-big-ints.geojson", {"readable": 1}, "9007199254740993"),
    vector("geojson-crs-unknown.geojson", {"crs": 1}, "", {"rule": "crs", "equals": "EPSG:4326"}),
    vector("geojson-dates.geojson", PASSES),
    vector("geojson-infinity.geojson", {"readable": 0, "finite_coordinates": 1}, "", FINITE),
    vector("gpkg-infinity.gpkg", {"readable": 0, "finite_coordinates": 1}, "", FINITE),
    vector(
        "geojson-int-ids.geojson", {"readable": 0, "unique": 2}, "",
        {"rule": "unique", "columns": ["id"]},
    ),
    vector("geojson-not-features.geojson", FAILS, "not features"),
    vector("geojsonl-bom.geojsonl", PASSES),
    vector("geojsonl-comma.geojsonl", FAILS),
    vector("gml-writes-gfs.gml", PASSES),
    vector("gpkg-blobs-not-gpb.gpkg", {"readable": 6}),
    vector("gpkg-curves.gpkg", {"readable": 0, "valid_geometry": 0}, "2 features have curves"),
    vector("gpkg-dates.gpkg", {"readable": 5}, "is not a date"),
    vector("gpkg-stale-count.gpkg", PASSES, "gpkg_ogr_contents counts 24"),
    vector("gpkg-storage-classes.gpkg", FAILS, "is no"),
    vector("shp-dates.shp", {"readable": 3}, "is not a date"),
    vector("shp-numbers.shp", FAILS, "'12,50'"),
    vector(
        "shp-n19.shp", {"readable": 0, "unique": 0}, "", {"rule": "unique", "columns": ["oid"]}
    ),
    vector("shp-hole-outside.shp", PASSES, "winding order"),
    raster("j0.4.tif", FAILS, "Corrupt JPEG"),
    raster("ENVI.bin", FAILS, "promises 40000 bytes"),
    raster("mp.tif", PASSES, "named by layer: 2"),
    raster("mp3.tif", PASSES, "page 2, which is not read, is damaged"),
    raster("ovr_deflate_NONE.tif", PASSES),
    raster("imd.tif", {"readable": 0, "staged_matches_source": 0}),
    raster("i64_9223372036854775807.tif", {"readable": 0, "readable_pixels": 0}),
    raster("g_nan.tif", FAILS, "not finite"),
    raster("AAIGrid.asc", FAILS),
    raster("bomb_1.tif", FAILS, "SPATIAL_MAX_PIXELS_PER_BYTE"),
    raster("cut0.6.png", FAILS, "damaged"),
    raster("z3.tif", FAILS, "damaged"),
    raster(
        "gt.tif", {"grid_alignment": 0}, "",
        {"rule": "grid_alignment", "origin": [0, 0], "resolution": 10, "tolerance": 0.01},
    ),
    raster("stale.tif", PASSES),
    raster(
        "p1.tif", {"grid_alignment": 0, "same_pixels_as": 0}, "",
        {"rule": "grid_alignment", "other": TWIN}, {"rule": "same_pixels_as", "other": TWIN},
    ),
]  # fmt: skip


def checked(case: Case, folder: Path) -> dict[str, Result]:
    model = VectorContract if case.name.startswith("vector") else RasterContract
    contract = model.model_validate(
        {"name": "x", "source": {"uri": str(CASES / case.name)}, "rules": list(case.rules)}
    )
    pipeline = Pipeline({"x": contract}, Store(folder / "store"))
    version = pipeline.stage(contract)
    results = asyncio.run(pipeline.audit(contract, version)).results
    return {r.name: r for r in results}


@pytest.mark.parametrize("case", ALL, ids=lambda c: c.name)
def test_the_verdict_is_right(case: Case, tmp_path: Path) -> None:
    before = {f: f.read_bytes() for f in sorted((CASES / case.name).parent.iterdir())}
    results = checked(case, tmp_path)
    for name, violations in case.expected.items():
        result = results[name]
        if violations is None:
            assert not result.passed
        else:
            assert (result.violations, result.passed) == (violations, violations == 0), result
    said = [results["readable"].message, *(s.reason for s in results["readable"].sample)]
    assert case.says in " ".join(said)
    assert before == {f: f.read_bytes() for f in sorted((CASES / case.name).parent.iterdir())}


def test_every_file_has_a_verdict() -> None:
    families = {Path(c.name).stem for c in ALL}
    open_ones = {"bands", "n1", "tw", "ENVI", "imd", "ovr_deflate_NONE.tif"}
    found = {f.stem for f in CASES.rglob("*.*") if f.is_file()}
    assert found <= families | open_ones
