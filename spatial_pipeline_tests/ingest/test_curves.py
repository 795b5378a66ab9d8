"""Curves and surfaces become lines and polygons, and every other value stays as it is."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest import wkt
from spatial_pipeline.ingest.curves import LinearisationSummary, base_types, linearised
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

ARC = "CIRCULARSTRING (0 0, 1 1, 2 0)"
ROUND = "CURVEPOLYGON (CIRCULARSTRING (0 0, 2 0, 0 0))"
BOUND = (
    ", staged as straight lines: nowhere farther than 1/10000 of an arc's radius or length "
    "from it, at most 9.83e-05"
)
SURFACES = (
    "1 features (TIN, TRIANGLE) are staged as polygons; "
    "faces share edges, which those of a valid MultiPolygon may not"
)
TEXTS = {
    ARC: ("LineString", np.pi, 0),
    "COMPOUNDCURVE (CIRCULARSTRING (0 0, 1 1, 2 0), (2 0, 3 0))": ("LineString", np.pi + 1, 0),
    ROUND: ("Polygon", 2 * np.pi, np.pi),
    "CURVEPOLYGON (COMPOUNDCURVE (CIRCULARSTRING (0 0, 1 1, 2 0), (2 0, 0 0)),"
    " (0.9 0.2, 1.1 0.2, 1.1 0.4, 0.9 0.4, 0.9 0.2))": ("Polygon", np.pi + 2.8, np.pi / 2 - 0.04),
    f"MULTISURFACE ({ROUND}, ((5 5, 6 5, 6 6, 5 6, 5 5)))": (
        "MultiPolygon", 2 * np.pi + 4, np.pi + 1,
    ),
    f"MULTICURVE ((0 0, 0 1), {ARC})": ("MultiLineString", np.pi + 1, 0),
    f"GEOMETRYCOLLECTION (POINT (1 1), {ARC}, GEOMETRYCOLLECTION ({ROUND}))": (
        "GeometryCollection", 3 * np.pi, np.pi,
    ),
    "TIN (((0 0, 1 0, 0 1, 0 0)), ((1 0, 1 1, 0 1, 1 0)))": ("MultiPolygon", None, 1),
    "TRIANGLE ((0 0, 1 0, 0 1, 0 0))": ("Polygon", None, 0.5),
    "POLYHEDRALSURFACE (((0 0, 1 0, 1 1, 0 1, 0 0)))": ("MultiPolygon", 4, 1),
    "CIRCULARSTRING EMPTY": ("LineString", 0, 0),
    "COMPOUNDCURVE EMPTY": ("LineString", 0, 0),
    "CURVEPOLYGON EMPTY": ("Polygon", 0, 0),
    "MULTISURFACE EMPTY": ("MultiPolygon", 0, 0),
    "TIN EMPTY": ("MultiPolygon", 0, 0),
}  # fmt: skip


def column(*values: bytes | str | None) -> pa.Array:
    return pa.array([wkt.to_wkb(v) if isinstance(v, str) else v for v in values], pa.binary())


def linear(*values: bytes | str | None) -> list[bytes | None]:
    return linearised(column(*values), LinearisationSummary()).to_pylist()


@pytest.mark.parametrize("text", TEXTS)
def test_a_curve_is_the_line_or_polygon_of_its_kind(text: str) -> None:
    (found,) = linear(text)
    kind, length, area = TEXTS[text]
    shape = shapely.from_wkb(found)
    assert shape.geom_type == kind
    assert shape.area == pytest.approx(area, rel=3e-4)
    if length is not None:
        assert shape.length == pytest.approx(length, rel=1e-4)
    # Triangles of one surface share edges.
    assert shape.is_valid or text.startswith("TIN")


@pytest.mark.parametrize("ewkb", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", ["", "Z", "M", "ZM"])
def test_dimensions_byte_orders_and_dialects(suffix: str, order: str, ewkb: bool) -> None:
    z, m = "Z" in suffix, "M" in suffix
    positions = [(0, 0, 1, 7), (1, 1, 2, 8), (2, 0, 3, 9)]
    kept = [[p[0], p[1], *([p[2]] if z else []), *([p[3]] if m else [])] for p in positions]
    word = 8 + (0x80000000 * z + 0x40000000 * m + 0x20000000 if ewkb else 1000 * z + 2000 * m)
    raw = struct.pack(f"{order}BI", order == "<", word)
    raw += struct.pack(f"{order}I", 4326) if ewkb else b""
    raw += struct.pack(f"{order}I", 3) + np.array(kept).astype(f"{order}f8").tobytes()
    (found,) = linear(raw)
    shape = shapely.from_wkb(found)
    assert (shape.has_z, shape.has_m) == (z, m)
    line = shapely.get_coordinates(shape, include_z=z, include_m=m)
    assert line[0].tolist() == kept[0]
    assert line[-1].tolist() == kept[-1]
    assert kept[1] in line.tolist()


def test_a_column_without_curves_is_not_touched() -> None:
    plain = column("POINT (1 2)", None, "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))",
                   "MULTIPOLYGON EMPTY", b"", b"\x01", b"\x02garbage")  # fmt: skip
    tally = LinearisationSummary()
    assert linearised(plain, tally) is plain
    assert list(tally.notes()) == []
    empty = pa.array([], pa.binary())
    assert linearised(empty, tally) is empty


def test_slices_and_nulls_keep_their_places() -> None:
    values = column(ARC, None, "POINT (1 2)", ARC, b"", None)
    found = linearised(values.slice(1, 4), LinearisationSummary())
    assert found.null_count == 1
    assert found[1].as_py() == values[2].as_py()
    assert shapely.from_wkb(found[2].as_py()).geom_type == "LineString"
    assert found[3].as_py() == b""
    assert (
        linearised(values.cast(pa.large_binary()), LinearisationSummary()).type == pa.large_binary()
    )
    assert base_types(values.slice(2, 3)).tolist() == [1, 8, 0]


@pytest.mark.parametrize("cut", range(1, 68, 3))
def test_damaged_curves_stay_for_the_survey_to_find(cut: int) -> None:
    whole = wkt.to_wkb(ROUND)
    damaged = whole[: len(whole) - cut]
    assert linear(damaged, ARC)[0] == damaged


@pytest.mark.parametrize(
    "damaged",
    [
        wkt.to_wkb(ARC) + b"\0",
        struct.pack("<BII4d", 1, 8, 2, 0, 0, 1, 1),
        struct.pack("<BII2d", 1, 8, 1, 0, 0),
        struct.pack("<BII", 1, 10, 1) + struct.pack("<BI2d", 1, 1, 0, 0),
        struct.pack("<BII", 1, 12, 0xFFFFFFFF),
        struct.pack("<BII", 1, 7, 1) * 40 + wkt.to_wkb(ARC),
        struct.pack("<BII", 1, 4008, 0),
    ],
)
def test_what_is_no_curve_stays(damaged: bytes) -> None:
    assert linear(damaged) == [damaged]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([7, 8, 9, 10, 11, 12, 15, 16, 17]))
def test_bytes_never_fail(tail: bytes, kind: int) -> None:
    raw = struct.pack("<BI", 1, kind) + tail
    (found,) = linear(raw)
    if found != raw:
        with np.errstate(all="ignore"):
            assert shapely.from_wkb(found, on_invalid="ignore") is not None or tail


def test_the_note_says_how_many_and_how_far() -> None:
    tally = LinearisationSummary()
    linearised(column(ARC, ROUND, "POINT (1 2)", None), tally)
    linearised(column("TIN (((0 0, 1 0, 0 1, 0 0)))", f"MULTISURFACE ({ROUND})"), tally)
    assert list(tally.notes()) == [
        f"3 features have curves (CIRCULARSTRING, CURVEPOLYGON, MULTISURFACE){BOUND}",
        SURFACES,
    ]


def test_neighbours_that_share_an_arc_still_share_their_line() -> None:
    left = "CURVEPOLYGON (COMPOUNDCURVE (CIRCULARSTRING (0 0, 0.3 1, 0 2), (0 2, -3 1, 0 0)))"
    right = "CURVEPOLYGON (COMPOUNDCURVE (CIRCULARSTRING (0 2, 0.3 1, 0 0), (0 0, 3 1, 0 2)))"
    a, b = shapely.from_wkb(linear(left, right))
    assert a.intersection(b).area == 0
    assert shapely.coverage_is_valid([a, b])


@pytest.mark.parametrize(
    ("driver", "name"),
    [("GPKG", "a.gpkg"), ("SQLite", "a.sqlite"), ("FlatGeobuf", "a.fgb"), ("GML", "a.gml")],
)
def test_formats_with_curves(driver: str, name: str, tmp_path: Path) -> None:
    wkb = np.array([wkt.to_wkb(t) for t in (ARC, ROUND, "POINT (1 2)")], dtype=object)
    pyogrio.raw.write(
        str(tmp_path / name), geometry=wkb, geometry_type="Unknown", crs="EPSG:32633",
        field_data=[np.arange(3)], fields=["a"], driver=driver,
    )  # fmt: skip
    profile, table = staged_vector(tmp_path / name, tmp_path / "s")
    assert (profile.error, profile.undecodable) == (None, ())
    order = np.argsort(table["a"].to_numpy())
    found = [geometries(profile, table)[i] for i in order]
    assert [g.geom_type for g in found] == ["LineString", "Polygon", "Point"]
    assert found[1].area == pytest.approx(np.pi, rel=3e-4)
    (note,) = [n for n in profile.notes if "curves" in n]
    assert note.startswith("2 features have curves (CIRCULARSTRING, CURVEPOLYGON), staged as")


def test_curves_and_surfaces_of_a_csv(tmp_path: Path) -> None:
    rows = [ARC, ROUND, "TIN (((0 0, 1 0, 0 1, 0 0)))", "", "POINT EMPTY", "POINT (1 2)"]
    (tmp_path / "a.csv").write_text(
        "id,wkt\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(rows))
    )
    profile, table = staged_vector(tmp_path / "a.csv", tmp_path / "s")
    assert (profile.error, profile.undecodable) == (None, ())
    found = geometries(profile, table)
    assert [None if g is None else g.geom_type for g in found] == [
        "LineString", "Polygon", "MultiPolygon", None, "Point", "Point",
    ]  # fmt: skip
    assert found[4].is_empty
    assert any(n.startswith("2 features have curves") for n in profile.notes)
    assert SURFACES in profile.notes
