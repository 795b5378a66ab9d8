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


def judged(data: Any, rule: str, **parameters: Any) -> Any:
    return run_rule(CATALOGUE[rule](rule=rule, **parameters), data)[0]


CASES: list[tuple[str, list[Any], str]] = [
    ("must_not_have_dangles", SQUARES, "a line"),
    ("must_not_have_dangles", POINTS, "a line"),
    ("must_not_have_gaps", LINES, "a polygon"),
    ("must_not_have_gaps", POINTS, "a polygon"),
    ("must_not_overlap", POINTS, "a polygon or a line"),
    ("matched_edges", LINES, "a polygon"),
]


@pytest.mark.parametrize(("rule", "geometries", "kind"), CASES)
def test_nothing_of_its_kind_is_an_error_of_a_blocking_rule(
    rule: str, geometries: list[Any], kind: str
) -> None:
    data = memory_vector(geometries)
    blocking = judged(data, rule)
    said = f"nothing to judge: no feature has {kind}, of {len(geometries)}"
    assert (blocking.status, blocking.checked, blocking.violations) == (Status.ERROR, 0, 0)
    assert blocking.message == f"{said}; leave the rule out, or give it severity: warn"
    # The way out that it prints.
    warning = judged(data, rule, severity="warn")
    assert (warning.status, warning.message) == (Status.PASSED, said)


@pytest.mark.parametrize(("rule", "geometries", "kind"), CASES)
def test_a_rule_may_be_for_geometries_that_need_not_be_there(
    rule: str, geometries: list[Any], kind: str
) -> None:
    data = memory_vector(geometries)
    assert judged(data, rule, if_present=True).status is Status.PASSED
    assert CATALOGUE[rule].model_validate({"rule": rule}).hash == (
        CATALOGUE[rule].model_validate({"rule": rule, "if_present": False}).hash
    )


@pytest.mark.parametrize("geometries", [[], NOTHING], ids=["no features", "no geometries"])
@pytest.mark.parametrize("rule", sorted({c[0] for c in CASES} | {"valid_geometry"}))
def test_an_empty_layer_is_in_order(rule: str, geometries: list[Any]) -> None:
    assert judged(memory_vector(geometries), rule).status is Status.PASSED


def test_what_is_of_the_kind_and_cannot_be_judged_is_told_otherwise() -> None:
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    for shape in (bow_tie, shapely.Polygon(), shapely.GeometryCollection([bow_tie])):
        result = judged(memory_vector([shape, *POINTS]), "must_not_have_gaps")
        assert (result.status, result.checked) == (Status.PASSED, 0)


@pytest.mark.parametrize("rule", ["valid_geometry", "finite_coordinates", "must_not_have_dangles"])
def test_a_table_without_geometries_is_no_empty_layer(rule: str) -> None:
    table = memory_vector([None, None], {"a": [1, 2]}, geometry_column=None)
    assert judged(table, rule).status is Status.ERROR


def test_values_that_are_null_are_not_judged() -> None:
    data = memory_vector(POINTS, {"a": pa.nulls(3, pa.int64())})
    assert judged(data, "value_range", column="a", min=0).status is Status.PASSED


def test_a_condition_that_selects_nothing_leaves_nothing_to_judge() -> None:
    data = memory_vector([*LINES, *SQUARES], {"a": [1, 1, 2, 2]}, batch_size=3)
    lines = {"rule": "must_not_have_dangles", "tolerance": 5.0}
    assert judged(data, **lines, where="a = 1").checked == 2
    assert judged(data, **lines, where="a = 3").status is Status.PASSED
    of_squares = judged(data, **lines, where="a = 2")
    assert of_squares.status is Status.ERROR
    assert "no feature that where selects has a line, of 4" in of_squares.message


APART = shapely.box([0.0, 9.0], 0.0, [1.0, 10.0], 1.0).tolist()
RINGS = [shapely.boundary(square) for square in APART]
OF_THEIR_KIND = [
    ("must_not_have_dangles", RINGS),
    ("must_not_have_gaps", APART),
    ("must_not_overlap", APART),
    ("must_not_overlap", RINGS),
    ("must_not_overlap", shapely.multilinestrings([[r] for r in RINGS]).tolist()),
    ("matched_edges", APART),
    ("matched_edges", [shapely.MultiPolygon([square]) for square in APART]),
    ("no_duplicate_geometries", POINTS),
    ("valid_geometry", POINTS),
    ("finite_coordinates", POINTS),
]


@pytest.mark.parametrize(("rule", "geometries"), OF_THEIR_KIND)
@pytest.mark.parametrize("lonely", [False, True])
def test_features_that_meet_no_other_were_judged(
    rule: str, geometries: list[Any], lonely: bool
) -> None:
    data = memory_vector(geometries[:1] if lonely else geometries)
    result = judged(data, rule)
    assert (result.status, result.checked) == (Status.PASSED, len(data.everything))


def test_one_of_the_kind_is_enough() -> None:
    closed = shapely.LineString([(0, 0), (1, 0), (1, 1), (0, 0)])
    result = judged(memory_vector([*SQUARES, closed]), "must_not_have_dangles")
    assert (result.status, result.checked) == (Status.PASSED, 1)


def test_a_raster_without_valid_pixels_is_empty() -> None:
    raster = memory_raster(np.zeros((1, 4, 4)), nodata=0)
    assert judged(raster, "pixel_range", min=5).status is Status.PASSED
