"""A parameter that a rule cannot use is a mistake: in the loader, the JSON schema, the models."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from spatial_pipeline.contract.json_schema import schema
from spatial_pipeline.contract.models import MODELS
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline_tests.contract.discriminated import Discriminated
from spatial_pipeline_tests.contract.test_load import mistakes, written

OTHER = {"uri": "b.gpkg"}
LEAST: dict[str, dict[str, Any]] = {
    "crs": {"equals": "EPSG:4326"},
    "bounds_within": {"bounds": [0, 0, 1, 1]},
    "geometry_type": {"any_of": ["Point"]},
    "columns": {"schema": {"a": "string"}},
    "feature_count": {"min": 1},
    "not_null": {"columns": ["a"]},
    "unique": {"columns": ["a"]},
    "value_range": {"column": "a", "min": 0},
    "band_count": {"equals": 1},
    "data_type": {"equals": "uint8"},
    "nodata": {"equals": 0},
    "resolution": {"equals": 10},
    "grid_alignment": {"other": OTHER},
    "min_area": {"value": 1},
    "max_area": {"value": 1},
    "min_length": {"value": 1},
    "max_length": {"value": 1},
    "min_segment_length": {"value": 1},
    "max_segment_length": {"value": 1},
    "min_hole_area": {"value": 1},
    "vertex_count": {"max": 9},
    "part_count": {"max": 9},
    "ring_count": {"max": 9},
    "no_spikes": {"min_angle": 1},
    "no_slivers": {"max_thinness": 0.1},
    "min_width": {"value": 1},
    "layers": {"contains": ["a"]},
    "delivery_contents": {"required": ["a"]},
    "coordinate_precision": {"grid": 1},
    "dimensions": {"any_of": ["XY"]},
    "z_range": {"min": 0},
    "measures_match": {"columns": {"area": "a"}},
    "larger_than_cluster_tolerance": {"tolerance": 1},
    "allowed_values": {"column": "a", "values": ["b"]},
    "matches": {"column": "a", "pattern": "b"},
    "text_encoding": {"columns": ["a"]},
    "foreign_key": {"other": OTHER, "columns": ["a"]},
    "related_count": {"other": OTHER, "keys": {"a": "b"}, "min": 1},
    "related_values": {"other": OTHER, "keys": {"a": "b"}, "compare": [["a", "<", "b"]]},
    "column_statistics": {"column": "a", "mean": {"min": 0}},
    "group_aggregate": {"aggregate": "count", "min": 1},
    "count_change": {"max_fraction": 0.1},
    "freshness": {"column": "a", "max_age": "26h"},
    "ranges_must_not_overlap": {"from": "a", "to": "b"},
    "ranges_must_not_have_gaps": {"from": "a", "to": "b"},
    "expression": {"sql": "a > 0"},
    "allowed_combinations": {"columns": ["a"], "combinations": [["b"]]},
    "size": {"equals": [5, 4]},
    "compression": {"equals": "DEFLATE"},
    "band_names": {"equals": ["red"]},
    "color_interpretation": {"equals": ["red"]},
    "scale_offset": {"scale": 1},
    "raster_metadata": {"tags": {"a": None}},
    "pixel_range": {"min": 0},
    "nodata_fraction": {"max": 0.5},
    "pixel_values": {"values": [1]},
    "min_patch_size": {"pixels": 2},
    "overviews_match": {},
    "statistics": {"mean": [0, 1]},
    "pixel_expression": {"bands": {"a": 1}, "expression": "a > 0"},
    "no_spikes_in_surface": {"max_step": 1},
    "positional_accuracy": {"other": OTHER, "key": ["a"], "rmse": 1},
    "same_mask_as": {"other": OTHER},
    "same_profile_as": {"other": OTHER},
    "same_schema_as": {"other": OTHER},
    "same_statistics_as": {"other": OTHER},
    "raster_matches_vector": {"other": OTHER, "column": "a"},
    "areas_match": {"other": OTHER},
    "zonal_matches": {"other": OTHER, "column": "a"},
    "footprint_matches": {"other": OTHER, "tolerance": 1},
    "vertical_accuracy": {"other": OTHER, "rmse": 1},
    "thematic_accuracy": {"other": OTHER, "column": "a", "min_overall": 0.9},
    "raster_must_cover": {"other": OTHER},
    "tiles_must_not_overlap": {"others": ["b.tif"]},
    "tiles_must_not_have_gaps": {"others": ["b.tif"]},
    "tile_edges_must_match": {"others": ["b.tif"], "max_difference": 1},
    "must_be_covered_by": {"other": OTHER},
    "must_not_overlap_with": {"other": OTHER},
    "must_be_covered_by_one": {"other": OTHER},
    "must_continue_across": {"border": OTHER},
    "bounded_by": {"other": OTHER},
    "must_cover_each_other": {"other": OTHER},
    "must_be_properly_inside": {"other": OTHER},
    "must_contain_point": {"other": OTHER},
    "must_contain_one_point": {"other": OTHER},
    "must_not_intersect_with": {"other": OTHER},
    "relation": {"predicate": "touches"},
    "count_inside": {"other": OTHER, "max": 1},
    "min_distance": {"distance": 1},
    "must_be_within_distance": {"other": OTHER, "distance": 1},
    "endpoint_must_be_covered_by": {"other": OTHER},
    "must_be_covered_by_line": {"other": OTHER},
    "must_be_covered_by_endpoint": {"other": OTHER},
    "must_be_covered_by_boundary": {"other": OTHER},
    "must_coincide_with": {"other": OTHER},
    "node_valency": {"max": 4},
    "no_near_misses": {"within": 1},
    "boundary_must_be_covered_by": {"other": OTHER},
    "area_boundary_must_be_covered_by_boundary": {"other": OTHER},
    "must_follow_boundaries": {"other": OTHER},
    "neighbours_must_differ": {"values": ["a"]},
    "groups_must_be_contiguous": {"group_by": ["a"]},
    "values_match_location": {"other": OTHER, "values": {"a": "b"}},
    "must_reach": {"other": OTHER},
    "endpoints_match_references": {"other": OTHER, "start": "a", "end": "b", "other_key": "c"},
    "same_features_as": {"other": OTHER},
    "same_count_as": {"other": OTHER},
    "same_pixels_as": {"other": OTHER},
    "bands_match": {"others": ["b.tif"]},
    "round_trips": {"format": "GPKG"},
}
"""What each rule needs at least; nothing unless listed."""
COMMON = {
    "max_violations": 3,
    "max_fraction": 0.5,
    "where": "a = 1",
    "except": {"uri": "areas.gpkg"},
    "only_within": {"uri": "areas.gpkg"},
    "except_keys": [["a"]],
    "baseline": "baseline.json",
}
PAIRS = [
    (kind, name) for kind in MODELS for name, m in CATALOGUE.items() if MODELS[kind].kind in m.kinds
]


@pytest.fixture(scope="module")
def validator() -> Any:
    return Discriminated(schema())


@pytest.fixture(scope="module")
def full(validator: Any) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(validator.schema)


@pytest.mark.parametrize("contract", ["VectorContract", "RasterContract"])
def test_one_branch_of_the_schema_at_most_holds_for_a_rule(validator: Any, contract: str) -> None:
    definitions = validator.schema["$defs"]
    rules = definitions[contract]["properties"]["rules"]["items"]
    mapping = rules["discriminator"]["mapping"]
    assert [b["$ref"] for b in rules["oneOf"]] == list(mapping.values())
    for name, reference in mapping.items():
        model = definitions[reference.removeprefix("#/$defs/")]
        assert model["properties"]["rule"]["const"] == name
        assert "rule" in model["required"]


def file(kind: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "attributes": {"name": "a", "source": {"uri": "a"}, "rules": list(rules)}}


def accepted(kind: str, rule: dict[str, Any]) -> bool:
    try:
        MODELS[kind].model_validate(file(kind, rule)["attributes"])
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_what_a_rule_cannot_use_is_a_mistake_on_its_line(
    tmp_path: Path,
    validator: Any,
    full: jsonschema.Draft202012Validator,
    kind: str,
    name: str,
) -> None:
    unusable = CATALOGUE[name].unusable(MODELS[kind].kind)
    least = {"rule": name, **LEAST.get(name, {})}
    assert not list(validator.iter_errors(file(kind, least)))
    assert full.is_valid(file(kind, least))
    for parameter, value in COMMON.items():
        rule = {**least, parameter: value}
        usable = parameter not in unusable
        document = file(kind, rule)
        text = yaml.safe_dump(document, sort_keys=False)
        found = mistakes(written(tmp_path, text)) if not usable else []
        if not usable:
            line = 1 + next(
                i
                for i, row in enumerate(text.splitlines())
                if row.strip().startswith(f"{parameter}:")
            )
            assert found == [f"{line}: {name}: {parameter}: leave it out: {unusable[parameter]}"]
        assert accepted(kind, rule) == usable, parameter
        assert (not list(validator.iter_errors(document))) == usable, parameter


def subsets(values: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    names = list(values)
    for chosen in chain.from_iterable(combinations(names, n) for n in range(len(names) + 1)):
        yield {name: values[name][0] for name in chosen}
        yield {name: values[name][-1] for name in chosen}


LIMITED = (
    "max_area", "min_length", "max_length", "min_segment_length",
    "max_segment_length", "min_hole_area",
)  # fmt: skip
CHOICES: dict[str, dict[str, list[Any]]] = {
    "crs": {"equals": ["EPSG:4326", None], "any_of": [["EPSG:4326"], None]},
    "bounds_within": {"bounds": [[0, 0, 1, 1], None], "area_of_use": [True, False]},
    "columns": {
        "schema": [{"a": "string"}, {}],
        "name_pattern": ["a", None],
        "max_name_length": [3, None],
        "extra": ["forbid", "allow"],
    },
    "layers": {
        "equals": [["a"], None],
        "contains": [["a"], None],
        "name_pattern": ["a", None],
        "max_name_length": [3, None],
        "no_reserved_words": [True, False],
    },
    "delivery_contents": {
        "required": [["a"], None],
        "optional": [["a"], None],
        "forbidden": [["a"], None],
        "name_pattern": ["a", None],
    },
    "freshness": {
        "column": ["a", None],
        "source_time": [True, False],
        "max_age": ["1d"],
    },
    "feature_count": {"min": [0, None], "max": [5, None]},
    "value_range": {"min": [0, None], "max": [5, None], "column": ["a"]},
    "allowed_values": {
        "column": ["a"],
        "values": [["b"], None],
        "other": [{"dataset": "codes", "column": "c"}, None],
    },
    "related_count": {
        "min": [0, None],
        "max": [5, None],
        "other": [OTHER],
        "keys": [{"a": "b"}],
    },
    "related_values": {
        "compare": [[["a", "<", "b"]], None],
        "sql": ["a.x < b.y", None],
        "other": [OTHER],
        "keys": [{"a": "b"}],
    },
    "column_statistics": {
        "column": ["a"],
        "null_fraction": [{"max": 0.1}, None],
        "distinct": [{"min": 1}, None],
        "mean": [{"min": 1}, None],
        "quantiles": [{"0.5": {"min": 1}}, None],
    },
    "group_aggregate": {
        "aggregate": ["count"],
        "min": [0, None],
        "max": [5, None],
        "equals": [1, None],
        "max_change": [0.1, None],
    },
    "data_type": {"equals": ["uint8", None], "any_of": [["uint8"], None]},
    "grid_alignment": {"origin": [[0, 0], None], "resolution": [1, None], "other": [OTHER, None]},
    "pixel_range": {"min": [0, None], "max": [5, None]},
    "node_valency": {"min": [1, None], "max": [5, None]},
    "count_inside": {"min": [0, None], "max": [5, None], "other": [OTHER]},
    "statistics": {
        "mean": [[0, 1], None],
        "std": [[0, None], None],
        "percentiles": [[{"at": 50, "max": 1}], None],
        "other": [OTHER, None],
        "max_change": [0.1, None],
    },
    "min_patch_size": {"pixels": [2, None], "area": [1, None]},
    "no_spikes_in_surface": {"max_slope": [40, None], "max_step": [1, None]},
    "positional_accuracy": {
        "other": [OTHER],
        "key": [["a"]],
        "rmse": [1, None],
        "percentile95": [1, None],
    },
    "footprint_matches": {
        "other": [OTHER],
        "tolerance": [1, None],
        "min_iou": [0.9, None],
    },
    "vertical_accuracy": {
        "other": [OTHER],
        "rmse": [1, None],
        "bias": [1, None],
        "percentile95": [1, None],
    },
    "thematic_accuracy": {
        "other": [OTHER],
        "column": ["a"],
        "min_overall": [0.9, None],
        "min_users": [0.9, None],
        "min_producers": [0.9, None],
    },
    "min_area": {"value": [1, None], "limits": [{"by": "a", "values": {"b": 1}}, None]},
    "compression": {"equals": ["LZW", None], "any_of": [["LZW"], None]},
    "scale_offset": {"scale": [1, None], "offset": [1, None], "unit": ["m", None]},
    "same_features_as": {"other": [OTHER, None], "others": [[OTHER], None]},
    "part_count": {"min": [1, None], "max": [5, None]},
    "ring_count": {"min": [1, None], "max": [5, None]},
    "coordinate_precision": {"grid": [1, None], "max_decimals": [2, None]},
    "z_range": {"min": [0, None], "max": [5, None], "max_step": [1, None]},
    "dimensions": {"any_of": [["XY"], None], "not_constant_zero": [True, False]},
    **{n: {"value": [1, None], "limits": [{"by": "a", "values": {"b": 1}}, None]} for n in LIMITED},
}


SEVERAL = {"other": [OTHER, None], "others": [[OTHER, OTHER], None]}
BESIDE: dict[str, dict[str, list[Any]]] = {
    "must_be_covered_by_one": SEVERAL,
    "must_be_disjoint": SEVERAL,
}


@pytest.mark.parametrize("name", [*CHOICES, *BESIDE])
def test_what_a_rule_needs_is_the_same_for_model_and_schema(validator: Any, name: str) -> None:
    raster = "vector" not in CATALOGUE[name].kinds
    kind = f"spatial_pipeline.{'Raster' if raster else 'Vector'}Dataset"
    seen = set()
    for chosen in subsets({**CHOICES, **BESIDE}[name]):
        rule = {"rule": name, **chosen}
        right = accepted(kind, rule)
        seen.add(right)
        assert (not list(validator.iter_errors(file(kind, rule)))) == right, rule
    assert seen == {True, False}


def test_every_rule_that_needs_one_of_several_is_tried() -> None:
    assert {n for n, m in CATALOGUE.items() if m.needs.groups} == set(CHOICES)


GRADES = {
    "warn_at": [1, 3, 0.1, 0.5, 0, 1.5, None],
    "error_at": [2, 3, 0.2, 0.5, None],
    "severity": ["warn", "error"],
    "max_violations": [2, 0],
    "max_fraction": [0.5, None],
}


def test_two_grades_are_the_same_for_model_and_schema(
    validator: Any,
) -> None:
    kind, seen = "spatial_pipeline.VectorDataset", set()
    for warn, error in product([*GRADES["warn_at"], ...], [*GRADES["error_at"], ...]):
        for more in [{}, *({n: v} for n in list(GRADES)[2:] for v in GRADES[n])]:
            given = {"warn_at": warn, "error_at": error, **more}
            rule = {"rule": "not_empty", **{k: v for k, v in given.items() if v is not ...}}
            right = accepted(kind, rule)
            seen.add(right)
            ordered = warn in {None, ...} or error in {None, ...} or warn < error
            assert (not list(validator.iter_errors(file(kind, rule)))) == right or not ordered, rule
    assert seen == {True, False}


SOURCES = [
    ("Raster", {"uri": "a.tif", "where": "x = 1"}, "8: source.where: leave it out: it selects"),
    ("Raster", {"uri": "a.tif", "query": "SELECT 1"}, "8: source.query: leave it out: rasters are"),
    ("Raster", {"uri": "a.PNG", "layer": "1"}, "8: source.layer: leave it out: a .png file has no"),
    ("Raster", {"uri": "https://h/a.asc?x", "layer": "1"}, "8: source.layer: leave it out: a .asc"),
    ("Raster", {"uri": "a.tif", "layer": "2"}, ""),
    ("Raster", {"uri": "a.png", "layer": None}, ""),
    ("Raster", {"uri": "a.nc", "layer": "t"}, ""),
    ("Vector", {"uri": "a.gpkg", "layer": "a.png", "where": "x = 1"}, ""),
]


@pytest.mark.parametrize(("kind", "source", "expected"), SOURCES)
def test_what_a_source_cannot_use_is_a_mistake_on_its_line(
    tmp_path: Path,
    validator: Any,
    kind: str,
    source: dict[str, Any],
    expected: str,
) -> None:
    attributes = {"name": "a", "source": {"encoding": None, **source}}
    document = {"type": f"spatial_pipeline.{kind}Dataset", "attributes": attributes}
    text = "# the first line\n" + yaml.safe_dump(document, sort_keys=False)
    found = mistakes(written(tmp_path, text)) if expected else []
    assert [f.startswith(expected) for f in found] == [True] * bool(expected), found
    assert (not list(validator.iter_errors(document))) == (not expected)
    try:
        MODELS[document["type"]].model_validate(attributes)
    except ValidationError:
        assert expected
    else:
        assert not expected


def test_the_layer_of_another_raster_without_layers_is_a_mistake(
    tmp_path: Path, validator: Any
) -> None:
    rule = {"rule": "same_pixels_as", "other": {"uri": "b.jpg", "layer": "1"}}
    document = file("spatial_pipeline.RasterDataset", rule)
    assert list(validator.iter_errors(document))
    (found,) = mistakes(written(tmp_path, yaml.safe_dump(document, sort_keys=False)))
    expected = "10: same_pixels_as: other.layer: leave it out: a .jpg file has no layers"
    assert found.startswith(expected)
