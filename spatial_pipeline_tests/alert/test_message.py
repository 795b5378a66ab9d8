"""What people read."""

from __future__ import annotations

import json

from spatial_pipeline.alert.incidents import IncidentChange, observe
from spatial_pipeline.alert.message import MOST_LISTED, Links, compose
from spatial_pipeline.alert.problems import rule_key
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline_tests.alert.cases import KEY, fact, held, seen

LINKS = Links("http://ui")


def changes(*violations: int | None) -> list[IncidentChange]:
    """What was told last after these numbers of violations; None is right."""
    incidents, told = observe({}, seen(0.0))
    for at, n in enumerate(violations, start=1_700_000_000):
        right = (KEY,) if n is None else ()
        facts = () if n is None else (fact(violations=n),)
        incidents, told = observe(incidents, seen(float(at), *facts, right=right))
    return told


def test_opened() -> None:
    told = changes(4)
    message = compose(told[0].id, told, LINKS)
    assert message.title == "roads[p1]: unique failed"
    assert message.level == "failure"
    for words in (
        "4 duplicates",
        "Partition: p1",
        "Rule:      unique (error)",
        "Counts:    4 violations in 100 checked",
        "Version:   v1",
        "First defects: duplicate · 4711, 4712 · at 1603607.55, 6463658.73 · 0.5 m",
        "All defects: /store/roads/p1/v1/violations.parquet",
        "Run: http://ui/runs/run-1",
        "Asset: http://ui/assets/roads/staged?view=partitions&partition=p1",
        "Check: http://ui/assets/roads/staged?view=checks&checkDetail=unique",
        f"[{told[0].id}]",
    ):
        assert words in message.text


def test_updated_says_before_and_now() -> None:
    told = changes(4, 40)
    message = compose(told[0].id, told, LINKS)
    assert message.title == "roads[p1]: unique changed"
    assert "40 violations in 100 checked, 4 before" in message.text
    assert message.facts[0]["violations_before"] == 4


def test_closed() -> None:
    told = changes(4, None)
    message = compose(told[0].id, told, LINKS)
    assert (message.title, message.level) == ("roads[p1]: unique fixed", "success")
    assert "duplicate" not in message.text
    assert "until 2023-11-14 22:13:21" in message.text


def test_a_warning_is_none_too_many() -> None:
    _, told = observe({}, seen(0.0, fact(severity=Severity.WARN)))
    message = compose("x", told, LINKS)
    assert (message.title, message.level) == ("roads[p1]: unique failed (warning)", "warning")


def test_held() -> None:
    _, told = observe({}, seen(0.0, held(summary="unique: failed: 4 duplicates", sample=())))
    message = compose("x", told, Links())
    assert message.title == "roads: publication held"
    assert "http" not in message.text


def test_html_is_escaped() -> None:
    _, told = observe({}, seen(0.0, fact(rule_key("<b>", "<i>", "r"), summary="<script>")))
    message = compose("x", told, LINKS)
    assert "<script>" not in message.html
    assert "&lt;script&gt;" in message.html
    assert "<i>" not in message.html


def test_a_digest_counts_all_and_lists_some() -> None:
    facts = [fact(rule_key("roads", f"p{i}", "unique")) for i in range(60)]
    _, told = observe({}, seen(0.0, *facts, held("rivers")))
    message = compose("x", told, LINKS)
    assert message.title == "61 failed (2 datasets)"
    assert message.text.count("\n- ") == MOST_LISTED
    assert f"and {61 - MOST_LISTED} more" in message.text
    assert len(json.dumps(message.facts)) > 0
