from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.topology import MustNotHaveDangles
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.coverage.coverages import real_frame, squares
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="other")
SIZES = (1, 2, 5, 50, None)


def _check(features, *others, size=None, jobs=1, crs="EPSG:32633", **parameters):
    data = memory_vector(features, crs=crs)
    return run_rule(MustNotHaveDangles(**parameters), data, *others, tile_size=size, jobs=jobs)


def _line(*xy):
    return shapely.LineString(xy)


FRAME = shapely.box(-100, -100, 200, 200).exterior
"""A closed line around everything: no dangle, and it widens the reach to 7.5 for 4 features."""


def _ends(violations):
    """What was found at which place."""
    return {
        (g.x, g.y): (reason, None if np.isnan(m) else round(m, 9))
        for g, reason, m in zip(
            violations.geometry, violations.reasons, violations.measure, strict=True
        )
    }


def test_ends_that_touch_lines_are_no_dangles():
    features = [
        _line((0, 0), (10, 0)),
        _line((10, 0), (10, 10), (5, 0)),
        _line((0, 0), (0, 5), (5, 5), (5, 3), (0, 3)),
    ]
    result, violations = _check(features)
    assert result.status is Status.PASSED
    assert (result.checked, len(violations)) == (3, 0)


def test_closed_lines_and_parts_that_touch_parts_are_no_dangles():
    features = [
        FRAME,
        shapely.MultiLineString([[(0, 0), (5, 0), (5, 5)], [(5, 5), (0, 5), (0, 0)]]),
        _line((50, 50), (60, 50), (60, 60), (55, 50)),
    ]
    _, violations = _check(features)
    assert list(_ends(violations)) == [(50.0, 50.0)]
    assert violations.rows.tolist() == [[2]]


def test_the_violation_is_the_end_and_says_which():
    features = [
        _line((0, 0), (10, 0)),
        shapely.MultiLineString([[(10, 0), (20, 0), (30, 0)], [(10, 0), (10, 50), (10, 90)]]),
    ]
    result, violations = _check(features)
    assert _ends(violations) == dict.fromkeys(
        [(0.0, 0.0), (30.0, 0.0), (10.0, 90.0)], ("dangle", None)
    )
    assert violations.rows.tolist() == [[0], [1], [1]]
    assert violations.part.tolist() == [-1, 0, 1]
    assert violations.vertex.tolist() == [0, 2, 2]
    assert violations.unit == "m"
    assert result.message == "3 free line ends: 3 dangles"


def test_undershoots_and_overshoots_are_measured():
    features = [
        FRAME,
        _line((0, 0), (100, 0)),
        _line((20, 50), (20, 1.5)),
        _line((40, 50), (40, -2.5)),
        _line((0, 0), (0, 50), (100, 50), (100, 0)),
    ]
    result, violations = _check(features)
    assert _ends(violations) == {
        (20.0, 1.5): ("undershoot", 1.5),
        (40.0, -2.5): ("overshoot", 2.5),
    }
    assert result.message == "2 free line ends: 1 undershoot, 1 overshoot"
    assert not _check(features, tolerance=1.4)[0].passed
    assert list(_ends(_check(features, tolerance=1.5)[1])) == [(40.0, -2.5)]
    assert _check(features, tolerance=2.5)[0].passed


def test_the_length_of_a_slanting_overshoot_counts_not_its_distance():
    features = [_line((-50, 0), (50, 0)), _line((-30, -30), (4, 4)), FRAME, FRAME]
    _, violations = _check(features)
    assert _ends(violations)[4.0, 4.0] == ("overshoot", round(4 * np.sqrt(2), 9))
    assert (4.0, 4.0) in _ends(_check(features, tolerance=4.5)[1])
    assert (4.0, 4.0) not in _ends(_check(features, tolerance=5.7)[1])


def test_a_crescent_that_misses_the_street_it_came_from_is_an_undershoot():
    features = [
        FRAME,
        _line((0, 0), (100, 0)),
        _line((20, 0), (20, 40), (60, 40), (60, 0.5)),
        FRAME,
    ]
    _, violations = _check(features)
    assert _ends(violations)[60.0, 0.5] == ("undershoot", 0.5)


def test_a_dead_end_near_another_street_is_an_undershoot_to_that():
    features = [FRAME, _line((0, 0), (100, 0)), _line((20, 0), (20, 27)), _line((0, 30), (100, 30))]
    _, violations = _check(features)
    assert _ends(violations)[20.0, 27.0] == ("undershoot", 3.0)


