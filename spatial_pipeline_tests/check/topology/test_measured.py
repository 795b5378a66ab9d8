from __future__ import annotations

import numpy as np

from spatial_pipeline.check.topology.measured import joined, summary
from spatial_pipeline.results import Findings


def _findings(measures, unit):
    return Findings.build(np.arange(len(measures)), "x", None, measures, unit)


def test_the_unit_says_which_is_which_only_where_both_are():
    areas, lines, none = _findings([2.0], "m²"), _findings([3.0], "m"), Findings.none()
    assert joined(areas, none).unit == "m²"
    assert joined(none, lines).unit == "m"
    both = joined(areas, lines, _findings([np.nan], ""))
    assert both.unit == "m² (lines: m)"
    assert both.measure.tolist()[:2] == [2.0, 3.0]
    assert joined(_findings([2.0], ""), _findings([2.0], "")).unit == ""


def test_summary_counts_and_names_the_largest():
    assert summary(Findings.none(), "gap") == ""
    assert summary(_findings([2.0], "m²"), "gap") == "1 gap, largest 2 m²"
    assert summary(_findings([2.0, 3.25], "m"), "line", "longest") == "2 lines, longest 3.25 m"
    assert summary(_findings([2.0], ""), "gap") == "1 gap, largest 2"
    assert summary(_findings([np.nan, np.nan], ""), "point") == "2 points"
