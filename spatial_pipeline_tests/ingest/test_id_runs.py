from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest import id_runs
from spatial_pipeline.ingest.id_runs import IdRuns
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.report.feature_ids import feature_ids


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(-5, 30) | st.integers(2**62, 2**62 + 9), max_size=8), max_size=6)
)
def test_every_number_is_found_again(batches: list[list[int]]) -> None:
    runs = IdRuns()
    for batch in batches:
        runs.add(np.array(batch, dtype=np.int64))
    every = [number for batch in batches for number in batch]
    profile = VectorProfile("a", feature_ids=runs.runs)
    assert feature_ids(profile, np.arange(len(every))).to_pylist() == every
    assert VectorProfile.from_json(profile.to_json()) == profile


def test_numbers_without_a_break_are_one_run_over_all_batches() -> None:
    runs = IdRuns()
    for begin in (1, 4, 7):
        runs.add(np.arange(begin, begin + 3))
    assert runs.runs == ((0, 1),)
    assert IdRuns().runs is None


def test_scattered_numbers_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_runs, "MAX_RUNS", 3)
    runs = IdRuns()
    runs.add(np.array([1, 3, 5]))
    assert runs.runs == ((0, 1), (1, 3), (2, 5))
    runs.add(np.array([7]))
    assert runs.runs is None


def test_rows_stand_for_features_without_a_number() -> None:
    rows = np.array([4, -1, 0])
    for profile in (None, VectorProfile("a")):
        assert feature_ids(profile, rows).to_pylist() == [4, None, 0]
