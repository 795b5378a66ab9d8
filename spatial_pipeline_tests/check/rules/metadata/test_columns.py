import dataclasses
import datetime as dt
import decimal

import pyarrow as pa
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.metadata.columns import type_matches
from spatial_pipeline.contract.rules.metadata import Columns
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import Column
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.support import memory_vector, run_rule

POINTS = [shapely.Point(i, 0) for i in range(3)]
TABLE = {"geoid": ["a", "b", "c"], "name": ["x", None, "z"], "pop": [1, 2, 3]}


def mistakes(**options):
    return [f[1] for f in everywhere(Columns(**options), POINTS, TABLE)[1]]


def test_the_promised_schema_passes():
    rule = Columns(
        schema={"geoid!": "string", "name": "string", "pop": "integer"}, extra="forbid", order=True
    )
    result, violations = everywhere(rule, POINTS, TABLE)
    assert (result.status, result.checked, violations) == (Status.PASSED, 3, [])


def test_all_mistakes_are_listed_at_once():
    rule = Columns(
        schema={"geo_id": "string", "pop": "string", "name!": "string"},
        extra="forbid",
        order=True,
        name_pattern="[a-z]{4,}",
        max_name_length=4,
    )
    result, violations = everywhere(rule, POINTS, TABLE)
    assert result.status is Status.FAILED
    assert [f[1] for f in violations] == [
        "column geo_id is missing: did you mean geoid?",
        "column geoid is not in the schema",
        "column name holds 1 null, expected none",
        "column pop is int64, expected string",
        "the name geoid has 5 characters, at most 4 expected",
        "the name pop does not match [a-z]{4,}",
        "the order is name, pop, expected pop, name",
    ]
    assert all(f[0] == () and f[2] is None for f in violations)
    assert all(f[1] in result.message for f in violations)


def test_the_nearest_name_is_suggested_whatever_its_case():
    assert mistakes(schema={"GEOID": "string"}) == ["column GEOID is missing: did you mean geoid?"]
    assert mistakes(schema={"elevation": "any"}) == ["column elevation is missing"]


def test_a_taken_name_is_not_suggested():
    assert mistakes(schema={"geoid": "string", "geoids": "string"}) == ["column geoids is missing"]


def test_extra_columns_are_allowed_unless_forbidden():
    assert mistakes(schema={"geoid": "string"}) == []
    assert mistakes(schema={"geoid": "string"}, extra="forbid") == [
        "column name is not in the schema",
        "column pop is not in the schema",
    ]
    assert len(mistakes(schema={}, extra="forbid")) == 3


def test_order_is_that_of_the_promised_columns_among_others():
    assert mistakes(schema={"geoid": "any", "pop": "any"}, order=True) == []
    assert mistakes(schema={"pop": "any", "geoid": "any"}) == []
    assert mistakes(schema={"pop": "any", "geoid": "any"}, order=True) == [
        "the order is geoid, pop, expected pop, geoid"
    ]


def test_not_nullable_is_kept_by_the_schema():
    data = memory_vector(POINTS, TABLE)
    columns = (Column("name", "string", nullable=False),)
    data.profile = dataclasses.replace(data.profile, columns=columns)
    data.batch = None
    result, _ = run_rule(Columns(schema={"name!": "string"}), data)
    assert (result.status, result.message) == (Status.PASSED, "1 checked")


def test_not_nullable_is_kept_by_the_values_where_the_schema_permits_nulls():
    result, _ = everywhere(Columns(schema={"geoid!": "string"}), POINTS, TABLE)
    assert result.passed
    assert "the file lets geoid be null; the values were looked at" in result.message
    result, violations = everywhere(Columns(schema={"name!": "string"}), POINTS, TABLE)
    assert [f[1] for f in violations] == ["column name holds 1 null, expected none"]
    assert everywhere(Columns(schema={"a!": "any"}), [], {"a": []})[0].passed


def test_a_missing_column_has_no_nulls_to_count():
    assert mistakes(schema={"nome!": "string"}) == ["column nome is missing: did you mean name?"]


