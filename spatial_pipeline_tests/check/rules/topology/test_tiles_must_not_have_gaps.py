import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_topology import TilesMustNotHaveGaps
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.topology.test_tiles_must_not_overlap import tile
from spatial_pipeline_tests.support import run_rule

FRAME = [(0, 0, 6, 2), (0, -4, 6, 2), (0, -2, 2, 2), (4, -2, 2, 2)]


def test_tiles_must_not_have_gaps_outlines_an_enclosed_one():
    first, *others = (tile(*f) for f in FRAME)
    rule = TilesMustNotHaveGaps(others=("b", "c", "d"))
    result, violations = run_rule(rule, first, *others)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 4)
    assert violations.geometry[0].equals(shapely.box(2, -4, 4, -2))
    assert (violations.measure.tolist(), violations.unit) == ([4], "m²")
    assert run_rule(TilesMustNotHaveGaps(others=("b",), tolerance=4), first, *others)[0].passed
    assert run_rule(rule, first, *others, tile(2, -2, 2, 2))[0].passed
    assert run_rule(rule, first, *others, tile(2 + 1e-7, -2, 2, 2))[0].passed


def test_tiles_must_not_have_gaps_within_an_extent():
    rule = TilesMustNotHaveGaps(others=("b",), within=(0, -3, 10, 0))
    result, violations = run_rule(rule, tile(0, 0), tile(6, 0))
    assert violations.geometry[0].equals(shapely.box(4, -3, 6, 0))
    assert run_rule(rule, tile(0, 0), tile(6, 0), tile(4, 0, 2))[0].passed
    assert result.message == "1 gaps between 2 tiles, largest 6 m²"


@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2))
@settings(max_examples=60, deadline=None)
def test_tiles_must_not_have_gaps_is_every_cell(cells):
    tiles = [tile(4 * x, -3 * y) for x, y in sorted(cells)]
    within = (0, -12, 16, 0)
    rule = TilesMustNotHaveGaps(others=("b",) * (len(tiles) - 1), within=within)
    _, violations = run_rule(rule, *tiles)
    np.testing.assert_allclose(violations.measure.sum(), 12 * (16 - len(cells)))
