"""One failing dataset with 12 rules and 3 partitions: few messages, each with what is needed."""

from __future__ import annotations

from spatial_pipeline_tests.alert.week import RULES, Week


def test_a_week_is_few_messages_and_each_is_a_sentence() -> None:
    found = [m for _, m in Week().live()]
    assert [(m.level, m.title.removeprefix("[production] parcels")) for m in found] == [
        ("failure", "[middle] is held: 9 rules fail"),
        ("failure", "[north] is held: 9 rules fail"),
        ("failure", "[south] is held: 9 rules fail"),
        ("info", "[north] is acknowledged by anna: the supplier sends a new file on Friday"),
        ("failure", "[middle] is still held: 9 rules fail, for 1 day"),
        ("failure", "[south] is still held: 9 rules fail, for 1 day"),
        ("info", "[south] is silent until 2026-11-26 13:12:00 UTC by ben: server moves"),
        (
            "failure",
            "[middle] is still held: must_not_have_gaps and must_not_overlap fail (10 fixed)",
        ),
        (
            "failure",
            "[middle] is still held: must_not_overlap and must_not_have_gaps fail (1 changed)",
        ),
        ("failure", "[south] is still held: 9 rules fail, for 3 days"),
        ("success", "[middle] passes again after 4 days"),
        ("success", "[north] passes again after 4 days"),
        ("success", "[south] passes again after 4 days"),
    ]
    assert len({m.id for m in found}) == len(found)


def test_the_first_message_says_what_is_needed_at_night() -> None:
    text = Week().live()[0][1].text
    for name, *_ in RULES:
        assert f"- {name} (" in text
    for words in (
        "10 violations in 40700 checked, 0 allowed",
        "Readers see:  version 2f9c51d07ab84e3390aa, since 2026-11-22 03:11:40 UTC",
        "Owner:        team:cadastre, anna@example.org",
        "Environment:  production",
        "must_not_overlap: overlap · 4711 · at 603607.55, 5463651.23 · 0.0577 m²",
        "https://files.example.org/parcels/middle/c0ffee1/violations.parquet",
        "spatial-pipeline run parcels --partition middle",
        "https://dagster.example.org/runs/",
    ):
        assert words in text
