"""Each public specification passes a dataset that obeys it, and names the defects of another."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from rasterio.shutil import copy
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.contract.specification import specifications

Make = Callable[[Path, bool], Path]


@dataclass(frozen=True)
class Example:
    """Data that obey a specification, and data that do not.

    Attributes:
        make: writes one of the two into a folder.
        held: checks that the defects of the bad one fail.
        parameters: of the specification.

    """

    make: Make
    held: set[str]
    parameters: dict[str, Any] = field(default_factory=dict)


def layer(path: Path, shapes: list[Any], columns: dict[str, Any], crs: int, **options: Any) -> Path:
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.to_file(path, **options)
    return path


def square(x: float, y: float, size: float) -> shapely.Polygon:
    return shapely.box(x, y, x + size, y + size)


BOW = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10), (0, 0)])


def pdok(folder: Path, good: bool) -> Path:
    shapes = [square(155000 + 20 * i, 463000, 10) for i in range(3)]
    columns = {"naam": ["a", "b", "c"]} if good else {"Naam Veld": ["a", "b", "c"]}
    if not good:
        shapes[0] = BOW
    options = {"layer": "percelen", "driver": "GPKG", "GEOMETRY_NAME": "geom"}
    return layer(folder / "a.gpkg", shapes, columns, 28992 if good else 32633, **options)


def rfc7946(folder: Path, good: bool) -> Path:
    ring = [(4.0, 52.0), (4.1, 52.0), (4.1, 52.1), (4.0, 52.1), (4.0, 52.0)]
    text: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"a": 1},
             "geometry": {"type": "Polygon", "coordinates": [ring if good else ring[::-1]]}},
            {"type": "Feature", "properties": {"a": 2},
             "geometry": {"type": "LineString",
                          "coordinates": [[179, 0], [180 if good else -179, 0]]}},
        ],
    }  # fmt: skip
    if not good:
        text["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    (folder / "a.geojson").write_text(json.dumps(text))
    return folder / "a.geojson"


def tif(path: Path, values: Any, crs: int = 25832, **options: Any) -> Path:
    bands, height, width = values.shape
    transform = rasterio.Affine(10, 0, 500000, 0, -10, 5700000)
    about = {"width": width, "height": height, "count": bands, "dtype": values.dtype}
    with rasterio.open(
        path, "w", driver="GTiff", crs=f"EPSG:{crs}", transform=transform, **about, **options
    ) as file:
        file.write(values)
    return path


def cog(folder: Path, good: bool) -> Path:
    random = np.random.default_rng(1)
    values = np.cumsum(random.integers(0, 3, (1, 700, 700)), axis=2).astype("uint16")
    plain = tif(folder / "plain.tif", values)
    if good:
        copy(plain, folder / "a.tif", driver="COG", compress="DEFLATE")
    return folder / "a.tif" if good else plain


def corine(folder: Path, good: bool) -> Path:
    x, y = 4_000_000, 3_000_000
    shapes = [square(x + 1000 * i, y + 1000 * j, 1000) for j in range(3) for i in range(3)]
    codes = ["111", "211", "311", "211", "312", "112", "321", "324", "512"]
    if not good:
        shapes[4] = square(x + 1000, y + 1000, 400)
        # Seventy metres of the upper edge of one polygon stand out too thinly.
        shapes[8] = shapely.union(shapes[8], shapely.box(x + 2400, y + 3000, x + 2470, y + 3600))
        codes[:3] = ["111", "111", "999"]
    columns = {"ID": [f"EU-{i}" for i in range(9)], "Code_18": codes}
    return layer(folder / "a.gpkg", shapes, columns, 3035)


def parcels(folder: Path, good: bool) -> Path:
    shapes = [square(500000 + 10 * i, 5700000, 10) for i in range(3)]
    if not good:
        shapes[1] = square(500009, 5700000, 10)
    columns = {
        "inspireId": ["a", "b", "c"],
        "nationalCadastralReference": ["1", "2", "3" if good else "1"],
        "label": ["1", "2", "3" if good else None],
        "area": [100.0, 100.0, 100.0 if good else 200.0],
    }
    return layer(folder / "a.gpkg", shapes, columns, 25832)


def links(folder: Path, good: bool) -> Path:
    x, y = 500000, 5700000
    ends = [((0, 0), (10, 0)), ((10, 0), (20, 0)), ((10, 0), (10, 10))]
    if not good:
        ends[2] = ((10, 0.3), (10, 10))
        ends.append(((15, -5), (15, 5)))
    lines = [shapely.LineString([(x + a, y + b), (x + c, y + d)]) for (a, b), (c, d) in ends]
    return layer(
        folder / "a.gpkg", lines, {"inspireId": [f"l{i}" for i in range(len(lines))]}, 25832
    )


def boundaries(folder: Path, good: bool) -> Path:
    shapes = [square(-105, 39, 1), square(-104 if good else -104.1, 39, 1)]
    columns = {
        "NGUID": ["a@x", "b@x"],
        "ServiceURI": ["sips:psap@x", "sips:psap@y" if good else "psap"],
        "ServiceURN": ["urn:service:sos"] * 2,
        "DateUpdate": ["2024-01-01", "2024-01-01"],
        "DiscrpAgID": ["x", "x"],
        "Agency_ID": ["x", "y"],
        "AVcard_URI": ["https://x/card", "https://y/card"],
        "DsplayName": ["X", "Y" if good else None],
    }
    return layer(folder / "a.gpkg", shapes, columns, 4326)


def centerlines(folder: Path, good: bool) -> Path:
    ends = [-105, -104.99, -104.98]
    lines = [shapely.LineString([(a, 39), (b, 39)]) for a, b in itertools.pairwise(ends)]
    columns = {
        "NGUID": ["a@x", "b@x"], "DateUpdate": ["2024-01-01"] * 2, "St_Name": ["Main"] * 2,
        "FromAddr_L": [1, 101 if good else 51], "ToAddr_L": [99, 199],
        "FromAddr_R": [2, 102], "ToAddr_R": [98, 198 if good else 199],
        "Parity_L": ["O", "O"], "Parity_R": ["E" if good else "X", "E"],
        "DiscrpAgID": ["x", "x"], "Country_L": ["US"] * 2, "Country_R": ["US"] * 2,
        "State_L": ["CO"] * 2, "State_R": ["CO"] * 2, "County_L": ["Weld"] * 2,
        "County_R": ["Weld", "Weld" if good else None], "IncMuni_L": ["Ault"] * 2,
        "IncMuni_R": ["Ault"] * 2,
    }  # fmt: skip
    if not good:
        columns["NGUID"] = ["a@x", "a@x"]
        lines[1] = shapely.LineString([(-104.995, 38.99), (-104.995, 39.01)])
    return layer(folder / "a.gpkg", lines, columns, 4326)


def addresses(folder: Path, good: bool) -> Path:
    points = [shapely.Point(-105 + 0.001 * i, 39.0005) for i in range(3)]
    columns = {
        "NGUID": ["a@x", "b@x", "c@x"], "DateUpdate": ["2024-01-01"] * 3,
        "Add_Number": [1, 3, 5 if good else -5], "St_Name": ["Main"] * 3,
        "Country": ["US"] * 3, "State": ["CO", "CO", "CO" if good else "Colorado"],
        "DiscrpAgID": ["x"] * 3, "County": ["Weld"] * 3,
        "Inc_Muni": ["Ault", "Ault", "Ault" if good else None],
    }  # fmt: skip
    if not good:
        points[2] = shapely.Point(-104, 39)
    layer(folder / "roads.gpkg", [shapely.LineString([(-105, 39), (-104.99, 39)])],
          {"St_Name": ["Main"]}, 4326)  # fmt: skip
    return layer(folder / "a.gpkg", points, columns, 4326)


def elevation(folder: Path, good: bool) -> Path:
    rows, columns = np.mgrid[0:64, 0:64]
    values = (500 + rows + np.sin(columns / 3)).astype("float32")[None]
    if not good:
        values[0, 20:24, 30:33] = -999999
        values[0, 40, 40] = 9000
    return tif(folder / "a.tif", values, nodata=-999999, tiled=True, blockxsize=64, blockysize=64)


EXAMPLES = {
    "pdok_geopackage": Example(pdok, {"format_conformance", "columns", "crs", "valid_geometry"}),
    "rfc7946": Example(rfc7946, {"format_conformance", "ring_orientation", "antimeridian"}),
    "cog": Example(cog, {"cloud_optimized", "format_conformance"}),
    "corine_land_cover": Example(
        corine,
        {"allowed_values", "min_area", "min_width", "must_not_have_gaps", "neighbours_must_differ"},
    ),
    "inspire_cadastral_parcels": Example(
        parcels, {"unique_reference", "not_null", "must_not_overlap", "measures_match"},
        {"areaValue": "area"},
    ),
    "inspire_transport_networks": Example(links, {"no_near_misses", "lines_split_at"}),
    "nena_service_boundaries": Example(
        boundaries, {"uri_of_a_service", "must_not_overlap", "other_mandatory_fields"}
    ),
    "nena_road_centerlines": Example(
        centerlines,
        {"unique", "parity_right", "numbers_right", "ranges_left", "lines_split_at",
         "other_mandatory_fields"},
    ),
    "nena_address_points": Example(
        addresses,
        {"value_range", "state_code", "must_be_within_distance", "other_mandatory_fields"},
        {"centerlines": {"uri": "roads.gpkg"}},
    ),
    "elevation_model": Example(elevation, {"no_voids", "pixel_range", "no_spikes_in_surface"}),
}  # fmt: skip


def test_every_specification_has_an_example() -> None:
    assert set(EXAMPLES) == set(specifications())


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_good_data_pass_and_the_defects_of_bad_data_are_named(tmp_path: Path, name: str) -> None:
    example, found = EXAMPLES[name], specifications()[name]
    for good in (True, False):
        folder = tmp_path / str(good)
        folder.mkdir()
        path = example.make(folder, good)
        attributes = {
            "name": "a",
            "source": {"uri": path.name},
            "uses": [{"name": name, "parameters": example.parameters}],
        }
        kind = f"spatial_pipeline.{found.kind.capitalize()}Dataset"
        (folder / "defs.yaml").write_text(yaml.safe_dump({"type": kind, "attributes": attributes}))
        done = CliRunner().invoke(
            app,
            ["check", str(folder / "defs.yaml"), "--json"],
            env={"SPATIAL_STORE": str(folder / "store")},
        )
        (dataset,) = json.loads(done.stdout)["datasets"]
        results = {r["name"]: r for r in dataset["results"]}
        failed = {n: r["message"] for n, r in results.items() if not r["passed"]}
        if good:
            assert failed == {}
        else:
            assert set(failed) >= example.held, failed
            assert {results[n]["status"] for n in failed} == {"failed"}, failed
