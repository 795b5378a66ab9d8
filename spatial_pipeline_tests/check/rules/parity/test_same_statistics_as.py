import math
from fractions import Fraction

import numpy as np
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.contract.rules.delivery_parity import SameStatisticsAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = {"uri": "other.gpkg"}
BOX = shapely.box(0, 0, 2, 1)
LINE = shapely.LineString([(0, 0), (3, 4)])


def layer(rows, batch_size=2, **more):
    """A layer of (geometry, kind, number)."""
    columns = {"kind": [k for _, k, _ in rows], "n": [n for _, _, n in rows]}
    return memory_vector([g for g, _, _ in rows], columns, batch_size=batch_size, **more)


def compared(here, there, jobs=1, **parameters):
    result, violations = run_rule(
        SameStatisticsAs(other=OTHER, **parameters), here, there, jobs=jobs
    )
    return result, dict(zip(violations.reasons.tolist(), violations.measure.tolist(), strict=True))


ROWS = [(BOX, "a", 1.5), (LINE, "a", 2.0), (BOX, "b", None)]


def test_equal_sums_pass_whatever_the_order():
    result, found = compared(layer(ROWS), layer(ROWS[::-1]), columns=("n",), group_by=("kind",))
    assert (result.status, result.checked, found) == (Status.PASSED, 3, {})
    assert result.message == "area of polygons, length of lines, n: the same in 2 groups"


def test_each_sum_that_differs_is_a_violation_with_the_difference():
    there = [(BOX, "a", 1.0), (LINE, "a", 2.0), (shapely.box(0, 0, 5, 1), "b", None)]
    result, found = compared(layer(ROWS), layer(there), columns=("n",), group_by=("kind",))
    assert result.status is Status.FAILED
    assert found == {
        "kind 'a': sum of n 3.5 here, 3 there": 0.5,
        "kind 'b': area of polygons 2 m² here, 5 m² there": 3.0,
    }
    assert compared(layer(ROWS), layer(there), columns=("n",))[1] == {
        "area of polygons 4 m² here, 7 m² there": 3.0,
        "sum of n 3.5 here, 3 there": 0.5,
    }
    assert len(compared(layer(ROWS), layer(there), columns=("n",), tolerance=0.5)[1]) == 1
    assert compared(layer(ROWS), layer(there), columns=("n",), relative_tolerance=0.5)[0].passed
    assert len(compared(layer(ROWS), layer(there), columns=("n",), geometry=False)[1]) == 1


def test_groups_of_one_side_only():
    _, found = compared(layer(ROWS), layer([*ROWS[:2], (BOX, "c", 1)]), group_by=("kind",))
    assert list(found) == ["kind 'b': only here", "kind 'c': only there"]


def test_lines_are_no_areas_and_parts_of_collections_count():
    both = shapely.GeometryCollection([BOX, LINE])
    assert compared(layer([(both, "a", 1)]), layer([(BOX, "a", 1), (LINE, "a", 0)]))[0].passed
    _, found = compared(layer([(LINE, "a", 1)]), layer([(BOX, "a", 1)]))
    assert list(found) == [
        "area of polygons 0 m² here, 2 m² there",
        "length of lines 5 m here, 0 m there",
    ]


def test_rounding_of_a_ring_that_begins_elsewhere_is_no_difference():
    ring = [(400_000.1, 5_000_000.3), (400_010.7, 5_000_007.9), (400_000.4, 5_000_020.6)]
    one = shapely.Polygon(ring)
    other = translate(one, 0, 0)
    turned = shapely.Polygon([*ring[1:], ring[0]])
    for there in (other, turned):
        assert compared(layer([(one, "a", 1)]), layer([(there, "a", 1)]))[0].passed
    larger = shapely.Polygon([ring[0], (400_010.7001, 5_000_007.9), ring[2]])
    assert not compared(layer([(one, "a", 1)]), layer([(larger, "a", 1)]))[0].passed


