"""A rule that found nothing of its kind to judge does not pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

POINTS = shapely.points([0.0, 5.0, 9.0], 0.0).tolist()
LINES = shapely.linestrings([[[0, 0], [1, 0]], [[1, 0], [2, 0]]]).tolist()
SQUARES = shapely.box([0.0, 1.0], 0.0, [1.0, 2.0], 1.0).tolist()
NOTHING: list[Any] = [None, shapely.Polygon()]
COLUMN = {"a": pa.nulls(3, pa.int64())}


def judged(data: Any, rule: str, **parameters: Any) -> Any:
    return run_rule(CATALOGUE[rule](rule=rule, **parameters), data)[0]


CASES: list[tuple[str, list[Any], dict[str, Any], str]] = [
    ("must_not_have_dangles", SQUARES, {}, "a line"),
    ("must_not_have_dangles", POINTS, {}, "a line"),
    ("must_not_have_gaps", LINES, {}, "a polygon"),
    ("must_not_have_gaps", POINTS, {}, "a polygon"),
    ("must_not_overlap", POINTS, {}, "a polygon or a line"),
    ("matched_edges", LINES, {}, "a polygon"),
    ("valid_geometry", [None, None], {}, "a geometry"),
    ("finite_coordinates", [None, None], {}, "a geometry"),
    ("no_duplicate_geometries", NOTHING, {}, "a geometry"),
    ("geometry_type", [None, None], {"any_of": ["Point"]}, "a geometry"),
    ("bounds_within", NOTHING, {"bounds": (0, 0, 1, 1)}, "a geometry"),
    ("value_range", POINTS, {"column": "a", "min": 0}, "a value in the column"),
]


@pytest.mark.parametrize(("rule", "geometries", "parameters", "kind"), CASES)
def test_nothing_to_judge_is_an_error_of_a_blocking_rule(
    rule: str, geometries: list[Any], parameters: dict[str, Any], kind: str
) -> None:
    data = memory_vector(geometries, COLUMN if rule == "value_range" else None)
    blocking = judged(data, rule, **parameters)
    said = f"nothing to judge: no feature has {kind}, of {len(geometries)}"
    assert (blocking.status, blocking.checked, blocking.violations) == (Status.ERROR, 0, 0)
    assert blocking.message == f"{said}; leave the rule out, or give it severity: warn"
    # The way out that it prints.
    warning = judged(data, rule, severity="warn", **parameters)
    assert (warning.status, warning.message) == (Status.PASSED, said)


@pytest.mark.parametrize(("rule", "_geometries", "parameters", "_kind"), CASES)
def test_a_layer_without_features_is_in_order(
    rule: str, _geometries: list[Any], parameters: dict[str, Any], _kind: str
) -> None:
    columns = {"a": pa.nulls(0, pa.int64())} if rule == "value_range" else None
    assert judged(memory_vector([], columns), rule, **parameters).status is Status.PASSED


def test_a_condition_that_selects_nothing_leaves_nothing_to_judge() -> None:
    data = memory_vector([*LINES, *SQUARES], {"a": [1, 1, 2, 2]}, batch_size=3)
    lines = {"rule": "must_not_have_dangles", "tolerance": 5.0}
    assert judged(data, **lines, where="a = 1").checked == 2
    assert judged(data, **lines, where="a = 3").status is Status.PASSED
    of_squares = judged(data, **lines, where="a = 2")
    assert of_squares.status is Status.ERROR
    assert "no feature that where selects has a line, of 4" in of_squares.message


def test_one_of_the_kind_is_enough() -> None:
    closed = shapely.LineString([(0, 0), (1, 0), (1, 1), (0, 0)])
    result = judged(memory_vector([*SQUARES, closed]), "must_not_have_dangles")
    assert (result.status, result.checked) == (Status.PASSED, 1)


def test_a_raster_without_valid_pixels_is_empty() -> None:
    raster = memory_raster(np.zeros((1, 4, 4)), nodata=0)
    assert judged(raster, "pixel_range", min=5).status is Status.PASSED