def test_a_ring_that_nearly_closes_falls_short_of_itself():
    open_ = _line((0, 0), (30, 0), (30, 30), (0, 30), (0, 2))
    crossed = _line((60, 0), (90, 0), (90, 30), (62, 30), (62, -3))
    _, violations = _check([FRAME, open_, crossed, FRAME])
    assert _ends(violations) == {
        (0.0, 0.0): ("undershoot", 2.0),
        (0.0, 2.0): ("undershoot", 2.0),
        (60.0, 0.0): ("overshoot", 2.0),
        (62.0, -3.0): ("overshoot", 3.0),
    }
    short = _line((0, 0), (1, 0))
    assert set(_ends(_check([FRAME, short, FRAME, FRAME])[1]).values()) == {("dangle", None)}


def test_an_end_beside_a_line_by_rounding_is_an_undershoot_of_nothing():
    across = _line((0.1, 0.2), (10.7, 7.9))
    foot = across.interpolate(0.3, normalized=True)
    assert not across.intersects(foot)
    features = [across, shapely.LineString([foot, (3, 9)])]
    _, violations = _check(features)
    reason, measure = _ends(violations)[foot.x, foot.y]
    assert reason == "undershoot"
    assert measure < 1e-12
    assert (foot.x, foot.y) not in _ends(_check(features, tolerance=1e-9)[1])


def test_tolerance_is_monotone():
    random = np.random.default_rng(3)
    features = list(shapely.linestrings(random.uniform(0, 20, (25, 2, 2))))
    sets = [set(_ends(_check(features, tolerance=t)[1])) for t in (0, 0.01, 0.1, 0.5, 1, 2, 5, 40)]
    assert all(more >= fewer for more, fewer in pairwise(sets))
    assert len(sets[0]) == 50
    assert len(sets[3]) < 50
    assert not sets[-1]


def test_ends_in_areas_of_exception_are_accepted():
    features = [_line((0, 0), (10, 0)), _line((10, 0), (20, 0)), _line((10, 0), (10, 5))]
    bow_tie = shapely.Polygon([(0, 0), (20, 1), (20, 0), (0, 1)])
    areas = memory_vector([shapely.box(-1, -1, 1, 1), shapely.box(20, -1, 30, 1), bow_tie])
    result, violations = _check(features, areas, except_within=OTHER)
    assert list(_ends(violations)) == [(10.0, 5.0)]
    assert "1 invalid geometry of except_within left out (row 2)" in result.message


def test_areas_of_exception_in_another_crs():
    features = [_line((500_000, 5_500_000), (500_900, 5_500_000))]
    box = np.array([shapely.box(499_990, 5_499_990, 500_010, 5_500_010)], dtype=object)
    here, there = memory_vector([]).profile, memory_vector([], crs="EPSG:4326").profile
    areas, _ = transformed(box, here.pyproj_crs, there.pyproj_crs)
    result, violations = _check(
        features, memory_vector(areas, crs="EPSG:4326"), except_within=OTHER
    )
    assert list(_ends(violations)) == [(500_900.0, 5_500_000.0)]
    assert "ends transformed from WGS 84 / UTM zone 33N to WGS 84" in result.message


def test_what_is_left_out_is_said_and_the_rest_is_judged():
    features = [
        None,
        shapely.from_wkt("LINESTRING (0 0, 0 0)"),
        shapely.Point(0, 0),
        shapely.box(0, 0, 1, 1),
        shapely.GeometryCollection([shapely.Point(1, 1), _line((0, 0), (5, 5))]),
        shapely.from_wkt("LINESTRING Z (5 5 1, 9 9 3)"),
        shapely.LineString(),
    ]
    result, violations = _check(features)
    assert sorted(_ends(violations)) == [(0.0, 0.0), (9.0, 9.0)]
    assert not any(g.has_z for g in violations.geometry)
    assert result.checked == 2
    for said in (
        "1 null geometry left out (row 0)",
        "1 invalid geometry left out (row 1)",
        "1 empty geometry left out (row 6)",
        "1 point feature not judged (row 2)",
        "1 polygon feature not judged (row 3)",
        "1 geometry collection judged by parts (row 4)",
        "1 3D geometry judged in the XY plane (row 5)",
    ):
        assert said in result.message


def test_a_tolerance_in_degrees_is_said():
    result, violations = _check([_line((0, 0), (1, 1))], crs="EPSG:4326", tolerance=0.1)
    assert violations.unit == "°"
    assert "the tolerance is in degrees" in result.message


@pytest.mark.parametrize("features", [[], [None], [shapely.LineString()]])
def test_nothing_with_ends_passes(features):
    assert _check(features)[0].passed


def test_polygons_alone_are_nothing_to_judge():
    result, _ = _check(squares(1, 1))
    assert result.status is Status.ERROR
    assert "no feature has a line" in result.message


