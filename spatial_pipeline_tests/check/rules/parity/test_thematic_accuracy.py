import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import ThematicAccuracy
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_vector

OTHER = OtherSource(uri="samples.gpkg")
VALUES = np.array([[[1, 1, 2], [2, 2, 0]]], dtype=np.uint8)


def samples(classes, places):
    return memory_vector([shapely.Point(c + 0.5, -r - 0.5) for r, c in places], {"class": classes})


def test_thematic_accuracy_names_wrong_samples_and_low_classes():
    other = samples([1, 2, 2, 2, 1], [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)])
    rule = ThematicAccuracy(other=OTHER, column="class", min_overall=0.8, min_users=0.6)
    result, violations = any_cut(rule, VALUES, other, nodata=0)
    assert (result.status, result.checked, result.value) == (Status.FAILED, 4, 0.75)
    assert violations.reasons.tolist() == ["1, sampled as 2"]
    assert violations.geometry[0].equals(shapely.Point(1.5, -0.5))
    assert result.sample[0].keys == ((1,),)
    assert "overall accuracy 75% is too low; user's accuracy 50% of class 1" in result.message
    assert "confusion (class, sampled as, count): 1 1 1; 1 2 1; 2 2 2" in result.message
    assert "1 samples lie where there is no data" in result.message
    loose = ThematicAccuracy(other=OTHER, column="class", min_overall=0.75, min_producers=0.6)
    assert any_cut(loose, VALUES, other, nodata=0)[0].passed


def test_thematic_accuracy_without_samples_in_the_data_is_an_error():
    rule = ThematicAccuracy(other=OTHER, column="class", min_overall=0.5)
    result, _ = any_cut(rule, VALUES, samples([1], [(9, 9)]))
    assert (result.status, "none is" in result.message) == (Status.ERROR, True)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 3)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_thematic_accuracy_is_the_confusion_matrix(given_samples):
    values = np.random.default_rng(2).integers(1, 4, (1, 3, 4))
    other = samples([k for *_, k in given_samples], [(r, c) for r, c, _ in given_samples])
    rule = ThematicAccuracy(other=OTHER, column="class", min_overall=1, min_producers=0.5)
    result, violations = any_cut(rule, values, other)
    right = [int(values[0, r, c]) == k for r, c, k in given_samples]
    assert result.value == sum(right) / len(right)
    assert len(violations) == (0 if all(right) else right.count(False))
