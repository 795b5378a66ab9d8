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


CHECKS = {
    "Data Reviewer": """
        Adjacent Vertex Elevation Change; Check Geometry; Cutbacks; Different Z at Intersection;
        Domain; Duplicate Feature; Duplicate Vertex; Evaluate Intersection Count;
        Evaluate Part Count; Evaluate Polygon Perimeter and Area; Evaluate Polyline Length;
        Evaluate Vertex Count; Evaluate Z Values; Event on Event; Feature on Feature; Find Dangles;
        Find Event Gaps; Find Event Overlaps; Find Orphan Events; Invalid Event Measures;
        Monotonicity; Non-Linear Segment; Polygon Gap is Sliver; Polygon Overlap is Sliver;
        Polygon Sliver; Polyline or Path Closes on Self; Query Attributes; Regular Expression;
        Relationship; Subtype; Table to Table Attribute; Unique Field Value;
        Unnecessary Polyline Nodes; Valency
        """,
    "QGIS": """
        native:checkgeometryangle; native:checkgeometryarea; native:checkgeometrycontained;
        native:checkgeometrydangle; native:checkgeometrydegeneratepolygon;
        native:checkgeometryduplicate; native:checkgeometryduplicatenodes;
        native:checkgeometryfollowboundaries; native:checkgeometrygap; native:checkgeometryhole;
        native:checkgeometrylineintersection; native:checkgeometrylinelayerintersection;
        native:checkgeometrymissingvertex; native:checkgeometrymultipart;
        native:checkgeometryoverlap; native:checkgeometrypointcoveredbyline;
        native:checkgeometrypointinpolygon; native:checkgeometrysegmentlength;
        native:checkgeometryselfcontact; native:checkgeometryselfintersection;
        native:checkgeometrysliverpolygon
        """,
    "Great Expectations": """
        expect_column_distinct_values_to_be_in_set; expect_column_max_to_be_between;
        expect_column_mean_to_be_between; expect_column_median_to_be_between;
        expect_column_min_to_be_between; expect_column_pair_values_a_to_be_greater_than_b;
        expect_column_pair_values_to_be_equal; expect_column_pair_values_to_be_in_set;
        expect_column_proportion_of_unique_values_to_be_between;
        expect_column_quantile_values_to_be_between; expect_column_stdev_to_be_between;
        expect_column_sum_to_be_between; expect_column_to_exist;
        expect_column_unique_value_count_to_be_between; expect_column_value_lengths_to_be_between;
        expect_column_values_to_be_between; expect_column_values_to_be_in_set;
        expect_column_values_to_be_in_type_list; expect_column_values_to_be_null;
        expect_column_values_to_be_of_type; expect_column_values_to_be_unique;
        expect_column_values_to_match_like_pattern; expect_column_values_to_match_regex;
        expect_column_values_to_not_be_in_set; expect_column_values_to_not_be_null;
        expect_column_values_to_not_match_regex; expect_compound_columns_to_be_unique;
        expect_multicolumn_sum_to_equal; expect_select_column_values_to_be_unique_within_record;
        expect_table_column_count_to_equal; expect_table_columns_to_match_ordered_list;
        expect_table_columns_to_match_set; expect_table_row_count_to_be_between;
        expect_table_row_count_to_equal; expect_table_row_count_to_equal_other_table;
        unexpected_rows_expectation
        """,
}
"""Names as the tools' own manuals have them. Not here: what Great Expectations asks of a
distribution (Kullback-Leibler divergence, z-scores, the most common value) and that every value of
a set occurs."""


@pytest.mark.parametrize(
    ("tool", "name"), [(t, n.strip()) for t, names in CHECKS.items() for n in names.split(";")]
)
def test_every_check_of_a_tool_has_a_rule(tool: str, name: str) -> None:
    assert search(name, every_rule()), f"no rule is found for {name} of {tool}"


def test_what_no_rule_is_about_finds_nothing() -> None:
    assert search("weather forecast", every_rule()) == []