def test_hostile_names_are_names():
    name = '"; drop table x; -- ' + "é" * 300
    data = memory_vector(POINTS, {name: [1, 2, 3]})
    assert run_rule(Columns(schema={name: "integer"}, extra="forbid"), data)[0].passed


def test_no_columns_and_no_features():
    result, violations = everywhere(Columns(schema={"a": "any"}), [])
    assert [f[1] for f in violations] == ["column a is missing"]
    assert result.checked == 0


ARROW = {
    "string": [
        pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
    ],
    "integer": [pa.int8(), pa.int64(), pa.uint32()],
    "number": [
        pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2),
    ],
    "float": [pa.float32(), pa.float64()],
    "float32": [pa.float32()],
    "float64": [pa.float64()],
    "uint16": [pa.uint16()],
    "decimal": [pa.decimal128(9, 2), pa.decimal256(50, 1)],
    "boolean": [pa.bool_()],
    "date": [pa.date32(), pa.date64()],
    "time": [pa.time32("s"), pa.time64("us")],
    "datetime": [pa.timestamp("ms"), pa.timestamp("ns", "Europe/Berlin")],
    "binary": [pa.binary(), pa.large_binary(), pa.binary(4)],
    "any": [pa.string(), pa.list_(pa.int8()), pa.struct([("a", pa.int8())])],
}  # fmt: skip


@pytest.mark.parametrize("promised", ARROW)
def test_types(promised):
    for kind in ARROW[promised]:
        assert type_matches(str(kind), promised), kind
    others = {str(k) for kinds in ARROW.values() for k in kinds} - {str(k) for k in ARROW[promised]}
    wider = {
        "number": ("integer", "float", "float32", "float64", "uint16", "decimal"),
        "integer": ("uint16", "number"),
        "float": ("number",),
    }
    if promised == "any":
        return
    for kind in others - {str(k) for w in wider.get(promised, ()) for k in ARROW[w]}:
        assert not type_matches(kind, promised), kind


def test_types_of_real_columns():
    table = {
        "t": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * 3,
        "d": [dt.date(2020, 1, 1)] * 3,
        "n": [decimal.Decimal("1.5")] * 3,
        "b": [True] * 3,
    }
    schema = {"t": "datetime", "d": "date", "n": "decimal", "b": "boolean"}
    assert run_rule(Columns(schema=schema), memory_vector(POINTS, table))[0].passed


def test_a_contract_promises_something():
    with pytest.raises(pydantic.ValidationError, match="give schema, name_pattern, max_name"):
        Columns()
    with pytest.raises(pydantic.ValidationError, match="is not a regular expression"):
        Columns(name_pattern="(")


KINDS = {
    "integer": pa.int32(), "float64": pa.float64(), "string": pa.string(), "boolean": pa.bool_(),
}  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c", "long"])
FOUND = st.dictionaries(NAMES, st.tuples(st.sampled_from(list(KINDS)), st.booleans()))
PROMISED = st.dictionaries(
    NAMES, st.tuples(st.sampled_from([*KINDS, "any"]), st.booleans()), min_size=1
)


@given(FOUND, PROMISED, st.booleans(), st.booleans(), st.sampled_from([None, 1, 4]))
@settings(max_examples=60)
def test_every_difference_is_one_violation(found, promised, forbid, order, longest):
    columns = {n: pa.nulls(3, KINDS[kind]) for n, (kind, null) in found.items() if null}
    for name, (kind, null) in found.items():
        if not null:
            columns[name] = pa.array([1, 1, 1]).cast(KINDS[kind])
    columns = {name: columns[name] for name in found}
    rule = Columns(
        schema={n + "!" * required: kind for n, (kind, required) in promised.items()},
        extra="forbid" if forbid else "allow",
        order=order,
        max_name_length=longest,
    )
    _, violations = run_rule(rule, memory_vector(POINTS, columns))
    wrong = sum(name not in found for name in promised)
    for name, (kind, null) in found.items():
        wanted, required = promised.get(name, ("any", False))
        wrong += (wanted not in {"any", kind}) + (null and required)
        wrong += (forbid and name not in promised) + (longest is not None and len(name) > longest)
    shared = [n for n in found if n in promised]
    wrong += order and shared != [n for n in promised if n in found]
    assert len(violations) == wrong
