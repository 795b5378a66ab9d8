from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry import related_pairs
from spatial_pipeline.check.geometry.related_pairs import (
    apart,
    predicate,
    related,
    shortest_lines,
    within_reach,
)
from spatial_pipeline.contract.rules.overlay import PREDICATES
from spatial_pipeline_tests.check.geometry.shapes import geometries

VALID = geometries().filter(lambda g: g.is_valid and g.geom_type != "GeometryCollection")
LAYERS = st.lists(VALID | st.none(), max_size=6)


def arrays(*layers):
    return [np.array([*layer, None], dtype=object)[:-1] for layer in layers]


@pytest.mark.parametrize("relation", [*PREDICATES, "T*T***T**", "****1****"])
def test_the_pairs_are_those_of_every_pair(relation, monkeypatch):
    monkeypatch.setattr(related_pairs, "CHUNK", 2)
    monkeypatch.setattr(related_pairs, "PAIRS", 3)
    monkeypatch.setattr(related_pairs, "INDEXED", 4)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(LAYERS, LAYERS)
    def agree(one, other):
        found = np.column_stack(related(*arrays(one, other), relation)).tolist()
        assert found == [
            [i, j]
            for i, a in enumerate(one)
            for j, b in enumerate(other)
            if a is not None and b is not None and bool(predicate(relation)(a, b))
        ]

    agree()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(LAYERS, LAYERS, st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_near_is_what_is_measured_as_near(one, other, reach):
    found = np.column_stack(within_reach(*arrays(one, other), reach)).tolist()
    *pairs, distance = apart(*arrays(one, other), reach)
    assert np.column_stack(pairs).tolist() == found
    assert distance.tolist() == [one[i].distance(other[j]) for i, j in found]
    assert found == [
        [i, j]
        for i, a in enumerate(one)
        for j, b in enumerate(other)
        if a is not None and b is not None and a.distance(b) <= reach
    ]


def test_a_check_that_was_cancelled_stops():
    def stop():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        related(*arrays([shapely.Point(0, 0)], [shapely.Point(0, 0)]), "intersects", stop)


def test_the_shortest_line_is_the_same_for_prepared_geometries() -> None:
    one = shapely.from_wkt("MULTILINESTRING ((0 0, 0 0, 0 1))")
    other = shapely.from_wkt("MULTILINESTRING ((0 1, 0 0))")
    before = shortest_lines(np.array([one]), np.array([other]))
    shapely.prepare(one)
    assert shapely.shortest_line(one, other) != before[0]  # the case would show nothing otherwise
    assert shortest_lines(np.array([one]), np.array([other]))[0] == before[0]
