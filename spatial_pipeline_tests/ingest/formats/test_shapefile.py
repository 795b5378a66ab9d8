"""Shapes of a Shapefile, and the files that it is made of."""

from __future__ import annotations

import math
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import shapely

from spatial_pipeline.ingest.formats import shapefile
from spatial_pipeline_tests.fuzz.shapefile import damage
from spatial_pipeline_tests.ingest.shapefiles import NO_DATA, content, save, table_of, write
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

NULL = struct.pack("<i", 0)
BOX = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0), (0.0, 0.0)]
HOLE = [(2.0, 2.0), (4.0, 2.0), (4.0, 4.0), (2.0, 4.0), (2.0, 2.0)]
AWAY = [(x + 20, y) for x, y in HOLE]
ISLE = [(2.5, 2.5), (2.5, 3.0), (3.0, 3.0), (3.0, 2.5), (2.5, 2.5)]


def staged(folder: Path, kind: int, *contents: bytes) -> tuple[Any, list[Any]]:
    """Profile and shapes."""
    path = save(folder / "a.shp", kind, contents)
    profile, table = staged_vector(path, folder / "s")
    assert profile.error is None, profile.error
    return profile, geometries(profile, table)


def wkt(shapes: list[Any]) -> list[str | None]:
    return [None if s is None else shapely.to_wkt(s, trim=True, output_dimension=4) for s in shapes]


def test_null_empty_and_nan_stay_apart(tmp_path: Path) -> None:
    nan = content(1, [[(math.nan, 2.0)]])
    profile, shapes = staged(tmp_path, 1, NULL, nan, content(1, [[(math.inf, 2.0)]]))
    assert shapes[0] is None
    assert math.isnan(shapely.get_x(shapes[1]))
    assert shapely.get_y(shapes[1]) == 2
    assert shapely.get_x(shapes[2]) == math.inf
    assert profile.undecodable == ()
    assert profile.notes == ("2 geometries with NaN or infinite coordinates",)


@pytest.mark.parametrize(
    ("kind", "name"), [(3, "LINESTRING"), (5, "POLYGON"), (8, "MULTIPOINT"), (15, "POLYGON Z")]
)
def test_shapes_without_positions_are_empty(tmp_path: Path, kind: int, name: str) -> None:
    parts: list[list[tuple[float, float]]] = [[]] if kind == 8 else []
    z = [] if kind == 15 else None
    profile, shapes = staged(tmp_path, kind, content(kind, parts, z))
    assert wkt(shapes) == [f"{name} EMPTY"]
    assert profile.undecodable == ()


def test_measures_without_data_are_none(tmp_path: Path) -> None:
    _, shapes = staged(
        tmp_path,
        13,
        content(13, [BOX[:2]], [5.0, 6.0], [NO_DATA, -1.1e38]),
        content(13, [BOX[:2]], [5.0, 6.0], [NO_DATA, 7.0]),
        content(13, [BOX[:2]], [5.0, 6.0]),
    )
    assert wkt(shapes) == [
        "LINESTRING Z (0 0 5, 0 9 6)",
        "LINESTRING ZM (0 0 5 NaN, 0 9 6 7)",
        "LINESTRING Z (0 0 5, 0 9 6)",
    ]


def test_measures_are_not_decided_by_the_first_shape(tmp_path: Path) -> None:
    first, second = (content(21, [[(1.0, 2.0)]], None, [m]) for m in (NO_DATA, 5.0))
    profile, shapes = staged(tmp_path, 21, first, second)
    assert wkt(shapes) == ["POINT (1 2)", "POINT M (1 2 5)"]
    assert profile.geometry_type == "Point M"


@pytest.mark.parametrize(
    ("rings", "expected", "rewound"),
    [
        ([BOX, HOLE], [[0, 1]], False),
        ([HOLE, BOX], [[1, 0]], False),
        ([BOX, HOLE, ISLE], [[0, 1], [2]], False),
        ([ISLE, HOLE, BOX], [[0], [2, 1]], False),
        ([BOX, AWAY[::-1], HOLE], [[0, 2], [1]], False),
        ([BOX, HOLE[::-1]], [[0], [1]], False),
        ([BOX, HOLE, AWAY], [[0, 1], [2]], True),
        ([BOX[::-1], HOLE[::-1]], [[0, 1]], True),
        ([BOX[::-1], HOLE[::-1], ISLE[::-1]], [[0, 1], [2]], True),
        ([BOX[::-1]], [[0]], False),
    ],
)
def test_rings_make_polygons(
    tmp_path: Path,
    rings: list[list[tuple[float, float]]],
    expected: list[list[int]],
    rewound: bool,
) -> None:
    profile, (shape,) = staged(tmp_path, 5, content(5, rings))
    polygons = [shapely.Polygon(rings[o], [rings[i] for i in inner]) for o, *inner in expected]
    wanted = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    assert shapely.to_wkb(shape) == shapely.to_wkb(wanted)
    assert any("winding order" in note for note in profile.notes) == rewound


