"""Outer rings and holes, against an oracle that takes ring by ring with exact numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.formats.shapefile_rings import grouped
from spatial_pipeline_tests.ingest.shapefile_oracle import polygons_of

Ring = list[tuple[float, float]]
NUMBER = st.integers(0, 12).map(float)
BOX = st.builds(
    lambda x, y, size, turned: [
        (x, y), (x, y + size), (x + size, y + size), (x + size, y), (x, y)
    ][:: -1 if turned else 1],
    NUMBER, NUMBER, st.sampled_from([1.0, 2.0, 3.0, 6.0, 12.0]), st.booleans(),
)  # fmt: skip
ANY = st.lists(st.tuples(NUMBER, NUMBER), min_size=3, max_size=6).map(lambda r: [*r, r[0]])
NAN = st.just([(0.0, 0.0), (float("nan"), 1.0), (1.0, 1.0), (0.0, 0.0)])
RINGS = st.lists(BOX | BOX | ANY | NAN, min_size=1, max_size=6)


@given(st.lists(RINGS, min_size=1, max_size=4))
@settings(deadline=None, max_examples=300)
def test_rings_are_grouped_as_the_oracle_does(records: list[list[Ring]]) -> None:
    # A ring that is drawn twice must be two lists to be told apart.
    records = [[list(ring) for ring in record] for record in records]
    rings = [ring for record in records for ring in record]
    xy = np.array([p for ring in rings for p in ring])
    owner = np.repeat(np.arange(len(records)), [len(r) for r in records])
    found = grouped(xy, np.array([len(r) for r in rings]), owner)
    wanted = [polygons_of(record) for record in records]
    order = [[id(r) for r in polygon] for polygons in wanted for polygon in polygons]
    numbers = {id(ring): i for i, ring in enumerate(rings)}
    assert found.rings.tolist() == [numbers[i] for polygon in order for i in polygon]
    shells = [i == 0 for polygon in order for i, _ in enumerate(polygon)]
    assert found.shells.tolist() == shells
