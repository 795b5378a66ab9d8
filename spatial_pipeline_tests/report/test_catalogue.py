from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from spatial_pipeline.contract.rule_index import every_rule
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.report.catalogue import rule_json, rule_page
from spatial_pipeline.report.rule_list import rule_list


def shown(renderable: object) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_has_every_rule() -> None:
    text = shown(rule_list(every_rule()))
    assert all(identity in text for identity in CATALOGUE)


@pytest.mark.parametrize("identity", CATALOGUE)
def test_the_page_of_a_rule_explains_every_parameter(identity: str) -> None:
    model = CATALOGUE[identity]
    facts = rule_json(model)
    text = shown(rule_page(model))
    assert model.scope.value in text
    assert model.iso_element in text
    names = {f.alias or n for n, f in model.model_fields.items()} - {"rule"}
    unusable = set.intersection(*(set(model.unusable(k)) for k in model.kinds))
    assert {p["name"] for p in facts["parameters"]} == names - unusable
    assert all(name in text for k in model.kinds for name in model.unusable(k))
    assert facts["needs"] in " ".join(text.split())
    for parameter in facts["parameters"]:
        assert parameter["description"]
        assert parameter["type"] != "any"
        assert parameter["name"] in text
    json.dumps(facts, allow_nan=False)
    assert "``" not in text


def test_required_parameters_come_first_and_common_ones_last() -> None:
    parameters = rule_json(CATALOGUE["same_pixels_as"])["parameters"]
    assert parameters[0] == {
        "name": "other",
        "type": "{dataset} or {uri, layer}",
        "required": True,
        "default": None,
        "description": "The raster to compare with.",
        "common": False,
    }
    assert not any(p["required"] for p in parameters[1:])
    assert [p["common"] for p in parameters] == sorted(p["common"] for p in parameters)
