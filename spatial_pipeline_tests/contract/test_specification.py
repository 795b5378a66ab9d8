"""What ``uses`` gives a contract, and what is said about mistakes in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.json_schema import schema
from spatial_pipeline.contract.load import load, load_project
from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.specification import Use, specifications
from spatial_pipeline.errors import ContractError

NAMES = sorted(specifications())


def contract(uses: Any, rules: Any = None, kind: str = "Vector") -> dict[str, Any]:
    attributes = {"name": "a", "source": {"uri": "a.gpkg"}, "uses": uses}
    if rules is not None:
        attributes["rules"] = rules
    return {"type": f"spatial_pipeline.{kind}Dataset", "attributes": attributes}


def written(folder: Path, *arguments: Any, **named: Any) -> Path:
    path = folder / "defs.yaml"
    path.write_text(yaml.safe_dump(contract(*arguments, **named), sort_keys=False))
    return path


def names(rules: Any) -> list[str]:
    return [r.check_name for r in rules]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_contract_by_itself(tmp_path: Path, name: str) -> None:
    found = specifications()[name]
    (loaded,) = load(written(tmp_path, [name], kind=found.kind.capitalize()))
    assert loaded.rules
    given_values = {n for n, p in found.parameters.items() if p.default is not None}
    wanted = [r.check_name for r in found.requirements if given_values >= set(r.parameters)]
    assert names(loaded.rules) == wanted
    assert loaded.line_of(wanted[0]) == 7


@pytest.mark.parametrize("name", NAMES)
def test_each_cites_a_document_and_has_no_parameter_without_use(name: str) -> None:
    found = specifications()[name]
    assert found.document
    assert found.url.startswith("https://")
    assert all(r.cites and r.rule["rule"] in CATALOGUE for r in found.requirements)
    used = {p for r in found.requirements for p in r.parameters}
    assert used == set(found.parameters)
    checks = [r.check_name for r in found.requirements]
    assert len(set(checks)) == len(checks)


def test_parameters_override_and_drop(tmp_path: Path) -> None:
    use = {
        "name": "corine_land_cover",
        "parameters": {"code": "klass", "min_area": 10},
        "override": {"must_not_overlap": {"tolerance": 1.5, "severity": "warn"}},
        "drop": ["unique"],
    }
    (loaded,) = load(written(tmp_path, [use], [{"rule": "min_area", "value": 7}]))
    found = {r.check_name: r for r in loaded.rules}
    assert found["allowed_values"].column == "klass"
    assert found["must_not_overlap"].tolerance == 1.5
    assert found["must_not_overlap"].severity == "warn"
    assert "unique" not in found
    # A rule of the contract takes the place of one of the same name.
    assert found["min_area"].value == 7
    assert names(loaded.rules).count("min_area") == 1
    assert loaded.line_of("min_area") == 18


def test_a_requirement_with_another_dataset_needs_its_name(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "defs.yaml").write_text(
        yaml.safe_dump(contract([])).replace("name: a", "name: roads").replace("  uses: []\n", "")
    )
    use = {"name": "nena_address_points", "parameters": {"centerlines": {"dataset": "roads"}}}
    (tmp_path / "points").mkdir()
    path = written(tmp_path / "points", [use])
    own, beside = load_project([path])
    assert "must_be_within_distance" in names(own[0].rules)
    assert own[0].others == ("roads",)
    assert [c.name for c in beside] == ["roads"]
    path.write_text(path.read_text().replace("roads", "roats"))
    with pytest.raises(ContractError, match="there is no dataset 'roats'"):
        load_project([path])


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        (["corine_landcover"], "7: uses: unknown specification 'corine_landcover'; did you mean"),
        ([7], "7: uses: unknown specification 7"),
        ("rfc7946", "6: uses: expected a list of specifications, got 'rfc7946'"),
        (["cog"], "7: uses: cog is for raster data, this is a vector dataset"),
        ([{"name": "rfc7946", "parameters": {"decimal": 3}}],
         "9: uses: rfc7946 has no parameter 'decimal'; did you mean 'decimals'?"),
        ([{"name": "rfc7946", "drop": ["antimeridan"]}],
         "9: uses: rfc7946 has no check 'antimeridan'; did you mean 'antimeridian'?"),
        ([{"name": "rfc7946", "override": {"crs": 3}}],
         "9: uses: rfc7946: crs: expected a mapping (key: value), got 3"),
        ([{"name": "rfc7946", "override": {"dimensions": {"any_off": ["XY"]}}}],
         "9: uses: dimensions: unknown key 'any_off'; 'any_of' is there already"),
        ([{"name": "rfc7946", "parameters": {"decimals": "many"}}],
         "uses: coordinate_precision: max_decimals: expected a whole number, got 'many'"),
        ([{"nam": "rfc7946"}], "7: uses: unknown key 'nam'; did you mean 'name'?"),
        ([{"name": "rfc7946", "drop": "crs"}],
         "8: uses: rfc7946: drop: expected a list, got 'crs'"),
    ],
)  # fmt: skip
def test_mistakes_have_a_line_and_the_nearest_spelling(
    tmp_path: Path, uses: Any, message: str
) -> None:
    path = written(tmp_path, uses)
    with pytest.raises(ContractError) as raised:
        load(path)
    assert message in str(raised.value)
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's, with the same sentences
        VectorContract.model_validate(contract(uses)["attributes"])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(NAMES), st.booleans())
def test_what_a_contract_writes_of_itself_is_the_same_contract(name: str, adapted: bool) -> None:
    found = specifications()[name]
    model = VectorContract if found.kind == "vector" else RasterContract
    drop = [found.requirements[0].check_name] if adapted else []
    first = model.model_validate(contract([{"name": name, "drop": drop}])["attributes"])
    keys = {"name", "source", "uses", "rules"}
    written = first.model_dump(mode="json", by_alias=True, include=keys)
    again = model.model_validate(written)
    assert again.rules == first.rules
    assert again.rules_hash == first.rules_hash


def test_the_schema_offers_the_specifications_for_the_kind_of_data() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    assert validator.is_valid(contract(["rfc7946"]))
    assert validator.is_valid(
        contract([Use(name="rfc7946", drop=("crs",)).model_dump(mode="json")])
    )
    assert validator.is_valid(contract(["cog"], kind="Raster"))
    assert not validator.is_valid(contract(["cog"]))
    assert not validator.is_valid(contract(["rfc7947"]))
    assert not validator.is_valid(contract([{"name": "rfc7947"}]))
    assert not validator.is_valid(contract([{"name": "rfc7946", "dropp": []}]))
