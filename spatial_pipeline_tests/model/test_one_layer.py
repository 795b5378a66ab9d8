"""Several datasets as one layer: as if their features had been delivered together."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.joins import ForeignKey
from spatial_pipeline.contract.rules.overlay import MustBeDisjoint
from spatial_pipeline.contract.rules.topology import MustBeCoveredBy
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.one_layer import SOURCE_ROWS, OneLayer, each
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHERS = ({"dataset": "a"}, {"dataset": "b"})


def layer(corners, crs="EPSG:32633", **profile):
    boxes = [None if c is None else shapely.box(c, 0, c + 2, 1) for c in corners]
    columns = {"id": [f"k{c}" for c in corners], "n": list(range(len(corners)))}
    return memory_vector(boxes, columns, crs=crs, batch_size=2, **profile)


def content(batch: FeatureBatch) -> list[tuple[object, ...]]:
    geometry = [None if g is None else g.wkt for g in batch.geometry]
    return list(zip(geometry, batch.table.column("id").to_pylist(), strict=True))


CORNERS = st.lists(st.none() | st.integers(0, 9), max_size=5)


@given(st.lists(CORNERS, min_size=1, max_size=3), st.randoms())
@settings(max_examples=60, deadline=None)
def test_every_way_of_reading_gives_the_features_one_after_the_other(parts, random):
    one = OneLayer([layer(p) for p in parts])
    whole = layer([c for p in parts for c in p])
    batches = [one.batch(i, ("id",)) for i in range(one.batch_count())]
    everything = [row for b in batches for row in content(b)]
    expected = content(whole.take(np.arange(whole.row_count()), ("id",)))
    assert everything == expected
    np.testing.assert_array_equal(one.batch_starts(), np.cumsum([0, *map(len, batches)]))
    bounds = [one.batch_bounds(i) for i in range(one.batch_count())]
    np.testing.assert_array_equal(one.feature_bounds(), whole.feature_bounds())
    np.testing.assert_array_equal(np.concatenate([np.empty((0, 4)), *bounds]), one.feature_bounds())
    asked = np.array(random.choices(range(len(expected)), k=7) if expected else [], np.int64)
    taken = one.take(asked, ("id",))
    assert content(taken) == [expected[i] for i in asked]
    np.testing.assert_array_equal(taken.positions, asked)
    np.testing.assert_array_equal(one.rows_to_positions(taken.rows), asked)
    assert len(one.take(asked, (), geometry=False).table.columns) == 0
    assert (one.profile.count, one.profile.bounds) == (whole.profile.count, whole.profile.bounds)


@given(CORNERS, CORNERS, CORNERS)
@settings(max_examples=25, deadline=None)
def test_a_rule_judges_both_as_it_judges_one_dataset_of_their_features(own, first, second):
    data, one = layer(own), OneLayer([layer(first), layer(second)])
    whole = layer([*first, *second])
    for rule in (MustBeCoveredBy, MustBeDisjoint):
        results = [run_rule(rule(others=OTHERS, if_present=True), data, o)[0] for o in (one, whole)]
        assert results[0].status == results[1].status
        assert results[0].violations == results[1].violations
    keys = ForeignKey(others=OTHERS, columns=("id",))
    assert run_rule(keys, data, one)[0].violations == run_rule(keys, data, whole)[0].violations


def test_features_of_the_others_are_named_by_dataset_and_row():
    one = OneLayer([layer([0], uri="a.gpkg"), layer([8, 4], uri="b.gpkg")])
    result, violations = run_rule(MustBeDisjoint(others=OTHERS), layer([5]), one)
    assert violations.keys.tolist() == [((0,), ("b.gpkg", 1))]
    assert result.against == {"0:a.gpkg": "memory", "1:b.gpkg": "memory"}
    assert each((one,)) == one.layers
    keyed = run_rule(MustBeDisjoint(others=OTHERS), layer([5]), one, key=("id",))[1]
    assert keyed.keys.tolist() == [(("k5",), ("k4",))]


def test_columns_are_the_common_ones_in_the_wider_type():
    first = memory_vector([None], {"a": [1], "only": ["x"]}, undecodable=(0,))
    second = memory_vector([None], {"a": [0.5]}, undecodable=(0,))
    one = OneLayer([first, second])
    assert [c.name for c in one.profile.columns] == ["a"]
    assert one.take(np.array([1, 0]), ("a",)).table.column("a").to_pylist() == [0.5, 1.0]
    assert one.profile.undecodable == (0, SOURCE_ROWS)
    with pytest.raises(RuleError, match="the columns of memory differ"):
        OneLayer([first, memory_vector([None], {"a": ["x"]})]).batch(0, ("a",))


@pytest.mark.parametrize("crs", ["EPSG:4326", None])
def test_coordinates_that_mean_different_things_are_no_layer(crs):
    with pytest.raises(RuleError, match="one layer needs one"):
        OneLayer([layer([1]), layer([1], crs=crs)])
    with pytest.raises(RuleError, match="some have geometry"):
        OneLayer([layer([1]), layer([1], geometry_column=None)])