def test_the_other_crs_is_transformed_and_it_is_said():
    here = layer([(translate(BOX, 500_000, 5_500_000), "a", 1)])
    x, y = 15.0, 49.65
    there = layer([(shapely.box(x, y, x + 1e-4, y + 1e-4), "a", 1)], crs="EPSG:4326")
    result, found = compared(here, there)
    assert len(found) == 1
    assert "transformed from WGS 84 to WGS 84 / UTM zone 33N" in result.message
    (area,) = found.values()
    assert 70 < area < 90


def test_a_condition_holds_on_both_sides():
    there = [*ROWS, (BOX, "c", 100)]
    assert compared(layer(ROWS), layer(there), columns=("n",), where="kind != 'c'")[0].passed
    assert not compared(layer(ROWS), layer(there), columns=("n",))[0].passed


def test_what_takes_no_part_is_said():
    with np.errstate(all="ignore"):
        odd = shapely.linestrings([[0.0, 0.0], [np.nan, 1.0]])
    here = layer([(BOX, "a", math.nan), (odd, "a", 1.0), (None, "a", None)])
    result, found = compared(here, layer([(BOX, "a", 1.0)]), columns=("n",))
    assert found == {}
    assert "1 geometries without a finite size not judged" in result.message
    assert "1 NaN or infinite in n not judged" in result.message
    broken = memory_vector([b"\x01", BOX], {"kind": ["a", "a"], "n": [1, 2]}, undecodable=(0,))
    assert "1 geometries without" in compared(broken, layer([(BOX, "a", 3)]))[0].message


def test_without_geometry_only_columns_are_compared():
    table = memory_vector([None], {"kind": ["a"], "n": [3.5]}, geometry_column=None)
    result, _ = compared(layer(ROWS), table, columns=("n",))
    assert result.passed
    assert "areas and lengths not compared" in result.message
    assert compared(layer(ROWS), table)[0].status is Status.ERROR


def test_mistakes_are_errors():
    assert compared(layer(ROWS), layer(ROWS), columns=("m",))[0].status is Status.ERROR
    assert compared(layer(ROWS), layer(ROWS), columns=("kind",))[0].status is Status.ERROR
    assert compared(layer(ROWS), layer(ROWS, crs=None))[0].status is Status.ERROR
    with pytest.raises(pydantic.ValidationError, match="columns"):
        SameStatisticsAs(other=OTHER, geometry=False)


@pytest.mark.parametrize("there", [[], ROWS[:1]])
def test_no_feature_and_one(there):
    result, found = compared(layer([]), layer(there))
    assert result.checked == 0
    assert len(found) == len(there)


SHAPES = st.sampled_from([BOX, LINE, None, shapely.Point(1, 1), shapely.box(0, 0, 0.1, 0.3)])
NUMBERS = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([1e300, -1e300, 0.1])
DRAWN = st.lists(st.tuples(SHAPES, st.sampled_from("ab"), NUMBERS), max_size=7)


@given(DRAWN, DRAWN, st.integers(1, 4), st.sampled_from([0.0, 0.25]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_sums_are_those_of_fractions(here, there, batch_size, tolerance, grouped):
    by = ("kind",) if grouped else ()
    _, found = compared(
        layer(here, batch_size), layer(there, batch_size), jobs=2, columns=("n",),
        group_by=by, tolerance=tolerance,
    )  # fmt: skip
    expected = 0
    for kind in "ab" if grouped else [None]:
        sides = [[r for r in rows if kind in (None, r[1])] for rows in (here, there)]
        if grouped and not all(sides):
            expected += any(sides)
            continue
        for measure in (_area, _length, lambda r: Fraction(r[2] or 0)):
            one, two = (sum(map(measure, side), Fraction(0)) for side in sides)
            # Half a millionth is far above the rounding of these shapes.
            least = Fraction(0) if measure not in (_area, _length) else Fraction(1, 10**6)
            expected += abs(one - two) > max(Fraction(tolerance), least)
    assert len(found) == expected


def _area(row):
    return Fraction(0 if row[0] is None else row[0].area)


def _length(row):
    return Fraction(row[0].length if row[0] is not None and row[0].geom_type == "LineString" else 0)
