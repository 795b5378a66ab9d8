"""What profile prints is a contract, and the source passes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.pipeline.contract_inference import rounded_out
from spatial_pipeline_tests.ingest.sources import ramp, write_raster

DEFS = Path(__file__).parents[2] / "spatial_pipeline/defs"


def sources() -> list[tuple[str, str | None]]:
    """Every source of the sample datasets, partitions filled in."""
    found = []
    for path in sorted(DEFS.glob("*/defs.yaml")):
        attributes = yaml.safe_load(path.read_text())["attributes"]
        if "source" not in attributes:
            continue
        uri, layer = attributes["source"]["uri"], attributes["source"].get("layer")
        keys = attributes.get("partitions", {}).get("static", [""])
        found += [(uri.replace("{partition}", key), layer) for key in keys]
    return found


def run(folder: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, arguments, env={"SPATIAL_STORE": str(folder / "store")})


def profiled(folder: Path, *arguments: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The text, its attributes, and the checked dataset."""
    printed = run(folder, "profile", *arguments)
    assert printed.exit_code == 0, printed.output
    path = folder / "defs.yaml"
    path.write_text(printed.stdout)
    checked = run(folder, "check", str(path), "--json")
    (dataset,) = json.loads(checked.stdout)["datasets"]
    assert checked.exit_code == 0, dataset
    assert {r["status"] for r in dataset["results"]} == {"passed"}
    return printed.stdout, yaml.safe_load(printed.stdout)["attributes"], dataset


def rules(attributes: dict[str, Any]) -> dict[str, Any]:
    return {r["rule"]: {k: v for k, v in r.items() if k != "rule"} for r in attributes["rules"]}


@pytest.mark.parametrize(("uri", "layer"), sources())
def test_every_sample_passes_what_is_inferred_from_it(
    tmp_path: Path, uri: str, layer: str | None
) -> None:
    option = () if layer is None else ("--layer", layer)
    _, attributes, dataset = profiled(tmp_path, uri, *option)
    assert len(attributes["rules"]) >= 4
    assert len(dataset["results"]) == len(attributes["rules"]) + 2


def test_says_what_the_data_are_like_and_what_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    squares = [shapely.box(x, 0, x + 10, 10) for x in (0, 9, 100)]
    geopandas.GeoDataFrame(
        {"label": ["a", "a", None], "parcel_id": [3, 2, 1], "other": [1, 2, 3]},
        geometry=squares,
        crs="EPSG:32633",
    ).to_file("my parcels.gpkg")
    text, attributes, _ = profiled(tmp_path, "my parcels.gpkg")
    assert attributes["name"] == "my_parcels"
    assert attributes["source"] == {"uri": "my parcels.gpkg"}
    assert attributes["key"] == ["parcel_id"]
    found = rules(attributes)
    assert found == {
        "crs": {"equals": "EPSG:32633"},
        "bounds_within": {"bounds": [-0.1, -0.1, 110.1, 10.1]},
        "geometry_type": {"any_of": ["Polygon"]},
        "columns": {"schema": {"label": "string", "parcel_id!": "integer", "other!": "integer"}},
        "feature_count": {"min": 1},
        "not_empty": {},
        "finite_coordinates": {},
        "valid_geometry": {},
        "no_duplicate_geometries": {},
        "must_not_have_gaps": {},
        "unique": {"columns": ["parcel_id"]},
    }
    assert "# does not hold: must_not_overlap: 1 overlap" in text


def test_a_raster(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "1-dem.tif", ramp(2, 200, 300), nodata=7)
    text, attributes, _ = profiled(tmp_path, str(path))
    assert attributes["name"] == "dataset_1_dem"
    found = rules(attributes)
    assert found["band_count"] == {"equals": 2}
    assert found["data_type"] == {"equals": "uint16"}
    assert found["nodata"] == {"equals": 7.0}
    assert found["resolution"] == {"equals": [10.0, 10.0]}
    assert "cloud_optimized" not in found or "does not hold: cloud_optimized" not in text


def test_nodata_that_is_no_number(tmp_path: Path) -> None:
    values = ramp(1, 40, 30).astype("float32")
    path = write_raster(tmp_path / "dem.tif", values, nodata=float("nan"))
    _, attributes, _ = profiled(tmp_path, str(path))
    nodata = rules(attributes).get("nodata")
    assert nodata is None or np.isnan(nodata["equals"])


@pytest.mark.parametrize("count", [0, 1])
def test_few_features(tmp_path: Path, count: int) -> None:
    frame = geopandas.GeoDataFrame(
        {"a!": list(range(count)), "b": ["x"] * count},
        geometry=[shapely.Point(1, 2)] * count,
        crs="EPSG:4326",
    )
    frame.to_parquet(tmp_path / "points.parquet")
    _, attributes, _ = profiled(tmp_path, str(tmp_path / "points.parquet"))
    assert "a!" not in rules(attributes)["columns"]["schema"]
    assert ("feature_count" in rules(attributes)) == bool(count)


def test_without_crs_and_without_geometry(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"id": [1]}, geometry=[shapely.Point(1, 2)])
    frame.to_parquet(tmp_path / "points.parquet")
    _, attributes, _ = profiled(tmp_path, str(tmp_path / "points.parquet"))
    assert "crs" not in rules(attributes)
    (tmp_path / "table.csv").write_text("id,name\n1,x\n2,y\n")
    _, attributes, _ = profiled(tmp_path, str(tmp_path / "table.csv"))
    assert "geometry_type" not in rules(attributes)


def test_a_layer_must_be_chosen(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"id": [1]}, geometry=[shapely.Point(1, 2)], crs=4326)
    frame.to_file(tmp_path / "two.gpkg", layer="one")
    frame.to_file(tmp_path / "two.gpkg", layer="other")
    refused = run(tmp_path, "profile", str(tmp_path / "two.gpkg"))
    assert refused.exit_code == 2
    assert "name one of them as layer: one, other" in refused.stderr
    _, attributes, _ = profiled(tmp_path, str(tmp_path / "two.gpkg"), "--layer", "other")
    assert attributes["name"] == "other"


@pytest.mark.parametrize("uri", ["lost.gpkg", "{partition}.gpkg"])
def test_what_is_no_source_is_said(tmp_path: Path, uri: str) -> None:
    refused = run(tmp_path, "profile", uri)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: ")
    assert refused.stdout == ""


@settings(max_examples=200, deadline=None)
@given(x=st.floats(-1e9, 1e9), y=st.floats(-1e9, 1e9), w=st.floats(0, 1e7), h=st.floats(0, 1e7))
def test_a_rounded_box_holds_the_bounds_and_little_more(
    x: float, y: float, w: float, h: float
) -> None:
    bounds = (x, y, x + w, y + h)
    xmin, ymin, xmax, ymax = rounded_out(bounds)
    assert xmin <= bounds[0]
    assert ymin <= bounds[1]
    assert xmax >= bounds[2]
    assert ymax >= bounds[3]
    size = max(bounds[2] - x, bounds[3] - y)
    slack = 0.003 * size + 1e-9 * max(1.0, *map(abs, bounds))
    assert xmax - xmin <= bounds[2] - x + 2 * slack
    assert ymax - ymin <= bounds[3] - y + 2 * slack
