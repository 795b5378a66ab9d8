"""Layers of every declared geometry type are read, with and without Z and M."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest import wkt
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

LINE, RING = "({0}, {1}, {2})", "(({0}, {1}, {2}, {0}))"
SHAPES = {
    "GEOMETRY": ("LINESTRING", LINE, "Unknown"),
    "CURVE": ("LINESTRING", LINE, "LineString"),
    "SURFACE": ("POLYGON", RING, "Polygon"),
    "CIRCULARSTRING": ("CIRCULARSTRING", LINE, "LineString"),
    "CURVEPOLYGON": ("CURVEPOLYGON", RING, "Polygon"),
    "MULTISURFACE": ("MULTISURFACE", f"({RING})", "MultiPolygon"),
    "TIN": ("TIN", f"({RING})", "TIN"),
    "TRIANGLE": ("TRIANGLE", RING, "Triangle"),
    "POLYHEDRALSURFACE": ("POLYHEDRALSURFACE", f"({RING})", "PolyhedralSurface"),
}
DIMENSIONS = {"": (0, 0), "Z": (1, 0), "M": (0, 1), "ZM": (1, 1)}


@pytest.mark.parametrize("suffix", DIMENSIONS)
@pytest.mark.parametrize("declared", SHAPES)
def test_a_geopackage_of_any_declared_type(declared: str, suffix: str, tmp_path: Path) -> None:
    kind, form, named = SHAPES[declared]
    more = " 5" * len(suffix)
    text = f"{kind} {suffix} " + form.format(f"0 0{more}", f"1 1{more}", f"2 0{more}")
    path = tmp_path / "a.gpkg"
    with warnings.catch_warnings():
        # GDAL warns that these types are an extension of GeoPackage.
        warnings.simplefilter("ignore", RuntimeWarning)
        pyogrio.raw.write(
            str(path), geometry=np.array([wkt.to_wkb(text)], dtype=object),
            geometry_type="Unknown", crs="EPSG:32633", field_data=[np.arange(1)], fields=["a"],
        )  # fmt: skip
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE gpkg_geometry_columns SET geometry_type_name = ?, z = ?, m = ?",
            (declared, *DIMENSIONS[suffix]),
        )
    profile, table = staged_vector(path, tmp_path / "s")
    assert (profile.error, profile.undecodable) == (None, ())
    assert profile.geometry_type == f"{named} {suffix}".strip()
    (shape,) = geometries(profile, table)
    assert (shape.has_z, shape.has_m) == ("Z" in suffix, "M" in suffix)
    assert shapely.get_coordinates(shape)[0].tolist() == [0, 0]


def test_a_gml_of_several_types_with_heights(tmp_path: Path) -> None:
    shapes = [shapely.Point(1, 2, 3), shapely.LineString([(0, 0, 1), (1, 1, 2)])]
    wkb = np.array([shapely.to_wkb(s, flavor="iso") for s in shapes], dtype=object)
    pyogrio.raw.write(
        str(tmp_path / "a.gml"), geometry=wkb, geometry_type="Unknown", crs="EPSG:32633",
        field_data=[np.arange(2)], fields=["a"], driver="GML",
    )  # fmt: skip
    profile, table = staged_vector(tmp_path / "a.gml", tmp_path / "s")
    assert (profile.error, profile.geometry_type) == (None, "Unknown Z")
    assert [g.has_z for g in geometries(profile, table)] == [True, True]
