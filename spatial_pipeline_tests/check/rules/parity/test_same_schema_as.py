import datetime as dt
import decimal

import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join.format_losses import truncated
from spatial_pipeline.contract.rules.delivery_parity import SameSchemaAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = {"uri": "other.gpkg"}
TYPES = {
    "bool": pa.bool_(), "int32": pa.int32(), "int64": pa.int64(), "double": pa.float64(),
    "float": pa.float32(), "string": pa.string(), "date": pa.date32(),
    "datetime": pa.timestamp("us"), "binary": pa.binary(), "decimal": pa.decimal128(9, 2),
}  # fmt: skip
VALUES = {
    "bool": True, "int32": 1, "int64": 1, "double": 0.5, "float": 0.5, "string": "a",
    "date": dt.date(2020, 1, 1), "datetime": dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "binary": b"a",
    "decimal": decimal.Decimal("1.25"),
}  # fmt: skip


def layer(columns, driver="Parquet", **profile):
    table = {n: pa.array([VALUES[t]], TYPES[t]) for n, t in columns.items()}
    return memory_vector([shapely.Point(0, 0)], table, driver=driver, **profile)


def compared(here, there, **parameters):
    result, violations = run_rule(SameSchemaAs(other=OTHER, **parameters), here, there)
    return result, violations.reasons.tolist()


def test_the_same_columns_pass_in_any_order():
    here = layer({"id": "int64", "name": "string"})
    there = layer({"name": "string", "id": "int64"})
    result, reasons = compared(here, there)
    assert (result.status, result.checked, reasons) == (Status.PASSED, 2, [])
    assert result.message == "2 columns are the same"


def test_missing_columns_and_other_types_are_named():
    here = layer({"id": "int64", "name": "string", "only": "date"})
    there = layer({"id": "int32", "name": "string", "more": "date"})
    result, reasons = compared(here, there)
    assert result.status is Status.FAILED
    assert reasons == [
        "column id is int64 here, int32 there",
        "column more is missing here",
        "column only is missing there",
    ]
    result, reasons = compared(here, there, ignore=("id", "only", "more"))
    assert (result.passed, result.checked) == (True, 1)
    assert "not compared: id, only, more" in result.message


def test_storage_variants_are_no_other_types():
    plain = memory_vector([None], {"a": pa.array(["x"]), "b": pa.array([[1]])})
    large = memory_vector(
        [None],
        {"a": pa.array(["x"]).dictionary_encode(),
         "b": pa.array([[1]], pa.large_list(pa.int64()))},
    )  # fmt: skip
    assert compared(plain, large)[0].passed


@pytest.mark.parametrize(
    ("driver", "ours", "theirs", "why"),
    [
        ("ESRI Shapefile", "bool", "int32", "a Shapefile has no booleans"),
        ("ESRI Shapefile", "datetime", "date", "a Shapefile has no date-times"),
        ("ESRI Shapefile", "int64", "double", "width in digits"),
        ("GeoJSON", "date", "string", "JSON has no dates and times"),
        ("CSV", "double", "string", "CSV has text only"),
        ("GPKG", "decimal", "double", "a GeoPackage has no decimals"),
        ("FlatGeobuf", "date", "datetime", "FlatGeobuf has no dates without a time"),
    ],
)
def test_known_losses_pass_and_are_named(driver, ours, theirs, why):
    whole, poor = layer({"a": ours}), layer({"a": theirs}, driver)
    for here, there in ((whole, poor), (poor, whole)):
        result, _ = compared(here, there)
        assert result.passed
        assert why in result.message
    # The other way round nothing explains it.
    if ours != "int64":
        assert not compared(layer({"a": theirs}), layer({"a": ours}, driver))[0].passed
    assert not compared(whole, layer({"a": theirs}))[0].passed


def test_truncated_names_are_named_or_accepted():
    here = layer({"population_2020": "int64", "population_2021": "int64", "id": "int64"})
    there = layer({"population": "int64", "populati_1": "int64", "id": "int64"}, "ESRI Shapefile")
    result, reasons = compared(here, there)
    assert result.status is Status.FAILED
    assert reasons == [
        "column population_2020 is population there: names in a Shapefile have at most 10 bytes",
        "column population_2021 is populati_1 there: names in a Shapefile have at most 10 bytes",
    ]
    result, _ = compared(here, there, allow_truncated_names=True)
    assert result.passed
    assert "population_2021 is populati_1 there" in result.message
    assert compared(there, here, allow_truncated_names=True)[0].passed
    # Only a Shapefile cuts names.
    assert len(compared(here, layer({"population": "int64"}))[1]) == 4


def test_the_type_of_geometry_counts():
    def of(kind, driver="Parquet", **more):
        return layer({"id": "int64"}, driver, geometry_type=kind, **more)

    assert compared(of("Polygon"), of("POLYGON"))[0].passed
    assert compared(of("Polygon"), of("Point"))[1] == [
        "the type of geometry is Polygon here, Point there"
    ]
    assert compared(of("Polygon"), of("MultiPolygon"))[1]
    result, _ = compared(of("MultiPolygon"), of("Polygon", "ESRI Shapefile"))
    assert result.passed
    assert "a Shapefile declares one type for both" in result.message
    result, _ = compared(of("Polygon"), of("Unknown"))
    assert result.passed
    assert "what declares no type is not compared" in result.message
    assert compared(of("Polygon"), of("Point"), ignore=("geometry",))[0].passed
    table = of(None, geometry_column=None)
    assert compared(table, of("Point"))[1] == ["there is geometry only there"]
    assert compared(of("Point"), table)[1] == ["there is geometry only here"]


def test_mistakes_are_errors():
    here = layer({"id": "int64"})
    assert "ignore names no column: idd" in compared(here, here, ignore=("idd",))[0].message
    result, _ = compared(here, layer({"id": "int64"}, error="damaged"))
    assert result.status is Status.ERROR


@given(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(sorted(TYPES)), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(sorted(TYPES)), min_size=1),
    st.sets(st.sampled_from("abcd")),
)
@settings(max_examples=60, deadline=None)
def test_without_losses_it_is_the_difference_of_two_mappings(here, there, ignored):
    ignored &= here.keys() | there.keys()
    result, reasons = compared(layer(here), layer(there), ignore=tuple(sorted(ignored)))
    wrong = {n for n in here.keys() | there.keys() if here.get(n) != there.get(n)} - ignored
    assert {r.split()[1] for r in reasons} == wrong
    assert result.violations == len(wrong)


@given(st.lists(st.text("abé_1", min_size=1, max_size=14), unique=True, max_size=6))
@settings(max_examples=100, deadline=None)
def test_what_gdal_leaves_of_names_is_recognised(names):
    """Names cut one after the other as GDAL does: the first whole, equal ones numbered."""
    short = []
    for name in names:
        stem = name.encode()[:10].decode("utf-8", "ignore")
        number = 0
        while stem.casefold() in {s.casefold() for s in short}:
            number += 1
            stem = f"{name.encode()[:8].decode('utf-8', 'ignore')}_{number}"
        short.append(stem)
    unmatched = [n for n in names if n not in short]
    free = [s for s in short if s not in names]
    for name, cut in truncated(unmatched, free).items():
        assert len(name.encode()) > 10
        assert cut in free
    if len({n.encode()[:8] for n in names}) == len(names):
        expected = dict(zip(names, short, strict=True))
        assert truncated(unmatched, free) == {n: expected[n] for n in unmatched}
