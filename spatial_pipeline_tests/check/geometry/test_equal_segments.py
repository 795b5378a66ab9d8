import numpy as np

from spatial_pipeline.check.geometry import equal_segments
from spatial_pipeline.check.geometry.equal_segments import among, ends_in_order, once

START = np.array([[0.0, 0], [1, 1], [2, 0], [2, 5], [-0.0, 0]])
END = np.array([[1.0, 1], [0, 0], [2, 5], [2, 0], [1, 2]])


def test_direction_and_the_sign_of_zero_do_not_matter():
    ends, back = ends_in_order(START, END)
    assert back.tolist() == [False, True, False, True, False]
    assert ends.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 0, 2, 5], [2, 0, 2, 5], [0, 0, 1, 2]]
    first, number = once(ends)
    assert first.tolist() == [0, 2, 4]
    assert number.tolist() == [0, 0, 1, 1, 2]
    assert among(ends, ends[2:3]).tolist() == [False, False, True, True, False]
    assert among(ends, ends[:0]).tolist() == [False] * 5


def test_equal_hashes_are_no_proof(monkeypatch):
    monkeypatch.setattr(equal_segments, "_hashed", lambda some: np.zeros(len(some), np.uint64))
    ends, _ = ends_in_order(START, END)
    assert once(ends)[0].tolist() == [0, 1, 2, 3, 4]
    assert among(ends, ends[2:3]).tolist() == [False, False, True, True, False]
