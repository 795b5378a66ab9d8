from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from spatial_pipeline.contract.json_schema import attributes_schema, schema
from spatial_pipeline.contract.models import MODELS, VectorContract
from spatial_pipeline.contract.rules import CATALOGUE


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    document = schema()
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def file(kind: str = "Vector", **attributes: Any) -> dict[str, Any]:
    return {
        "type": f"spatial_pipeline.{kind}Dataset",
        "attributes": {"name": "a", "source": {"uri": "a.gpkg"}, **attributes},
    }


RIGHT = [
    file(),
    file(
        key=["id"],
        schedule="0 3 * * *",
        owners=["team:gis", "a.b@c.org"],
        partitions={"static": ["n"]},
    ),
    file(rules=[{"rule": "crs", "equals": "EPSG:4326"}, {"rule": "not_null", "columns": ["a"]}]),
    file(rules=[{"rule": "must_be_covered_by", "other": {"dataset": "b"}, "severity": "warn"}]),
    file(watch=True, automation="eager", freshness={"at_most": "26h"}, timezone="Europe/Berlin"),
    file(watch={"every": "5m"}, automation={"on_cron": "0 3 * * *"}),
    file(freshness={"deadline": "0 7 * * *", "within": "8h"}),
    file("Raster", rules=[{"rule": "nodata", "equals": None}, {"rule": "readable_pixels"}]),
]
WRONG = [
    {"type": "spatial_pipeline.VectorDataset"},
    {**file(), "type": "spatial_pipeline.Dataset"},
    {**file(), "surplus": 1},
    file(name="a b"),
    file(descripton="x"),
    file("Raster", key=["id"]),
    file(owners=["me"]),
    file(owners=["gis@land.museum-of-maps"]),
    file(rules=[]),
    file(watch="often"),
    file(automation="eagr"),
    file(freshness={"at_most": "26 hours"}),
    file(freshness={"at_most": 26}),
    file(rules=[{"rule": "uniqe"}]),
    file(rules=[{"equals": "EPSG:4326"}]),
    file(rules=[{"rule": "band_count", "equals": 3}]),
    file(rules=[{"rule": "not_null"}]),
    file(rules=[{"rule": "not_null", "columns_": ["a"]}]),
    file(rules=[{"rule": "must_not_overlap", "tolerance": "tiny"}]),
    file(rules=[{"rule": "must_not_overlap", "tolerance": -1}]),
]


@pytest.mark.parametrize("value", RIGHT)
def test_right_files_are_valid(validator: jsonschema.Draft202012Validator, value: Any) -> None:
    validator.validate(yaml.safe_load(yaml.safe_dump(value)))


@pytest.mark.parametrize("value", WRONG)
def test_wrong_files_are_not(validator: jsonschema.Draft202012Validator, value: Any) -> None:
    assert list(validator.iter_errors(value))


def test_every_rule_is_offered_to_its_kinds_only_with_a_description() -> None:
    definitions = schema()["$defs"]
    for kind, name in (("vector", "VectorContract"), ("raster", "RasterContract")):
        items = definitions[name]["properties"]["rules"]["items"]
        fitting = [i for i, m in CATALOGUE.items() if kind in m.kinds]
        assert items["properties"]["rule"]["enum"] == fitting
        assert len(items["oneOf"]) == len(fitting)
        for reference in items["discriminator"]["mapping"].values():
            rule = definitions[reference.rsplit("/", 1)[-1]]
            assert rule["description"]
            assert all("description" in p for k, p in rule["properties"].items() if k != "rule")


def test_the_schema_is_json_and_names_no_python() -> None:
    text = json.dumps(schema(), allow_nan=False)
    assert '"schema_"' not in text
    assert "columns_" not in text


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        (
            {"rule": "value_range", "colum": "a", "min": 0},
            ["rules", 0],
            "Additional properties are not allowed ('colum' was unexpected)",
        ),
        ({"rule": "feature_count", "min": -1}, ["rules", 0, "min"], "minimum of 0"),
        ({"rule": "uniqe"}, ["rules", 0, "rule"], "'uniqe' is not valid"),
    ],
)
def test_dg_is_told_of_the_parameter_that_is_wrong(
    rule: dict[str, Any], path: list[Any], message: str
) -> None:
    attributes = {"name": "a", "source": {"uri": "a.gpkg"}, "rules": [rule]}
    found = jsonschema.Draft202012Validator(attributes_schema(VectorContract))
    errors = list(found.iter_errors(attributes))
    # Of a union of types, the alternatives are in the context of the error.
    told = [(list(e.absolute_path), e.message) for e in errors]
    told += [(list(c.absolute_path), c.message) for e in errors for c in e.context or ()]
    assert any(where == path and message in text for where, text in told), told


def test_dg_takes_what_the_loader_takes(validator: jsonschema.Draft202012Validator) -> None:
    for model in MODELS.values():
        own = jsonschema.Draft202012Validator(attributes_schema(model))
        for value in RIGHT:
            if value["type"] == model.type_name:
                assert own.is_valid(value["attributes"])
