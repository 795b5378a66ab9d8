from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.check.coverage.measure_summary import (
    MeasureSummary,
    common_unit,
    joined,
    summary,
)
from spatial_pipeline.model.violations import Violations


def _violations(measures, unit):
    return Violations.build(np.arange(len(measures)), "x", None, measures, unit)


def test_the_unit_says_which_is_which_only_where_both_are():
    areas, lines, none = _violations([2.0], "m²"), _violations([3.0], "m"), Violations.none()
    assert joined(areas, none).unit == "m²"
    assert joined(none, lines).unit == "m"
    both = joined(areas, lines, _violations([np.nan], ""))
    assert both.unit == "m² (lines: m)"
    assert both.measure.tolist()[:2] == [2.0, 3.0]
    assert joined(_violations([2.0], ""), _violations([2.0], "")).unit == ""


def test_summary_counts_and_names_the_largest():
    def said(measures, unit, *words):
        return summary(MeasureSummary.of(_violations(measures, unit)), *words)

    assert said([], "", "gap") == ""
    assert said([2.0], "m²", "gap") == "1 gap, largest 2 m²"
    assert said([2.0, 3.25], "m", "line", "longest") == "2 lines, longest 3.25 m"
    assert said([2.0], "", "gap") == "1 gap, largest 2"
    assert said([np.nan, np.nan], "", "point") == "2 points"


@given(st.lists(st.lists(st.sampled_from([np.nan, 0.0, 1.5, 7.0]), max_size=3), max_size=5))
def test_tallies_add_up_to_that_of_all_findings(parts):
    violations = [_violations(measures, "m²") for measures in parts]
    summed = MeasureSummary.sum(map(MeasureSummary.of, violations))
    whole = MeasureSummary.of(Violations.concat(violations))
    assert summary(summed, "gap") == summary(whole, "gap")
    assert summed.count == whole.count
    assert summed.unit == whole.unit or not whole.count
    nothing = MeasureSummary.of(_violations([1.0], "m"))
    assert common_unit(summed, nothing) == ("m² (lines: m)" if whole.count else "")
    assert common_unit(nothing, summed) == ("m (lines: m²)" if whole.count else "")
