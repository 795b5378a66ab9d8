"""Columns in the Dagster UI: types of the data, meaning and constraints of the contract."""

from __future__ import annotations

from typing import Any

import dagster as dg

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.model.profile import BandProfile, Column, RasterProfile, VectorProfile
from spatial_pipeline.orchestration.column_schema import column_schema

PROFILE = VectorProfile(
    "a.gpkg",
    geometry_type="Point",
    columns=(Column("id", "int64"), Column("area", "double"), Column("owner", "string", False)),
)


def columns(rules: list[dict[str, Any]], **changes: Any) -> dict[str, dg.TableColumn]:
    attributes = {"name": "a", "source": {"uri": "a.gpkg"}, "rules": rules, **changes}
    schema = column_schema(VectorContract.model_validate(attributes), PROFILE)
    return {c.name: c for c in schema.columns}


def test_description_and_unit() -> None:
    found = columns(
        [{"rule": "not_empty"}],
        columns={
            "area": {"description": "Area of the parcel", "unit": "m²"},
            "id": {"unit": "1"},
            "geometry": {"description": "Corner"},
            "owner": {},
        },
    )
    assert {n: c.description for n, c in found.items()} == {
        "id": "[1]",
        "area": "Area of the parcel [m²]",
        "owner": None,
        "geometry": "Corner",
    }
    assert [c.type for c in found.values()] == ["int64", "double", "string", "Point"]


def test_rules_are_constraints() -> None:
    found = columns(
        [
            {"rule": "columns", "schema": {"id!": "integer", "area": "number"}},
            {"rule": "unique", "columns": ["id"]},
            {"rule": "unique", "columns": ["id", "owner"], "name": "pair"},
            {"rule": "value_range", "column": "area", "min": 0.5},
        ]
    )
    constraints = {n: c.constraints for n, c in found.items()}
    pair = "unique columns: ['id', 'owner']"
    assert constraints == {
        "id": dg.TableColumnConstraints(nullable=False, unique=True, other=[pair]),
        "area": dg.TableColumnConstraints(other=["value_range min: 0.5"]),
        "owner": dg.TableColumnConstraints(nullable=False, other=[pair]),
        "geometry": dg.TableColumnConstraints(),
    }


def test_a_rule_that_lets_violations_pass_is_no_constraint() -> None:
    for leave in (
        {"severity": "warn"},
        {"where": "area > 1"},
        {"max_violations": 2},
        {"max_fraction": 0.1},
        {"warn_at": 1, "error_at": 3},
        {"except_keys": [["7"]]},
    ):
        rules = [
            {"rule": "unique", "columns": ["id"], **leave},
            {"rule": "not_null", "columns": ["area"], **leave},
        ]
        found = columns(rules, key=["id"])
        assert found["id"].constraints == found["area"].constraints == dg.TableColumnConstraints()


def test_bands() -> None:
    contract = RasterContract.model_validate({"name": "dem", "source": {"uri": "dem.tif"}})
    bands = (BandProfile("float32", unit="m", description="height"), BandProfile("uint8"))
    schema = column_schema(contract, RasterProfile("dem.tif", bands=bands))
    assert [(c.name, c.type, c.description) for c in schema.columns] == [
        ("height", "float32", "[m]"),
        ("band 2", "uint8", None),
    ]