@pytest.mark.parametrize(
    "damaged",
    [
        content(5, [BOX[:-1]]),
        content(5, [BOX[:3]]),
        content(5, [BOX, []]),
        content(5, [BOX])[:-4],
        content(5, [BOX]) + b"\0" * 8,
        content(3, [BOX]),
        content(5, [BOX])[:40] + struct.pack("<i", 6) + content(5, [BOX])[44:],
        content(5, [BOX])[:36] + struct.pack("<i", 2**30) + content(5, [BOX])[40:],
        content(5, [BOX])[:44] + struct.pack("<i", 1) + content(5, [BOX])[48:],
        content(5, [BOX, HOLE])[:48] + struct.pack("<i", 99) + content(5, [BOX, HOLE])[52:],
        content(5, [BOX, HOLE])[:48] + struct.pack("<i", -5) + content(5, [BOX, HOLE])[52:],
        struct.pack("<i", 5),
        b"\5\0",
    ],
)
def test_a_record_that_is_damaged_is_named(tmp_path: Path, damaged: bytes) -> None:
    sound = content(5, [BOX, HOLE])
    profile, shapes = staged(tmp_path, 5, sound, damaged, sound)
    assert profile.undecodable == (1,)
    assert [s is None for s in shapes] == [False, True, False]
    assert shapely.equals(shapes[0], shapes[2])


def test_a_record_of_another_number_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.shp", 1, [content(1, [[(float(i), 0.0)]]) for i in range(4)])
    index = path.with_suffix(".shx")
    data = bytearray(index.read_bytes())
    data[108:116], data[116:124] = data[116:124], data[108:116]
    index.write_bytes(data)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.undecodable == (1, 2)


def test_records_numbered_from_zero_are_said(tmp_path: Path) -> None:
    path = save(tmp_path / "a.shp", 1, [content(1, [[(float(i), 0.0)]]) for i in range(3)])
    data = bytearray(path.read_bytes())
    for i in range(3):
        data[103 + 28 * i] = i
    path.write_bytes(data)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.undecodable == ()
    assert "the records of the .shp file are numbered from 0" in profile.notes


@pytest.mark.parametrize(
    "bounds", [[math.nan] * 4, [math.inf] * 4, [-math.inf, 0, 1, 1], [5, 5, 1, 1]]
)
def test_declared_bounds_that_are_none_never_raise(tmp_path: Path, bounds: list[float]) -> None:
    path = save(tmp_path / "a.shp", 1, [content(1, [[(1.0, 2.0)]])])
    for suffix in (".shp", ".shx"):
        data = bytearray(path.with_suffix(suffix).read_bytes())
        data[36:68] = struct.pack("<4d", *bounds)
        path.with_suffix(suffix).write_bytes(data)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.declared_bounds is None
    assert profile.bounds == (1, 2, 1, 2)


def test_bytes_that_no_index_knows_are_said(tmp_path: Path) -> None:
    path = save(tmp_path / "a.shp", 1, [content(1, [[(1.0, 2.0)]])])
    path.write_bytes(path.read_bytes() + b"\0" * 28)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.notes == (
        "the .shp file declares 128 bytes and has 156",
        "28 bytes of the .shp file are in no record of the index",
    )


def test_an_unknown_shape_type_is_an_error(tmp_path: Path) -> None:
    profile, _ = staged_vector(save(tmp_path / "a.shp", 7, []), tmp_path / "s")
    assert profile.error == "a.shp: the .shp file has the unknown shape type 7"


def patch(kind: int) -> bytes:
    """A MultiPatch of one part."""
    z = struct.pack("<2d5d", 1, 1, *[1.0] * 5)
    flat = content(5, [BOX])
    return struct.pack("<i", 31) + flat[4:48] + struct.pack("<i", kind) + flat[48:] + z


@pytest.mark.parametrize(
    "damaged",
    [
        patch(6), patch(2)[:-8], patch(2)[:44] + struct.pack("<i", 3) + patch(2)[48:],
        patch(2)[:36] + struct.pack("<i", 9) + patch(2)[40:], patch(2)[:2],
    ],
)  # fmt: skip
def test_a_multipatch_that_is_damaged_is_named(tmp_path: Path, damaged: bytes) -> None:
    profile, _ = staged(tmp_path, 31, patch(2), NULL, damaged)
    assert profile.undecodable == (2,)


def test_multipatch_is_said(tmp_path: Path) -> None:
    profile, (shape,) = staged(tmp_path, 31, patch(2))
    assert shapely.get_num_coordinates(shape) == 5
    assert any("MultiPatch" in note for note in profile.notes)


