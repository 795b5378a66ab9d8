"""A schema that readers do not know is held, unless the contract or a person says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.gate.decision import decide
from spatial_pipeline.gate.schema import schema_reasons, undeclared
from spatial_pipeline.model.profile import Column
from spatial_pipeline.model.schema_diff import (
    ChangeKind,
    Schema,
    SchemaChange,
    SchemaDifference,
    SchemaEvidence,
    schema_change,
)
from spatial_pipeline_tests.gate.test_decision import VERSION, contract, verdict

BEFORE = Schema("vector", (Column("id", "int64"), Column("area", "int64")), "Polygon", "EPSG:4326")
ADDED = Schema("vector", (*BEFORE.columns, Column("name", "string")), "Polygon", "EPSG:4326")
RETYPED = Schema(
    "vector", (Column("id", "int64"), Column("area", "double")), "Polygon", "EPSG:4326"
)


def evidence(after: Schema, before: Schema = BEFORE, *, accepted: bool = False) -> SchemaEvidence:
    change = schema_change(before, after)
    return SchemaEvidence(change, after.fingerprint, "the published version v0", accepted)


def of(policy: str, *rules: Any) -> VectorContract:
    return contract(on_schema_change=policy, rules=list(rules))


def test_hold_names_every_change_and_the_way_out() -> None:
    after = Schema("vector", RETYPED.columns, "Point", "EPSG:4326")
    (reason,) = schema_reasons(of("hold"), evidence(after))
    assert reason == (
        "the schema differs from that of the published version v0: column area was int64, is"
        " double; geometry type was Polygon, is Point; if this is intended: spatial-pipeline accept"
        f" roads --schema {after.fingerprint[:12]}"
    )


def test_hold_is_the_default() -> None:
    decision = decide(contract(), VERSION, verdict(contract()), (), evidence(ADDED))
    assert len(decision.reasons) == 1
    assert decide(contract(), VERSION, verdict(contract()), (), evidence(BEFORE)).open
    assert decide(contract(), VERSION, verdict(contract()), (), None).open


@pytest.mark.parametrize("policy", ["hold", "accept_additive", "backfill"])
def test_policies(policy: str) -> None:
    accepts = {"hold": set(), "accept_additive": {"added"}, "backfill": {"added", "retyped"}}
    for name, after in (("added", ADDED), ("retyped", RETYPED)):
        held = bool(schema_reasons(of(policy), evidence(after)))
        assert held == (name not in accepts[policy])


def test_a_person_accepted_it() -> None:
    assert not schema_reasons(of("hold"), evidence(RETYPED, accepted=True))


def test_an_open_schema_does_not_open_the_gate() -> None:
    assert not decide(of("backfill"), VERSION, None, (), evidence(RETYPED)).open


def columns(extra: str = "allow", **rule: Any) -> dict[str, Any]:
    schema = {"id": "integer", "area": "number"}
    return {"rule": "columns", "schema": schema, "extra": extra, **rule}


def test_a_contract_that_lists_the_columns_speaks_for_itself() -> None:
    assert not schema_reasons(of("hold", columns()), evidence(RETYPED))
    assert schema_reasons(of("hold", columns()), evidence(ADDED))


@pytest.mark.parametrize(
    "weak",
    [{"severity": "warn"}, {"max_violations": 1}, {"max_fraction": 0.1}],
)
def test_a_rule_that_lets_things_pass_declares_nothing(weak: dict[str, Any]) -> None:
    assert schema_reasons(of("hold", columns(**weak)), evidence(RETYPED))


def test_a_rule_that_judges_some_features_declares_nothing() -> None:
    points = evidence(Schema("vector", BEFORE.columns, "Point", "EPSG:4326"))
    rule = {"rule": "geometry_type", "any_of": ["Point"]}
    assert not schema_reasons(of("hold", rule), points)
    assert schema_reasons(of("hold", {**rule, "where": "id > 3"}), points)


def test_a_column_that_went_is_declared_by_a_full_list_only() -> None:
    gone = evidence(BEFORE, ADDED)
    assert schema_reasons(of("hold", columns()), gone)
    assert not schema_reasons(of("hold", columns("forbid")), gone)


CASES = [
    ({"rule": "crs", "equals": "EPSG:4326"}, ChangeKind.CRS),
    ({"rule": "geometry_type", "any_of": ["Point"]}, ChangeKind.GEOMETRY_TYPE),
    ({"rule": "band_count", "equals": 3}, ChangeKind.BAND_COUNT),
    ({"rule": "data_type", "equals": "uint8"}, ChangeKind.DATA_TYPE),
    ({"rule": "nodata", "equals": 0}, ChangeKind.NODATA),
    ({"rule": "resolution", "equals": 10}, ChangeKind.RESOLUTION),
    ({"rule": "grid_alignment", "origin": [0, 0], "resolution": 1}, ChangeKind.ALIGNMENT),
]


@pytest.mark.parametrize(("rule", "kind"), CASES, ids=[c[0]["rule"] for c in CASES])
def test_a_rule_declares_its_own_part_and_no_other(rule: dict[str, Any], kind: ChangeKind) -> None:
    model = VectorContract if rule["rule"] == "geometry_type" else RasterContract
    made = model.model_validate({"name": "x", "source": {"uri": "x"}, "rules": [rule]})
    everything = SchemaChange(tuple(SchemaDifference(k, "a", "b") for k in ChangeKind))
    left = {d.kind for d in undeclared(made, everything).differences}
    assert left == set(ChangeKind) - {kind}
