"""What people read."""

from __future__ import annotations

import json

import pytest

from spatial_pipeline.alert.incidents import IncidentChange, observe
from spatial_pipeline.alert.message import MOST_LISTED, Exhibit, Links, compose
from spatial_pipeline.alert.problems import Key, Kind, rule_key
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline_tests.alert.cases import KEY, fact, held, seen

LINKS = Links("http://ui", "http://files/", "production")


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
    exhibit = Exhibit("version v0, since 2023-11-14 03:00:00 UTC")
    message = compose(told[0].id, told, LINKS, exhibit)
    assert message.title == "[production] roads[p1] is held: unique fails"
    assert message.level == "failure"
    for words in (
        "- unique (error): 4 duplicates [4 violations in 100 checked, 0 allowed]",
        "Partition:    p1",
        "Version:      v1",
        "Readers see:  version v0, since 2023-11-14 03:00:00 UTC",
        "Owner:        team:gis",
        "Environment:  production",
        "Since:        2023-11-14 22:13:20 UTC",
        "First defects: duplicate · 4711, 4712 · at 1603607.55, 6463658.73 · 0.5 m",
        "All defects:  http://files/roads/p1/v1/violations.parquet",
        "spatial-pipeline run roads --partition p1",
        "spatial-pipeline alerts acknowledge roads --partition p1 --by YOU",
        "Run: http://ui/runs/run-1",
        "Asset: http://ui/assets/roads/staged?view=partitions&partition=p1",
        "Check: http://ui/assets/roads/staged?view=checks&checkDetail=unique",
        f"[{told[0].id}]",
    ):
        assert words in message.text


def test_one_message_names_all_rules_of_a_place() -> None:
    facts = [fact(rule_key("roads", "p1", f"rule_{i}"), i + 1) for i in range(12)]
    _, told = observe({}, seen(0.0, *facts))
    message = compose("x", told, LINKS)
    assert message.title == "[production] roads[p1] is held: 12 rules fail"
    assert (
        message.text.count("violations in 100 checked")
        + message.text.count("violation in 100 checked")
        == 12
    )
    assert message.text.count("duplicate · ") == 6


def test_what_did_not_change_is_listed_too() -> None:
    others = [fact(rule_key("roads", "p1", "crs"), None)]
    opened = changes(4)
    message = compose("x", opened, LINKS, others=others)
    assert message.title == "[production] roads[p1] is still held: unique and crs fail (1 new)"
    assert "- unique (error, new)" in message.text
    assert "- crs (error)" in message.text
    closed = compose("x", changes(4, None), LINKS, others=others)
    assert closed.title == "[production] roads[p1] is still held: crs fails (1 fixed)"
    assert closed.level == "failure"
    assert "Fixed:        unique" in closed.text


def test_updated_says_before_and_now() -> None:
    told = changes(4, 40)
    message = compose(told[0].id, told, LINKS)
    assert message.title == "[production] roads[p1] is still held: unique fails (1 changed)"
    assert "40 violations in 100 checked, 0 allowed, 4 before" in message.text
    assert message.facts[0]["violations_before"] == 4


def test_closed() -> None:
    told = changes(4, None)
    message = compose(told[0].id, told, LINKS)
    assert message.title == "[production] roads[p1] passes again after 1 second"
    assert message.level == "success"
    assert "duplicate" not in message.text
    assert "spatial-pipeline" not in message.text
    assert "until 2023-11-14 22:13:21" in message.text


def test_a_warning_is_none_too_many() -> None:
    _, told = observe({}, seen(0.0, fact(severity=Severity.WARN)))
    message = compose("x", told, Links())
    assert (message.title, message.level) == ("roads[p1] has a warning: unique fails", "warning")


def test_held() -> None:
    _, told = observe({}, seen(0.0, held(summary="withdrawn by a rollback", sample=())))
    message = compose("x", told, Links())
    assert message.title == "roads is held: withdrawn by a rollback"
    assert "http" not in message.text
    assert "/store/roads/p1/v1/violations.parquet" in message.text


@pytest.mark.parametrize(
    ("kind", "name", "title", "command"),
    [
        (Kind.RUN, "step", "A run of roads failed: disk full", "spatial-pipeline run roads"),
        (Kind.LATE, "published", "roads is late", "spatial-pipeline run roads"),
        (Kind.UNCHECKED, "checks", "roads is held: disk full", "spatial-pipeline held"),
        (Kind.CHANNEL, "mail", "The alert channel mail takes nothing",
         "spatial-pipeline alerts test --channel mail"),
    ],
)  # fmt: skip
def test_other_problems_read_as_sentences(kind: Kind, name: str, title: str, command: str) -> None:
    status = "late" if kind is Kind.LATE else "error"
    problem = fact(Key("roads", None, kind, name), None, summary="disk full", status=status)
    _, told = observe({}, seen(0.0, problem))
    message = compose("x", told, Links())
    assert message.title == title
    assert command in message.text


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
    assert message.title == "[production] 61 failed (2 datasets)"
    assert message.text.count("\n- ") == MOST_LISTED
    assert f"and {61 - MOST_LISTED} more" in message.text
    assert len(json.dumps(message.facts)) > 0