@pytest.mark.parametrize(
    "suffixes", [(".SHP", ".SHX", ".DBF", ".PRJ"), (".Shp", ".shX", ".Dbf", ".pRj")]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_names_in_any_case(tmp_path: Path, suffixes: tuple[str, ...], zipped: bool) -> None:
    rows = [[b"1", b"x"], [b"2", b"12,5"]]
    table = table_of([("a", "N", 4, 0), ("b", "N", 4, 1)], rows)
    plain = save(tmp_path / "a.shp", 1, [content(1, [[(1.0, 2.0)]])] * 2, table)
    plain.with_suffix(".prj").write_text(WGS84)
    for suffix in suffixes:
        plain.with_suffix(suffix.lower()).rename(tmp_path / f"b{suffix}")
    path = tmp_path / f"b{suffixes[0]}"
    if zipped:
        path = tmp_path / "z.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in tmp_path.glob("b.*"):
                archive.write(part, f"in/{part.name}")
    profile, staged_rows = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert staged_rows["a"].to_pylist() == [1, 2]
    assert [(d.row, d.column, d.text) for d in profile.defects] == [(0, "b", "x"), (1, "b", "12,5")]
    assert profile.crs is not None
    assert "4326" in profile.crs


def test_a_zip_behaves_alike(tmp_path: Path) -> None:
    for seed in range(40):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        (folder / "in").mkdir(parents=True)
        path = write(rng, folder / "in")
        damage(rng, path)
        with zipfile.ZipFile(folder / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for part in path.parent.iterdir():
                archive.write(part, f"x/{part.name}")
        plain, rows = staged_vector(path, folder / "plain")
        zipped, others = staged_vector(folder / "z.zip", folder / "zipped")
        assert rows.equals(others)
        assert plain.defects == zipped.defects
        assert plain.undecodable == zipped.undecodable
        assert plain.notes == zipped.notes
        told = str(zipped.error).replace(f"z.zip!x/{path.name}", path.name)
        assert str(plain.error) == told


WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)


@pytest.mark.parametrize("text", ["garbage", 'PROJCS["x",GEOGCS["y"]]'])
def test_a_prj_that_is_not_understood_says_so(tmp_path: Path, text: str) -> None:
    path = save(tmp_path / "a.shp", 1, [content(1, [[(1.0, 2.0)]])])
    path.with_suffix(".prj").write_text(text)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert (profile.error, profile.crs) == (None, None)
    assert "is not understood" in " ".join(profile.notes)


def test_batches_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(30):
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = write(random.Random(seed), folder)
        first, table = staged_vector(path, folder / "s")
        with monkeypatch.context() as patch:
            patch.setattr(shapefile, "BATCH_ROWS", 2)
            patch.setattr(shapefile, "BATCH_BYTES", 300)
            patch.setattr(shapefile, "_SMALL", 0)
            patch.setattr(shapefile, "_SPREAD", 0)
            second, again = staged_vector(path, folder / "t")
        assert table.equals(again)
        assert (first.undecodable, first.notes) == (second.undecodable, second.notes)


def test_records_in_any_order(tmp_path: Path) -> None:
    path = save(tmp_path / "a.shp", 1, [content(1, [[(float(i), 0.0)]]) for i in range(5)])
    main, index = bytearray(path.read_bytes()), bytearray(path.with_suffix(".shx").read_bytes())
    for i in range(5):
        main[100 + 28 * (4 - i) : 128 + 28 * (4 - i)] = path.read_bytes()[
            100 + 28 * i : 128 + 28 * i
        ]
        index[100 + 8 * i : 104 + 8 * i] = struct.pack(">i", 50 + 14 * (4 - i))
    path.write_bytes(main)
    path.with_suffix(".shx").write_bytes(index)
    profile, table = staged_vector(path, tmp_path / "s")
    assert [g.x for g in geometries(profile, table)] == [0, 1, 2, 3, 4]


def test_nothing_is_written_beside_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = save(folder / "a.shp", 1, [content(1, [[(1.0, 2.0)]])])
    path.with_suffix(".prj").write_text(WGS84)
    before = sorted(folder.iterdir())
    staged_vector(path, tmp_path / "s")
    assert sorted(folder.iterdir()) == before


def test_a_last_record_that_ends_in_its_type_is_named(tmp_path: Path) -> None:
    profile, _ = staged(tmp_path, 1, content(1, [[(1.0, 2.0)]]), b"\1\0")
    assert profile.undecodable == (1,)


@pytest.mark.parametrize(
    ("fields", "cells", "names"),
    [
        ([], [], []),
        ([("a", "N", 0, 0), ("b", "C", 0, 0), ("c", "N", 3, 0)], [b"", b"", b"1"], ["a", "b", "c"]),
        ([("geometry", "C", 3, 0)], [b"x"], ["geometry"]),
    ],
)
def test_tables_without_columns_or_widths(
    tmp_path: Path, fields: list[Any], cells: list[bytes], names: list[str]
) -> None:
    table = table_of(fields, [cells, cells])
    path = save(tmp_path / "a.shp", 1, [content(1, [[(1.0, 2.0)]])] * 2, table)
    profile, rows = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert [c.name for c in profile.columns] == names
    assert profile.geometry_column == ("geometry_1" if "geometry" in names else "geometry")
    assert rows.num_rows == 2
