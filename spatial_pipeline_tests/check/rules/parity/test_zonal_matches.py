import math
from fractions import Fraction

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.raster.exact_sums import exact_sums
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import ZonalMatches
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut, pixel_arrays
from spatial_pipeline_tests.support import memory_vector

OTHER = OtherSource(uri="zones.gpkg")
VALUES = np.array([[[1, 2, 3], [4, 0, 6]]], dtype=np.int16)


def test_zonal_matches_names_polygons_whose_statistic_differs():
    zones = memory_vector(
        [
            shapely.box(0, -2, 2, 0),
            shapely.box(2, -2, 3, 0),
            shapely.box(7, 7, 8, 8),
            shapely.box(0, -1, 1, 0),
        ],
        {"mean": [7 / 3, 4.0, 1.0, None]},
    )
    result, violations = any_cut(ZonalMatches(other=OTHER, column="mean"), VALUES, zones, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 2)
    assert violations.reasons.tolist() == ["mean 4.5, not 4"]
    assert violations.measure.tolist() == [0.5]
    assert violations.geometry[0].equals(shapely.box(2, -2, 3, 0))
    assert result.sample[0].keys == ((1,),)
    assert "1 polygons hold no valid pixel" in result.message
    assert "1 polygons without a number" in result.message
    assert any_cut(
        ZonalMatches(other=OTHER, column="mean", tolerance=0.5), VALUES, zones, nodata=0
    )[0].passed


@given(
    pixel_arrays(),
    st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=4),
    st.sampled_from(["mean", "sum", "min", "max", "count"]),
)
@settings(max_examples=60, deadline=None)
def test_zonal_matches_is_every_pixel_of_every_polygon(values, boxes, statistic):
    shapes = [
        shapely.box(min(a, c) / 2, -(max(b, d) + 1) / 2, (max(a, c) + 1) / 2, -min(b, d) / 2)
        for a, b, c, d in boxes
    ]
    zones = memory_vector(shapes, {"x": [0.0] * len(shapes)})
    rule = ZonalMatches(other=OTHER, column="x", statistic=statistic)
    result, violations = any_cut(rule, values, zones, nodata=3)
    expected = []
    for shape in shapes:
        kept = []
        for row, column in np.ndindex(values.shape[1:]):
            v = values[0, row, column].item()
            centre = shapely.Point(column + 0.5 + 1e-9, -row - 0.5 - 1e-9)
            if v != 3 and math.isfinite(v) and shape.contains(centre):
                kept.append(Fraction(v))
        if kept or statistic in {"count", "sum"}:
            total = sum(kept, Fraction(0))
            expected.append(float({
                "mean": total / max(len(kept), 1), "sum": total, "count": len(kept),
                "min": min(kept, default=0), "max": max(kept, default=0),
            }[statistic]))  # fmt: skip
    assert sorted(violations.measure) == sorted(abs(e) for e in expected if e)
    assert result.checked == len(expected)


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.integers(0, 3))))
@settings(max_examples=30, deadline=None)
def test_sums_by_group_are_exact(pairs):
    numbers, group = np.array([n for n, _ in pairs], float), np.array([g for _, g in pairs], int)
    for g, total in enumerate(exact_sums(numbers, group)):
        assert total == sum((Fraction(n) for n, k in pairs if k == g), Fraction(0))
