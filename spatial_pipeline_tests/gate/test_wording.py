"""The line that a failed run begins with."""

from __future__ import annotations

from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.gate.wording import held_line
from spatial_pipeline_tests.report.cases import result


def test_rules_with_most_violations_first() -> None:
    results = [
        result("valid", violations=3),
        result("warned", severity=Severity.WARN),
        result("overlaps", violations=1234),
        result("fine", status=Status.PASSED, violations=0),
        result("late", status=Status.TIMEOUT, violations=0),
        result("crs", violations=0),
    ]
    reasons = ("valid: failed: 3 are not", "the schema differs from that of v1: a added")
    assert held_line(results, reasons) == (
        "held: 4 rules fail: overlaps (1,234), valid (3), crs, late (timeout); 1 other reason"
    )
    assert held_line(results[:1]) == "held: 1 rule fails: valid (3)"


def test_reasons_when_no_rule_fails() -> None:
    assert held_line([], ("never checked",)) == "held: never checked"
    assert held_line([], ("withdrawn", "a", "b")) == "held: withdrawn (and 2 other reasons)"
    assert held_line([]) == "held"


def test_many_rules_are_counted() -> None:
    line = held_line([result(f"rule{i}", violations=9 - i) for i in range(9)])
    assert line.startswith("held: 9 rules fail: rule0 (9), rule1 (8), ")
    assert line.endswith("rule7 (2), 1 more")
