from __future__ import annotations

import json
import math

from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import as_json
from spatial_pipeline_tests.report.cases import PASSED, checked, result


def test_the_object_is_the_one_that_was_promised() -> None:
    value = as_json([checked()])
    (dataset,) = value["datasets"]
    assert {k: v for k, v in dataset.items() if k != "results"} == {
        "dataset": "counties",
        "version": "v1",
        "partition": None,
        "passed": False,
    }
    assert dataset["results"][1] == {
        "name": "overlaps",
        "rule": "must_not_overlap",
        "family": "topology",
        "severity": "error",
        "passed": False,
        "status": "failed",
        "checked": 64,
        "violations": 6,
        "value": 6.0,
        "threshold": 0.0,
        "message": "6 overlaps",
        "elapsed_s": 0.25,
        "sample": [
            {
                "keys": [["08001"], ["08005"]],
                "reason": "overlap",
                "location": [1.0, 2.0],
                "measure": 0.0031,
                "unit": "m²",
            }
        ],
        "excepted": {},
    }
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_what_json_cannot_hold_is_null() -> None:
    odd = result(value=math.nan, threshold=math.inf, message="\ud800", sample=(
        Violation(((math.nan,),), "x", None, -math.inf),
    ))  # fmt: skip
    (dataset,) = as_json([checked(evaluations=((odd, Violations.none()),))])["datasets"]
    (value,) = dataset["results"]
    json.dumps(value, allow_nan=False).encode()
    assert value["value"] is None
    assert value["threshold"] is None
    assert value["message"] == "\ufffd"
    assert value["sample"][0]["keys"] == [[None]]


def test_only_a_blocking_rule_holds_and_nothing_checked_is_not_passed() -> None:
    warning = result(severity=Severity.WARN)
    for status in (Status.ERROR, Status.TIMEOUT, Status.FAILED):
        assert not checked(evaluations=((result(status=status), Violations.none()),)).passed
    assert checked(evaluations=((PASSED, Violations.none()), (warning, Violations.none()))).passed
    assert not checked(evaluations=()).passed
    assert checked(partition="north").title == "counties[north]"
