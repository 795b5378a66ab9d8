import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.pixels import NoStripes
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut, example, pixel_arrays
from spatial_pipeline_tests.support import memory_raster, run_rule


def striped():
    values = np.arange(48, dtype=np.int16).reshape(1, 8, 6) + 1
    values[0, 2] = 0
    values[0, 4] = 9
    values[0, 5] = 0
    return values


def test_no_stripes_names_groups_of_dropped_rows():
    result, violations = any_cut(NoStripes(), striped(), nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 8)
    assert violations.reasons.tolist() == [
        "band 1: rows 4 to 5 of the value 9, or without data",
        "band 1: row 2 without data",
    ]
    assert violations.measure.tolist() == [2, 1]
    assert violations.unit == "rows"
    assert violations.geometry[0].equals(shapely.box(0, -6, 6, -4))
    assert violations.geometry[1].equals(shapely.box(0, -3, 6, -2))
    assert result.message == "3 of 8 rows dropped, in 2 stripes"
    assert any_cut(NoStripes(max_rows=1), striped(), nodata=0)[0].violations == 1


def test_no_stripes_of_columns():
    values = np.ascontiguousarray(striped().transpose(0, 2, 1))
    _, violations = any_cut(NoStripes(direction="columns"), values, nodata=0)
    assert any(g.equals(shapely.box(2, -6, 3, 0)) for g in violations.geometry)
    assert any_cut(NoStripes(), values, nodata=0)[0].passed


def test_no_stripes_accepts_the_outside_and_flat_edges():
    values = np.arange(24, dtype=np.float32).reshape(1, 4, 6) + 1
    values[0, 0] = 0
    values[0, 3] = 5
    assert any_cut(NoStripes(), values, nodata=0)[0].passed
    values[0, 1] = math.nan
    values[0, 0] = [1, 2, 3, 4, 5, 6]
    assert any_cut(NoStripes(), values, nodata=0)[0].violations == 1
    result, _ = run_rule(NoStripes(), memory_raster(np.ones((1, 2, 2), complex)))
    assert (result.status, "complex" in result.message) == (Status.ERROR, True)


@given(pixel_arrays(), st.sampled_from(["rows", "columns"]), st.none() | st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_no_stripes_is_a_walk_over_the_lines(values, direction, most):
    rule = NoStripes(direction=direction, max_rows=most)
    result, violations = any_cut(rule, values, nodata=3)
    expected = []
    for array in values:
        lines = array if direction == "rows" else array.T
        states = []
        for line in lines.tolist():
            kept = [v for v in line if v != 3 and not math.isnan(v)]
            states.append(not kept or (len(kept) > 1 and len(set(kept)) == 1))
        text = "".join("x" if s else "." for s in states)
        groups = text.split(".")[1:-1]
        expected += [len(g) for g in groups if g and len(g) <= (most or 99)]
    assert sorted(violations.measure) == sorted(expected)
    assert result.passed is not bool(expected)


def test_real_elevations_have_no_stripe_until_one_is_dropped():
    data = example("rmnp-dem.tif", block=64)
    assert run_rule(NoStripes(), data, jobs=2)[0].passed
    data.valid[0, 100] = False
    _, violations = run_rule(NoStripes(), data, jobs=2)
    assert violations.reasons.tolist() == ["band 1: row 100 without data"]
