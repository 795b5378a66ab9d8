"""The pages that describe the catalogue are those of the code: table, pictures, peers."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from spatial_pipeline.contract.rule_index import every_rule
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.report.peers import peer_names
from spatial_pipeline.report.rule_list import search
from spatial_pipeline_tests import rule_pictures, rule_table

PEERS = ("QGIS", "ArcGIS", "GX", "PostGIS")
"""Tools with a table on the page."""
DOCS = Path(__file__).parents[1] / "docs"


def test_the_table_is_that_of_the_sources() -> None:
    written = (DOCS / "rule-table.md").read_text(encoding="utf-8")
    command = "python -m spatial_pipeline_tests.rule_table > docs/rule-table.md"
    assert written == rule_table.page(), f"run: {command}"


def test_no_rule_of_the_list_is_missing() -> None:
    # The list of names elsewhere was made from the list of rules that the catalogue shall have.
    assert rule_table.missing() == set()
    assert set(rule_table.every()) <= set(peer_names())


def test_every_rule_has_a_name_elsewhere() -> None:
    assert [rule for rule, tools in peer_names().items() if not tools] == []


def test_the_page_of_other_tools_has_every_rule_and_all_of_their_names() -> None:
    page = runpy.run_path(str(DOCS / "make_coming_from.py"))["page"]()
    command = "python docs/make_coming_from.py > docs/coming-from.md"
    assert (DOCS / "coming-from.md").read_text(encoding="utf-8") == page, f"run: {command}"
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for rule, tools in peer_names().items():
        if rule in CATALOGUE:
            found = [row for row in rows if f"`{rule}`" in row]
            shown = [t for t in tools if t in PEERS] or list(tools)
            assert found, rule
            assert all(any(n in row for row in found) for t in shown for n in tools[t]), rule


@pytest.mark.parametrize("rule", rule_pictures.drawable())
def test_the_picture_is_that_of_the_cases(rule: str) -> None:
    drawn = (rule_pictures.FOLDER / f"{rule}.svg").read_text(encoding="utf-8")
    command = "python -m spatial_pipeline_tests.rule_pictures"
    assert drawn == rule_pictures.picture(rule), f"run: {command}"
    assert len(drawn) < 4096


def test_there_is_no_picture_of_another_rule() -> None:
    assert {p.stem for p in rule_pictures.FOLDER.glob("*.svg")} == set(rule_pictures.drawable())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Must Not Have Dangles", "must_not_have_dangles"),
        ("ST_IsValid", "valid_geometry"),
        ("sliver polygon", "no_slivers"),
        ("RQ9", "format_conformance"),
        ("expect_column_values_to_not_be_null", "not_null"),
        ("duplicate_count", "unique"),
        ("gdal_sieve", "min_patch_size"),
        ("minimum mapping unit", "min_area"),
        ("no holes", "no_holes"),
    ],
)
def test_the_names_of_peers_lead_to_the_rule(text: str, rule: str) -> None:
    found = [r.rule for r in search(text, every_rule())]
    assert rule in found[:3]


def test_what_no_rule_is_about_finds_nothing() -> None:
    assert search("weather forecast", every_rule()) == []
