from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely

from spatial_pipeline.check.crs.transformation import (
    area_unit,
    in_degrees,
    length_unit,
    transformed,
)
from spatial_pipeline.errors import RuleError

CRS = pyproj.CRS


def _array(*geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def test_transforms_x_first_and_states_the_accuracy():
    geometry, note = transformed(
        _array(shapely.Point(15, 50), None, shapely.Polygon()), CRS(4326), CRS(32633)
    )
    assert shapely.get_coordinates(geometry[0])[0] == pytest.approx(
        [500000, 5538630.7028], abs=1e-3
    )
    assert geometry[1] is None
    assert geometry[2].is_empty
    assert "from WGS 84 to WGS 84 / UTM zone 33N" in note
    assert "accuracy 0 m" in note


def test_keeps_z_and_leaves_the_input_alone():
    line = shapely.from_wkt("LINESTRING Z (15 50 7, 16 51 8)")
    flat = shapely.from_wkt("LINESTRING (15 50, 16 51)")
    geometry, _ = transformed(_array(line, flat), CRS(4326), CRS(32633))
    assert shapely.get_coordinates(geometry[0], include_z=True)[:, 2].tolist() == [7, 8]
    assert not geometry[1].has_z
    assert (
        shapely.get_coordinates(geometry[0]).tolist()
        == shapely.get_coordinates(geometry[1]).tolist()
    )
    assert line.wkt == "LINESTRING Z (15 50 7, 16 51 8)"


def test_the_same_crs_in_another_axis_order_is_no_transformation():
    points = _array(shapely.Point(15, 50))
    geometry, note = transformed(points, CRS("OGC:CRS84"), CRS(4326))
    assert geometry is points
    assert note == ""


def test_several_operations_are_said_with_the_range_of_their_accuracies():
    _, note = transformed(_array(shapely.Point(-105, 40)), CRS(4269), CRS(4326))
    assert "operations at each place (accuracy 4 to 8 m)" in note


@pytest.mark.parametrize(
    ("here", "there", "says"),
    [
        (31467, 25832, "needs a grid that is not installed: de_adv_BETA2007.tif"),
        (None, 4326, "needs crs"),
        (4326, None, "needs crs"),
        ("IAU_2015:30100", 4326, "no transformation from Moon"),
    ],
)
def test_refuses_what_it_cannot_transform(here, there, says):
    with pytest.raises(RuleError, match=says):
        transformed(
            _array(shapely.Point(0, 0)),
            None if here is None else CRS(here),
            None if there is None else CRS(there),
        )


def test_coordinates_that_cannot_be_transformed_become_infinite():
    geometry, _ = transformed(_array(shapely.Point(0, 91)), CRS(4326), CRS(32633))
    assert np.isinf(shapely.get_coordinates(geometry)).all()
    with np.errstate(all="ignore"):
        lost = shapely.points([[np.nan, 1.0]])
    geometry, _ = transformed(lost, CRS(4326), CRS(32633))
    assert not np.isfinite(shapely.get_coordinates(geometry)).all()


def test_units():
    assert (length_unit(CRS(32633)), area_unit(CRS(32633)), in_degrees(CRS(32633))) == (
        "m",
        "m²",
        False,
    )
    assert (length_unit(CRS(4326)), area_unit(CRS(4326)), in_degrees(CRS(4326))) == (
        "°",
        "°²",
        True,
    )
    assert area_unit(CRS(2272)) == "ftUS²"
    assert area_unit(CRS(7415)) == "m²"
    assert (length_unit(None), area_unit(None), in_degrees(None)) == ("", "", False)
