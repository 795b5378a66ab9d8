from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.geometry_type import BASES, GeometryType, GeometryTypeName, common
from spatial_pipeline.contract.json_schema import schema
from spatial_pipeline.contract.load import load
from spatial_pipeline.contract.publication import GeometryColumn
from spatial_pipeline_tests.contract.test_load import mistakes, written

NAMES = get_args(GeometryTypeName)
types = st.sampled_from([GeometryType(b, d) for b in BASES for d in ("", "Z", "M", "ZM")])


def parsed(text: str) -> GeometryType:
    found = GeometryType.parse(text)
    assert found is not None
    return found


def test_names_of_contracts_are_all_types_and_are_written_as_they_are_read() -> None:
    assert len(NAMES) == len(set(NAMES)) == 4 * len(BASES)
    assert [str(parsed(name)) for name in NAMES] == list(NAMES)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Polygon Z", "PolygonZ"),
        ("POLYGON ZM", "PolygonZM"),
        ("2.5D Polygon", "PolygonZ"),
        ("PointM", "PointM"),
        ("Measured 3D Point", "PointZM"),
        ("Unknown Z", "GeometryZ"),
        ("Measured Unknown", "GeometryM"),
        ("Unknown", "Geometry"),
        ("MULTISURFACE", "MultiPolygon"),
        ("CompoundCurve Z", "LineStringZ"),
        ("TIN Z", "MultiPolygonZ"),
        ("LinearRing", None),
        ("", None),
        ("Point ZZ", None),
    ],
)
def test_spellings_of_gdal_postgis_and_geoparquet(text: str, name: str | None) -> None:
    found = GeometryType.parse(text)
    assert (None if found is None else str(found)) == name


def test_a_type_holds_itself_its_single_type_and_nothing_of_other_dimensions() -> None:
    assert parsed("MultiPolygonZ").holds(parsed("PolygonZ"))
    assert not parsed("PolygonZ").holds(parsed("MultiPolygonZ"))
    assert not parsed("MultiPolygon").holds(parsed("PolygonZ"))
    assert not parsed("GeometryCollection").holds(parsed("Polygon"))
    assert parsed("GeometryM").holds(parsed("GeometryCollectionM"))
    assert common([parsed("Polygon"), parsed("MultiPolygon")]) == parsed("MultiPolygon")
    assert common([parsed("Polygon"), parsed("MultiPoint")]) == parsed("Geometry")
    assert common([parsed("Point"), parsed("PointZ")]) is None
    assert BASES.index("Polygon") == shapely.GeometryType.POLYGON


@given(st.sets(types, min_size=1, max_size=4))
def test_the_common_type_is_the_narrowest_that_holds_them_all(found: set[GeometryType]) -> None:
    holding = [
        GeometryType(b, d)
        for b in BASES
        for d in ("", "Z", "M", "ZM")
        if GeometryType(b, d).holds_all(found)
    ]
    result = common(found)
    assert (result is None) == (not holding)
    if result is not None:
        assert result in holding
        assert not any(result.holds(t) and not t.holds(result) for t in holding)


VECTOR = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: a
  source: {uri: a.gpkg}
  publish: {table: gis.a, geometry: GEOMETRY}
"""


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("MultiPolygonZ", GeometryColumn(type="MultiPolygonZ")),
        ("{srid: 25832, nullable: false}", GeometryColumn(srid=25832, nullable=False)),
        ("null", GeometryColumn()),
    ],
)
def test_a_contract_declares_the_column_by_name_or_in_parts(
    tmp_path: Path, text: str, column: GeometryColumn
) -> None:
    (contract,) = load(written(tmp_path, VECTOR.replace("GEOMETRY", text)))
    assert contract.geometry_column == column


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MultPolygonZ", "unknown word 'MultPolygonZ'; did you mean 'MultiPolygonZ'?"),
        ("{type: Ploygon}", "unknown word 'Ploygon'; did you mean 'Polygon'?"),
        ("{srid: 0}", "expected at least 1, got 0"),
        ("{srid: 999000}", "expected at most 998999, got 999000"),
        ("{nullabel: false}", "unknown key 'nullabel'; did you mean 'nullable'?"),
    ],
)
def test_mistakes_in_the_column_are_told_with_their_line(
    tmp_path: Path, text: str, said: str
) -> None:
    (mistake,) = mistakes(written(tmp_path, VECTOR.replace("GEOMETRY", text)))
    assert mistake.startswith("5: publish.geometry")
    assert mistake.endswith(said)


def test_the_json_schema_offers_all_types() -> None:
    validator = jsonschema.Draft202012Validator(schema())

    def valid(column: Any) -> bool:
        publish = {"table": "gis.a", "geometry": column}
        attributes = {"name": "a", "source": {"uri": "a.gpkg"}, "publish": publish}
        document = {"type": "spatial_pipeline.VectorDataset", "attributes": attributes}
        return bool(validator.is_valid(document))

    assert all(valid(n) and valid({"type": n}) for n in NAMES)
    assert valid({"srid": 998_999, "nullable": True})
    assert not any(map(valid, ["polygon", {"type": "Ploygon"}, {"srid": 0}, {"other": 1}, 5]))