def test_features_that_where_excludes_are_not_touched():
    data = memory_vector([_line((0, 0), (10, 0)), _line((10, 0), (0, 0))], {"old": [True, False]})
    assert run_rule(MustNotHaveDangles(), data)[0].passed
    result, _ = run_rule(MustNotHaveDangles(where="not old"), data)
    assert (result.violations, result.checked) == (2, 1)


lattice_lines = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=5),
    min_size=1,
    max_size=9,
).map(lambda several: [line for xy in several if (line := _line(*xy)).is_valid])


def _free(lines):
    """Ends that no other line and no other segment of their own meets."""
    free = set()
    for i, line in enumerate(lines):
        xy = [a for a, b in pairwise([*line.coords, None]) if a != b]
        for at, vertex in ((0, xy[0]), (1, xy[-1])):
            point = shapely.Point(vertex)
            own = sum(shapely.LineString(pair).intersects(point) for pair in pairwise(xy))
            others = any(point.intersects(o) for k, o in enumerate(lines) if k != i)
            if own == 1 and not others:
                free.add((i, at))
    return free


@settings(max_examples=60, deadline=None)
@given(lattice_lines, st.sampled_from(SIZES), st.sampled_from([1, 2]))
def test_free_ends_are_those_that_nothing_meets(lines, size, jobs):
    _, violations = _check(lines, size=size, jobs=jobs)
    found = [
        (row, int(v > 0)) for (row,), v in zip(violations.rows, violations.vertex, strict=True)
    ]
    assert len(set(found)) == len(found)
    assert set(found) == _free(lines)


def _misses(lines, i, at):
    """Distance fallen short of a line, and length run past one, of an end of a straight line."""
    own = lines[i]
    point = shapely.Point(own.coords[-at])
    under, over = np.inf, np.inf
    for k, other in enumerate(lines):
        if k != i:
            distance, contact = point.distance(other), own.intersection(other)
            tail = np.inf
            if own.intersects(other):
                tail = min(
                    point.distance(shapely.Point(c)) for c in shapely.get_coordinates(contact)
                )
            over = min(over, tail)
            if np.isinf(tail) or distance < 0.1 * tail:
                under = min(under, distance)
    return under, over


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 15),
    st.sampled_from(SIZES),
    st.sampled_from([0.0, 0.3, 2.0]),
)
def test_misses_of_straight_lines_are_the_least_over_all_lines(seed, n, size, tolerance):
    random = np.random.default_rng(seed)
    lines = list(shapely.linestrings(random.uniform(0, 10, (n, 2, 2))))
    _, violations = _check(lines, size=size, tolerance=tolerance)
    xmin, ymin, xmax, ymax = shapely.total_bounds(np.array(lines))
    reach = max(2 * tolerance, 0.05 * np.sqrt((xmax - xmin) * (ymax - ymin) / n))
    expected = Counter()
    for i, at in _free(lines):
        under, over = _misses(lines, i, at)
        miss = min(under, over)
        if tolerance and miss <= tolerance:
            continue
        reason = "dangle" if miss > reach else "overshoot" if over <= under else "undershoot"
        expected[i, at, reason, round(miss, 9) if miss <= reach else None] += 1
    found = Counter(
        (row, int(v > 0), reason, None if np.isnan(m) else round(m, 9))
        for (row,), v, reason, m in zip(
            violations.rows.tolist(),
            violations.vertex,
            violations.reasons,
            violations.measure,
            strict=True,
        )
    )
    assert found == expected


@settings(max_examples=25, deadline=None)
@given(lattice_lines, st.sampled_from(SIZES), st.sampled_from([0.0, 1.5]))
def test_the_result_is_the_same_for_any_cut(lines, size, tolerance):
    moved = [translate(g, 0.1 * i, 0) for i, g in enumerate(lines)]
    _, whole = _check(moved, tolerance=tolerance)
    _, cut = _check(moved, size=size, jobs=2, tolerance=tolerance)
    assert cut.rows.tolist() == whole.rows.tolist()
    assert cut.reasons.tolist() == whole.reasons.tolist()
    assert cut.measure.tobytes() == whole.measure.tobytes()
    assert shapely.to_wkb(cut.geometry).tolist() == shapely.to_wkb(whole.geometry).tolist()


def test_real_streets_end_where_no_other_street_is():
    frame = real_frame("streets")
    lines = list(frame.geometry)
    result, violations = _check(lines, size=10, jobs=2, crs=frame.crs)
    found = {
        (row, int(v > 0))
        for (row,), v in zip(violations.rows.tolist(), violations.vertex, strict=True)
    }
    assert found == _free(lines)
    assert result.checked == len(lines)
