"""Time stamps keep their zone, or none, through every format that GDAL reads for us."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely

from spatial_pipeline_tests.ingest.sources import staged_vector

STAMPS = [
    dt.datetime(2020, 7, 1, 12, 0, 0, tzinfo=dt.UTC),
    dt.datetime(1850, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
    None,
    dt.datetime(2020, 7, 1, 12, 0, 0, 123000, tzinfo=dt.UTC),
]
FORMATS = {
    "FlatGeobuf": ".fgb", "SQLite": ".sqlite", "GML": ".gml", "JML": ".jml",
    "OpenFileGDB": ".gdb",
}  # fmt: skip
WHOLE_SECONDS = {"OpenFileGDB"}


def written(folder: Path, driver: str, zone: str | None) -> Path:
    stamps = [s if s is None or driver not in WHOLE_SECONDS else s.replace(microsecond=0)
              for s in STAMPS]  # fmt: skip
    if zone is None:
        stamps = [s and s.replace(tzinfo=None) for s in stamps]
    table = pa.table({
        "t": pa.array(stamps, pa.timestamp("ms", zone)),
        "id": pa.array(range(len(stamps)), pa.int32()),
        "geometry": pa.array([shapely.Point(i, i).wkb for i in range(len(stamps))], pa.binary()),
    })  # fmt: skip
    path = folder / f"data{FORMATS[driver]}"
    # A geodatabase says once for a layer whether its times are UTC.
    utc = {"TIME_IN_UTC": "NO"} if driver == "OpenFileGDB" and zone is None else {}
    pyogrio.write_arrow(
        table, path, driver=driver, layer="data", geometry_name="geometry",
        geometry_type="Point", crs="EPSG:4326", **utc,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("driver", FORMATS)
@pytest.mark.parametrize("zone", [None, "UTC", "+02:00", "-03:30"])
def test_the_instant_and_the_zone_stay(tmp_path: Path, driver: str, zone: str | None) -> None:
    path = written(tmp_path, driver, zone)
    profile, table = staged_vector(path, tmp_path / "s")
    assert table["t"].type == pa.timestamp("ms", None if zone is None else "UTC")
    found = dict(zip(table["id"].to_pylist(), table["t"].to_pylist(), strict=True))
    for i, stamp in enumerate(STAMPS):
        if stamp is not None:
            given = stamp.replace(microsecond=0) if driver in WHOLE_SECONDS else stamp
            assert found[i] == (given if zone else given.replace(tzinfo=None))
        else:
            assert found[i] is None
    assert not profile.defects


def sqlite(folder: Path, texts: list[str | None]) -> Path:
    path = written(folder, "SQLite", None)
    with sqlite3.connect(path) as database:
        for i, text in enumerate(texts):
            database.execute("UPDATE data SET t = ? WHERE id = ?", (text, i))
    database.close()
    return path


def test_some_with_a_zone_and_some_without_are_text(tmp_path: Path) -> None:
    texts = ["2020-07-01T12:00:00Z", "2020-07-01T12:00:00", None, "2020-07-01T12:00:00+02:00"]
    profile, table = staged_vector(sqlite(tmp_path, texts), tmp_path / "s")
    assert table["t"].type == pa.string()
    assert [t and t.replace("/", "-").replace(" ", "T") for t in table["t"].to_pylist()] == texts
    assert any("t: 2 time stamps with a zone and 1 without" in note for note in profile.notes)


def test_gpx_times_are_utc(tmp_path: Path) -> None:
    path = tmp_path / "track.gpx"
    path.write_text(
        '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">'
        '<wpt lat="1" lon="2"><time>2020-07-01T10:00:00+02:00</time></wpt></gpx>'
    )
    _, table = staged_vector(path, tmp_path / "s", layer="waypoints")
    assert table["time"].to_pylist() == [dt.datetime(2020, 7, 1, 8, tzinfo=dt.UTC)]
