"""The demo: real data, honest contracts; what is held is held by defects that shapely sees too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely

from spatial_pipeline.contract.load import load_project
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline_tests.sample_data import package_folder

ROOT = Path(__file__).parents[1]
DEFS = ROOT / "spatial_pipeline" / "defs"
HELD = {
    "plots": {"must_not_overlap", "must_not_have_gaps"},
    "tokyomet262": {"valid_geometry", "must_not_overlap", "must_not_have_gaps"},
}
WARNED = {
    "buildings": {"inside_plots"},
    "tokyomet262": {"bounds_within"},
    "vautm17n": {"bounds_within"},
}


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    return {c.name: c for c in load_project([DEFS])[0]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store after ``spatial-pipeline run``, and in ``said`` what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "store"
    done = subprocess.run(
        [Path(sys.executable).parent / "spatial-pipeline", "run", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent), "SPATIAL_STORE": str(folder)},
        cwd=folder.parent, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (folder / "said").write_text(done.stdout, encoding="utf-8")
    return folder


def rows(store: Path) -> list[dict[str, Any]]:
    return json.loads((store / "said").read_text(encoding="utf-8"))["datasets"]


def verdict(store: Path, dataset: str) -> dict[str, Any]:
    (staged,) = (store / dataset).glob("*/*/verdict.json")
    return json.loads(staged.read_text(encoding="utf-8"))


def package_file(uri: str) -> Path:
    package, _, rest = uri.removeprefix("package://").partition("/")
    return package_folder(package) / rest


def test_the_rules_of_the_catalogue_take_part(contracts: dict[str, Contract]) -> None:
    used = {rule.rule for c in contracts.values() for rule in c.effective_rules}
    # No dataset of the wheels has closed lines, Z, M, a column that holds a measure, columns that
    # hold ranges, or news; none has points that belong on lines, lines that bound polygons, or
    # directed networks; no raster of them has classes, tiles, a footprint, check points or zones;
    # none is delivered in a folder of its own.
    assert set(CATALOGUE) - used == {
        "area_boundary_must_be_covered_by_boundary",
        "boundary_must_be_covered_by",
        "bounded_by",
        "closed_lines",
        "consistent_z_at_intersection",
        "delivery_contents",
        "endpoint_must_be_covered_by",
        "endpoints_match_references",
        "flows_downhill",
        "footprint_matches",
        "freshness",
        "measures_match",
        "min_patch_size",
        "overviews_match",
        "monotonic_measure",
        "must_be_covered_by_boundary",
        "must_be_covered_by_endpoint",
        "must_be_covered_by_line",
        "must_coincide_with",
        "must_continue_across",
        "must_contain_one_point",
        "must_follow_boundaries",
        "must_not_intersect_with",
        "must_not_overlap_with",
        "must_reach",
        "pixel_values",
        "positional_accuracy",
        "ranges_must_not_have_gaps",
        "ranges_must_not_overlap",
        "raster_matches_vector",
        "thematic_accuracy",
        "tile_edges_must_match",
        "tiles_must_not_have_gaps",
        "tiles_must_not_overlap",
        "vertical_accuracy",
        "z_range",
        "zonal_matches",
    }
    assert len(used) >= 60
    assert len(contracts) >= 12


def test_every_contract_says_what_it_is_and_whose(contracts: dict[str, Contract]) -> None:
    for contract in contracts.values():
        assert contract.description
        assert contract.owners
        # Dagster's graph shows the last part of a key only: a group a dataset tells them apart.
        assert contract.group is None
        assert contract.source.uri.startswith("package://")


@pytest.mark.timeout(300)
def test_all_are_published_but_those_with_defects(
    store: Path, contracts: dict[str, Contract]
) -> None:
    assert {row["dataset"] for row in rows(store)} == set(contracts)
    assert {row["dataset"] for row in rows(store) if not row["published"]} == set(HELD)
    assert [r["partition"] for r in rows(store) if r["dataset"] == "bands"] == [
        "red", "green", "blue",
    ]  # fmt: skip
    for row in rows(store):
        pointer = store / row["dataset"] / (row["partition"] or "-") / "published.json"
        assert pointer.exists() == row["published"]


@pytest.mark.parametrize("dataset", sorted(HELD))
def test_what_holds_a_dataset_is_in_the_reasons(store: Path, dataset: str) -> None:
    (row,) = (r for r in rows(store) if r["dataset"] == dataset)
    assert {re.split(r":", reason)[0] for reason in row["reasons"]} == HELD[dataset]


def test_no_other_rule_fails(store: Path, contracts: dict[str, Contract]) -> None:
    for name, contract in contracts.items():
        if contract.partitions is not None:
            continue
        results = verdict(store, name)["results"]
        assert [r["name"] for r in results] == [r.check_name for r in contract.effective_rules]
        blocking = {r["name"] for r in results if not r["passed"] and r["severity"] == "error"}
        warnings = {r["name"] for r in results if not r["passed"] and r["severity"] == "warn"}
        assert blocking == HELD.get(name, set())
        assert warnings == WARNED.get(name, set())
        assert {r["status"] for r in results} <= {"passed", "failed"}


def test_tokyo_names_exactly_what_shapely_rejects(
    store: Path, contracts: dict[str, Contract]
) -> None:
    frame = geopandas.read_file(package_file(contracts["tokyomet262"].source.uri))
    rejected = frame[~shapely.is_valid(frame.geometry.to_numpy())]
    assert len(rejected) == 10
    results = {r["name"]: r for r in verdict(store, "tokyomet262")["results"]}
    valid = results["valid_geometry"]
    assert valid["violations"] == 10
    assert sorted(v["keys"][0][0] for v in valid["sample"]) == sorted(rejected.GEOCODE)
    for violation in valid["sample"]:
        (code,) = violation["keys"][0]
        told = shapely.is_valid_reason(rejected[code == rejected.GEOCODE].geometry.iloc[0])
        reason, x, y = re.fullmatch(r"(.+)\[(\S+) (\S+)\]", told).groups()
        assert violation["reason"].lower() == reason.lower()
        assert violation["location"] == pytest.approx([float(x), float(y)])
    for name in ("must_not_overlap", "must_not_have_gaps"):
        assert results[name]["status"] == "failed"
        assert results[name]["violations"] > 0
        assert results[name]["checked"] == 252
        assert "10 invalid geometries left out" in results[name]["message"]
