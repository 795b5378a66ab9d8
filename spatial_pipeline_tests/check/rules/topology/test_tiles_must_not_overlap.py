import itertools

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_topology import TilesMustNotOverlap
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_raster, run_rule


def tile(x, y, width=4, height=3, **options):
    grid = (1, 0, x, 0, -1, y)
    return memory_raster(np.ones((1, height, width)), transform=grid, uri=f"{x}-{y}", **options)


def test_tiles_must_not_overlap_names_each_pair_and_area():
    rule = TilesMustNotOverlap(others=("b", "c", "d"))
    tiles = (tile(4, 0), tile(3, -2), tile(0, -3))
    result, violations = run_rule(rule, tile(0, 0), *tiles)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 3, 4)
    assert sorted(violations.reasons) == [
        "0-0 and 3--2 overlap", "3--2 and 0--3 overlap", "4-0 and 3--2 overlap",
    ]  # fmt: skip
    assert sorted(violations.measure) == [1, 2, 3]
    assert run_rule(TilesMustNotOverlap(others=("b",), tolerance=1), tile(0, 0), tile(3, -2))[
        0
    ].passed
    assert run_rule(TilesMustNotOverlap(others=("b",)), tile(0, 0), tile(4, 0))[0].passed


def test_tiles_must_not_overlap_is_not_fooled_by_rounded_headers():
    rule = TilesMustNotOverlap(others=("b",))
    assert run_rule(rule, tile(0, 0), tile(4 - 1e-7, 0))[0].passed
    result, _ = run_rule(rule, tile(0, 0), tile(9, 0, error="broken"))
    assert (result.status, "needs a readable raster" in result.message) == (Status.ERROR, True)
    result, _ = run_rule(rule, tile(0, 0, crs=None), tile(9, 0))
    assert (result.status, "needs crs" in result.message) == (Status.ERROR, True)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=5))
@settings(max_examples=60, deadline=None)
def test_tiles_must_not_overlap_is_every_pair(corners):
    tiles = [tile(*c) for c in corners]
    result, violations = run_rule(TilesMustNotOverlap(others=("b",) * (len(tiles) - 1)), *tiles)
    boxes = [shapely.box(x, y - 3, x + 4, y) for x, y in corners]
    areas = [a.intersection(b).area for a, b in itertools.combinations(boxes, 2)]
    np.testing.assert_allclose(sorted(violations.measure), sorted(a for a in areas if a))
    assert result.passed is not any(areas)
