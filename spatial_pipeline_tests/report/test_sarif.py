"""SARIF logs of many violations; ``commands/test_outputs.py`` has those of a check."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.sarif import sarif
from spatial_pipeline_tests.report.cases import checked, result


def test_sarif_has_no_more_results_than_a_code_host_takes() -> None:
    """GitHub refuses a run with more than 25,000 results; rare rules keep all of theirs."""
    many = Violations.build(np.arange(90), "gap", np.full(90, shapely.Point(1, 2)))
    few = Violations.build(np.arange(2), "overlap", np.full(2, shapely.Point(1, 2)))
    evaluations = ((result("gaps", violations=90), many), (result("b", violations=2), few))
    contract = VectorContract.model_validate(
        {"name": "a", "source": {"uri": "a.gpkg"}, "rules": [{"rule": "valid_geometry"}]}
    )
    (run,) = sarif([contract], [checked("a", evaluations=evaluations)], most=10)["runs"]
    assert [r["properties"]["reason"] for r in run["results"]] == ["gap"] * 8 + ["overlap"] * 2
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    (said,) = invocation["toolExecutionNotifications"]
    assert said["message"]["text"].startswith("82 of 92 violations are left out")
