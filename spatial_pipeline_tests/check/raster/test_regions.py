import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_pipeline.check.raster import regions as raster_regions
from spatial_pipeline.check.raster.region_outlines import outlines
from spatial_pipeline.check.raster.regions import RegionFinder, Runs, components, union
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.raster_window import PixelWindow

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))


@pytest.fixture(autouse=True, scope="module", params=[1, 7, raster_regions.STRIP])
def _strips(request):
    """Windows worked on row by row, a few pixels at a time, and whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_regions, "STRIP", request.param)
        yield


def flood(mask):
    """Regions by flood fill: sets of (row, column)."""
    left = set(zip(*(i.tolist() for i in np.nonzero(mask)), strict=True))
    regions = []
    while left:
        edge = [min(left)]
        left.discard(edge[0])
        region = set()
        while edge:
            r, c = edge.pop()
            region.add((r, c))
            for place in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                if place in left:
                    left.discard(place)
                    edge.append(place)
        regions.append(region)
    return regions


def pixels(region, transform=(1, 0, 0, 0, -1, 0)):
    a, b, c, d, e, f = transform

    def corner(x, y):
        return a * x + b * y + c, d * x + e * y + f

    return shapely.union_all(
        [
            shapely.Polygon([corner(*p) for p in ((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1))])
            for y, x in region
        ]
    )


def find(mask, told=None, block=(100, 100), order=None, transform=(1, 0, 0, 0, -1, 0), band=1):
    height, width = mask.shape
    told = np.zeros(mask.shape) if told is None else told
    finder = RegionFinder(RasterProfile("m", width=width, height=height, transform=transform))
    offsets = [(r, c) for r in range(0, height, block[0]) for c in range(0, width, block[1])]
    marks = [None] * len(offsets)
    for i in range(len(offsets)) if order is None else order(len(offsets)):
        r, c = offsets[i]
        part = slice(r, r + block[0]), slice(c, c + block[1])
        window = PixelWindow(told[part][None], mask[part][None], r, c, transform)
        marks[i] = finder.mark(window, band, mask[part], told[part])
    violations, note = finder.violations(marks, lambda *told: repr(told))
    return violations.sorted(), note


def test_regions_touching_at_a_corner_only_are_apart():
    mask = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)
    told = np.arange(9.0).reshape(3, 3)
    violations, note = find(mask, told)
    assert note == ""
    assert violations.measure.tolist() == [1, 2]
    assert violations.unit == "px"
    assert violations.reasons.tolist() == ["(1, 0.0, 0.0, 0)", "(1, 4.0, 5.0, 0)"]
    assert violations.geometry[0].normalize().equals_exact(shapely.box(0, -1, 1, 0).normalize())
    assert violations.geometry[1].equals(shapely.box(1, -2, 3, -1))


def test_a_hole_that_touches_the_shell_stays_a_hole():
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]], dtype=bool)
    violations, _ = find(mask)
    (outline,) = violations.geometry
    assert outline.is_valid
    assert len(outline.interiors) == 1
    assert outline.equals(pixels(flood(mask)[0]))


def test_nothing_marked():
    violations, note = find(np.zeros((3, 2), dtype=bool))
    assert (len(violations), note) == (0, "")
    assert union(violations) is None


@given(
    masks,
    st.integers(1, 9),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
    st.sampled_from([(1, 0, 0, 0, -1, 0), (2, 0.5, -30, -0.5, 3, 40), (0, 5, 0, 5, 0, 0)]),
)
@settings(max_examples=60, deadline=None)
def test_regions_are_those_of_a_flood_fill_however_the_raster_is_cut(
    mask, rows, columns, random, transform
):
    told = np.array(
        [[(7 * r + 13 * c) % 10 for c in range(mask.shape[1])] for r in range(len(mask))]
    )
    told = np.where(told == 3, np.nan, told.astype(float))

    def shuffled(n):
        return random.sample(range(n), n)

    violations, _ = find(mask, told, (rows, columns), shuffled, transform)
    whole, _ = find(mask, told, transform=transform)
    assert violations.reasons.tolist() == whole.reasons.tolist()
    assert shapely.to_wkb(violations.geometry).tolist() == shapely.to_wkb(whole.geometry).tolist()
    assert shapely.is_valid(violations.geometry).all()
    regions = flood(mask)
    assert len(violations) == len(regions)
    for region in regions:
        expected = pixels(region, transform)
        values = np.array([told[p] for p in region])
        numbers = values[~np.isnan(values)]
        (same,) = (i for i, g in enumerate(violations.geometry) if g.equals(expected))
        assert violations.measure[same] == len(region)
        low, high = (numbers.min(), numbers.max()) if len(numbers) else (float("nan"), float("nan"))
        told_of = (1, float(low), float(high), int(np.isnan(values).sum()))
        assert violations.reasons[same] == repr(told_of)
    together = union(violations)
    if len(violations):
        assert together.is_valid
        assert together.area == pytest.approx(sum(pixels(r, transform).area for r in regions))


@given(masks)
@settings(max_examples=60, deadline=None)
def test_outlines_have_only_true_corners(mask):
    violations, _ = find(mask)
    for outline in violations.geometry:
        for ring in (outline.exterior, *outline.interiors):
            step = np.diff(np.array(ring.coords), axis=0)
            assert ((step != 0).sum(axis=1) == 1).all()
            turns = (step[:, 0] != 0) != np.roll(step[:, 0] != 0, 1)
            assert turns.all()


def test_outlines_of_nothing():
    none = np.empty(0, dtype=np.int64)
    assert len(outlines(none, none, none, none, (1, 0, 0, 0, 1, 0))) == 0


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11))))
@settings(max_examples=60, deadline=None)
def test_components_are_those_of_a_search(n, edges):
    edges = [(a % n, b % n) for a, b in edges]
    a, b = (np.array([e[i] for e in edges], dtype=np.int64) for i in range(2))
    expected = list(range(n))
    for _ in range(n):
        for x, y in edges:
            expected[x] = expected[y] = min(expected[x], expected[y])
    assert components(n, a, b).tolist() == expected


def test_integers_of_64_bits_keep_all_their_digits():
    told = np.array([[2**63 - 1, 2**63 - 2]])
    violations, _ = find(np.ones((1, 2), dtype=bool), told)
    assert violations.reasons.tolist() == [f"(1, {2**63 - 2}, {2**63 - 1}, 0)"]


@given(masks, st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_above_the_limit_the_cells_hold_the_same_pixels(mask, limit, rows, columns):
    starts = mask & ~np.pad(mask, ((0, 0), (1, 0)))[:, :-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_regions, "RUN_LIMIT", limit)
        patch.setattr(raster_regions, "CELLS", 3)
        violations, note = find(mask, block=(rows, columns))
        cell = -(-max(mask.shape) // 3)
    assert (note != "") == (np.count_nonzero(starts) > limit)
    if not note:
        assert len(violations) == len(flood(mask))
        return
    expected = {}
    for r, c in zip(*np.nonzero(mask), strict=True):
        place = r // cell, c // cell
        expected[place] = expected.get(place, 0) + 1
    assert violations.measure.sum() == np.count_nonzero(mask)
    assert len(violations) == len(expected)
    for i, box in enumerate(violations.geometry):
        x, _, _, y = box.bounds
        place = int(-y) // cell, int(x) // cell
        assert violations.measure[i] == expected[place]
        rest = min(cell, mask.shape[1] - int(x)) * min(cell, mask.shape[0] - int(-y))
        assert box.area == rest
    assert union(violations).is_valid


def test_runs_of_a_window_are_placed_in_the_raster():
    mask = np.array([[0, 1, 1], [1, 0, 1]], dtype=bool)
    runs = Runs.of(mask, np.array([[0, 5, 4], [3, 0, 2]]), 10, 20)
    assert runs.row.tolist() == [10, 11, 11]
    assert runs.start.tolist() == [21, 20, 22]
    assert runs.stop.tolist() == [23, 21, 23]
    assert runs.low.tolist() == [4, 3, 2]
    assert runs.high.tolist() == [5, 3, 2]


def test_a_run_that_windows_cut_counts_once(monkeypatch):
    monkeypatch.setattr(raster_regions, "RUN_LIMIT", 1)
    mask = np.ones((1, 9), dtype=bool)
    violations, note = find(mask, block=(1, 1))
    assert (len(violations), note) == (1, "")
