import dataclasses

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustCoverEachOther
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import CUTS
from spatial_pipeline_tests.check.layer_cases import plain, told
from spatial_pipeline_tests.check.rules.topology.covered import BOXES, PATHS
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="other")
OURS, THEIRS = "not covered by the other dataset", "of the other dataset, not covered"


def compared(own, other, cuts=CUTS, crs="EPSG:32633", **parameters):
    """The result and the violations, the same for every cut and number of threads."""
    answers = []
    for batch, piece, jobs in cuts:
        chosen = {"chosen": [int(i > 0) for i in range(len(own))]}
        data = memory_vector(own, chosen, crs, batch_size=batch)
        theirs = {"kind": [int(i > 0) for i in range(len(other))]}
        there = memory_vector(other, theirs, crs, batch_size=batch)
        rule = MustCoverEachOther(other=OTHER, **parameters)
        result, found = run_rule(rule, data, there, tile_size=piece, jobs=jobs)
        answers.append((dataclasses.replace(result, elapsed_s=0.0), plain(found)))
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def boxes(*corners):
    return [shapely.box(*c) for c in corners]


def test_unions_that_are_equal_pass():
    result, found = compared(boxes((0, 0, 4, 2)), boxes((0, 0, 1, 2), (1, 0, 4, 1), (1, 1, 4, 2)))
    assert (result.status, result.checked, found) == (Status.PASSED, 4, [])


def test_the_uncovered_parts_of_either_side():
    result, found = compared(boxes((0, 0, 4, 2)), boxes((1, 0, 5, 2), (2, 0, 3, 1)))
    assert (result.status, result.checked) == (Status.FAILED, 3)
    assert found == told([
        ((0,), OURS, "POLYGON ((0 0, 1 0, 1 2, 0 2, 0 0))", 2),
        ((0,), THEIRS, "POLYGON ((4 0, 5 0, 5 2, 4 2, 4 0))", 2),
    ])  # fmt: skip
    assert compared(boxes((0, 0, 4, 2)), boxes((1, 0, 5, 2)), tolerance=2)[0].passed


def test_conditions_select_on_either_side():
    own, other = boxes((9, 9, 10, 10), (0, 0, 4, 2)), boxes((0, 0, 4, 3), (0, 0, 4, 2))
    _, found = compared(own, other)
    assert [f[1] for f in found] == [OURS, THEIRS]
    assert compared(own, other, where="chosen = 1", other_where="kind = 1")[0].passed


def test_what_is_not_judged_is_said():
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    own = [*boxes((0, 0, 2, 2)), None, bow_tie]
    result, found = compared(own, [*boxes((0, 0, 2, 2)), bow_tie, shapely.Polygon()])
    assert (found, result.checked) == ([], 2)
    for said in (
        "1 null geometry not judged",
        "1 invalid geometry not judged",
        "1 invalid geometry of the other dataset not judged",
        "1 empty geometry of the other dataset not judged",
    ):
        assert said in result.message


@pytest.mark.parametrize("own", [[], boxes((0, 0, 1, 1))])
@pytest.mark.parametrize("other", [[], boxes((0, 0, 1, 1))])
def test_nothing_and_one(own, other):
    _, found = compared(own, other)
    assert len(found) == (len(own) != len(other))


def test_the_other_crs_is_transformed_and_it_is_said():
    box = shapely.box(14.9, 49.9, 15.1, 50.1)
    there = memory_vector([box], {"kind": [1]}, "EPSG:4326")
    here = memory_vector([shapely.box(500_000, 5_530_000, 501_000, 5_531_000)], {"chosen": [1]})
    result, found = run_rule(MustCoverEachOther(other=OTHER), here, there)
    assert "transformed from WGS 84 to WGS 84 / UTM zone 33N" in result.message
    assert found.reasons.tolist() == [THEIRS]
    assert 300e6 < found.measure[0] < 330e6


def test_degrees_are_said():
    result, _ = compared(boxes((0, 0, 1, 1)), boxes((0, 0, 1, 1)), crs="EPSG:4326", tolerance=1)
    assert "tolerance in degrees" in result.message


DRAWN = st.lists(BOXES | PATHS | st.none(), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(DRAWN, DRAWN, st.sampled_from([0.0, 1.0]))
def test_it_is_the_difference_of_unions(own, other, tolerance):
    _, found = compared(own, other, CUTS[2:], tolerance=tolerance)
    expected = [
        ((row,), reason, shape, size)
        for reason, mine, theirs in ((OURS, own, other), (THEIRS, other, own))
        for row, shape, size in oracle(mine, theirs, tolerance)
    ]
    assert found == told(expected)


def oracle(mine, theirs, tolerance):
    """The part of each feature outside the union of what may cover it."""
    for row, shape in enumerate(mine):
        if shape is None or not shape.is_valid or shape.is_empty:
            continue
        line = shapely.get_dimensions(shape) == 1
        covers = [c for c in theirs if c is not None and c.is_valid and not c.is_empty]
        covers = [c for c in covers if line or shapely.get_dimensions(c) == 2]
        rest = shape.difference(shapely.union_all(covers))
        size = shapely.length if line else shapely.area
        parts = [p for p in shapely.get_parts(rest) if size(p) > tolerance]
        if parts:
            rest = shapely.union_all(parts)
            yield row, rest, size(rest)
