"""Proposals repair what their rule found, and nothing but a proposal is written."""

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
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.pipeline.proposals import MAKERS, proposals
from spatial_pipeline_tests.support import memory_vector, run_rule

FRAME = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (3 3, 3 6, 6 6, 6 3, 3 3))"
CASES: list[tuple[dict[str, Any], list[str], list[tuple[int, str, str | None]]]] = [
    ({"rule": "no_repeated_points"}, ["LINESTRING (0 0, 1 0, 1 0, 2 0)", "LINESTRING (0 0, 1 1)"],
     [(0, "remove repeated points", "LINESTRING (0 0, 1 0, 2 0)")]),
    ({"rule": "no_spikes", "min_angle": 1}, ["LINESTRING (0 0, 5 0, 9 0, 5 0.001, 5 5)"],
     [(0, "remove spikes", "LINESTRING (0 0, 5 0, 5 0.001, 5 5)")]),
    ({"rule": "valid_geometry"}, ["POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))", FRAME],
     [(0, "make valid", "MULTIPOLYGON (((0 0, 0 2, 1 1, 0 0)), ((1 1, 2 2, 2 0, 1 1)))")]),
    ({"rule": "ring_orientation"}, ["POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))"],
     [(0, "turn the rings", "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))")]),
    ({"rule": "no_duplicate_geometries"}, ["POINT (1 1)", "POINT (2 2)", "POINT (1 1)"],
     [(2, "remove the duplicate", None)]),
    ({"rule": "must_not_have_gaps"}, [FRAME, "POLYGON ((3 3, 6 3, 6 5, 3 5, 3 3))"],
     [(0, "take the gap", "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (3 3, 3 5, 6 5, 6 3, 3 3))")]),
    ({"rule": "must_not_have_dangles"},
     ["LINESTRING (0 0, 9 0)", "LINESTRING (0 0, 0 9)", "LINESTRING (0 9, 9 0)",
      "LINESTRING (1 0.05, 0 9)"],
     [(3, "extend the free end", "LINESTRING (1 0, 1 0.05, 0 9)")]),
    ({"rule": "must_not_have_dangles"},
     ["LINESTRING (0 0, 9 0)", "LINESTRING (0 0, 0 9)", "LINESTRING (0 9, 9 0)",
      "LINESTRING (1 -0.2, 1 0, 0 9)"],
     [(3, "trim the free end", "LINESTRING (1 0, 0 9)")]),
]  # fmt: skip


def proposed(rule: dict[str, Any], texts: list[Any]) -> list[tuple[int, str, Any]]:
    model = CATALOGUE[rule["rule"]].model_validate(rule)
    shapes = [shapely.from_wkt(t) if isinstance(t, str) else t for t in texts]
    data = memory_vector(shapes, batch_size=2)
    result, violations = run_rule(model, data)
    return [
        (row, action, after)
        for some in proposals(model, result, violations, data)
        for row, action, after in zip(some.rows.tolist(), some.action, some.after, strict=True)
    ]


@pytest.mark.parametrize(("rule", "texts", "expected"), CASES)
def test_what_is_proposed(
    rule: dict[str, Any], texts: list[str], expected: list[tuple[int, str, str | None]]
) -> None:
    found = proposed(rule, texts)
    assert [(r, a) for r, a, _ in found] == [(r, a) for r, a, _ in expected]
    for (_, _, after), (_, _, wkt) in zip(found, expected, strict=True):
        if wkt is None:
            assert after is None
        elif rule["rule"] in ("ring_orientation", "must_not_have_dangles"):
            assert shapely.equals_exact(after, shapely.from_wkt(wkt), 1e-9, normalize=False)
            assert shapely.to_wkt(after.normalize()) == shapely.to_wkt(
                shapely.from_wkt(wkt).normalize()
            )
        else:
            assert after.equals(shapely.from_wkt(wkt))


@pytest.mark.parametrize(("rule", "texts", "_expected"), CASES)
def test_the_rule_holds_once_all_proposals_are_taken(
    rule: dict[str, Any], texts: list[str], _expected: Any
) -> None:
    shapes: list[Any] = [shapely.from_wkt(t) for t in texts]
    for row, _, after in proposed(rule, texts):
        shapes[row] = after
    model = CATALOGUE[rule["rule"]].model_validate(rule)
    left = [s for s in shapes if s is not None]
    assert run_rule(model, memory_vector(left))[0].passed


def test_every_rule_with_proposals_is_tried() -> None:
    assert {CATALOGUE[c["rule"]] for c, _, _ in CASES} == set(MAKERS)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=6))
def test_a_polygon_made_valid_has_at_most_the_area_of_its_hull(corners: Any) -> None:
    ring = shapely.Polygon(corners)
    for _, _, after in proposed({"rule": "valid_geometry"}, [ring]):
        assert after.is_valid
        assert after.area <= ring.convex_hull.area + 1e-9


@pytest.mark.parametrize("name", ["p.gpkg", "p.parquet"])
def test_the_layer_says_what_would_change(tmp_path: Path, name: str) -> None:
    squares = [shapely.from_wkt(FRAME), shapely.box(3, 3, 6, 5)]
    frame = geopandas.GeoDataFrame({"id": ["a", "b"]}, geometry=squares, crs=32633)
    frame.to_file(tmp_path / "a.gpkg")
    before = (tmp_path / "a.gpkg").read_bytes()
    rules = [{"rule": "must_not_have_gaps"}, {"rule": "must_not_overlap"}]
    attributes = {"name": "a", "source": {"uri": "a.gpkg"}, "key": ["id"], "rules": rules}
    contract = {"type": "spatial_pipeline.VectorDataset", "attributes": attributes}
    (tmp_path / "defs.yaml").write_text(yaml.safe_dump(contract))
    arguments = ["check", str(tmp_path / "defs.yaml"), "--proposals", str(tmp_path / name)]
    done = CliRunner().invoke(app, arguments, env={"SPATIAL_STORE": str(tmp_path / "store")})
    assert done.exit_code == 1
    read = geopandas.read_parquet if name.endswith(".parquet") else geopandas.read_file
    layer = read(tmp_path / name)
    assert layer.crs == frame.crs
    (row,) = layer.drop(columns="geometry").to_dict("records")
    assert row == {
        "dataset": "a", "rule": "must_not_have_gaps", "name": "must_not_have_gaps",
        "action": "take the gap", "row": 0, "key": json.dumps(["a"]), "area_before": 72.0,
        "area_after": 75.0, "vertices_before": 10, "vertices_after": 10,
    }  # fmt: skip
    assert layer.geometry[0].area == 75
    assert (tmp_path / "a.gpkg").read_bytes() == before


def test_nothing_to_propose_is_an_empty_layer(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"id": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=32633)
    frame.to_parquet(tmp_path / "a.parquet")
    attributes = {"name": "a", "source": {"uri": "a.parquet"}, "rules": [{"rule": "not_empty"}]}
    contract = {"type": "spatial_pipeline.VectorDataset", "attributes": attributes}
    (tmp_path / "defs.yaml").write_text(yaml.safe_dump(contract))
    path = tmp_path / "p.gpkg"
    arguments = ["check", str(tmp_path / "defs.yaml"), "--proposals", str(path)]
    done = CliRunner().invoke(app, arguments, env={"SPATIAL_STORE": str(tmp_path / "store")})
    assert done.exit_code == 0
    assert len(geopandas.read_file(path)) == 0
    assert np.all(geopandas.list_layers(path).name == "proposals")
