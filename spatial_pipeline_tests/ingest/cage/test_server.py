"""The server imports what its workers need, once for all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spatial_pipeline.ingest.cage import client
from spatial_pipeline.ingest.cage.job import ReadJob
from spatial_pipeline.ingest.cage.limits import DEFAULTS
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.sources.local import SourceFiles
from spatial_pipeline_tests.ingest.sources import points, table_of, write_layer, write_raster

SCRIPT = """
import sys
from pathlib import Path
from spatial_pipeline.ingest.cage.server import preload
kind = sys.argv[3]
preload(kind)
before = set(sys.modules)
from spatial_pipeline.ingest.files import stage_files
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.sources.local import resolve
profile = stage_files(kind, ReadOptions(), resolve(sys.argv[1], Path("/")), Path(sys.argv[2]))
assert profile.error is None, profile.error
late = {m.split(".")[0] for m in set(sys.modules) - before}
assert late <= {"spatial_pipeline", "encodings"}, late
unused = {"pandas", "geopandas", "duckdb", "boto3", *(["rasterio"] if kind == "vector" else [])}
assert not unused & set(sys.modules)
import pandas
"""


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson", "a.csv", "a.tif"])
def test_reading_imports_no_library_of_its_own(name: str, tmp_path: Path) -> None:
    path, target = tmp_path / name, tmp_path / "s"
    target.mkdir()
    kind = "raster" if name == "a.tif" else "vector"
    if name == "a.csv":
        path.write_text("id,x,y\n1,1.5,2\n")
    elif name == "a.tif":
        write_raster(path, np.ones((1, 4, 4), "uint8"))
    else:
        write_layer(path, table_of(points(3), a=[1, 2, 3]))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), str(target), kind],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_server_that_is_ready_for_features_reads_rasters_too(tmp_path: Path) -> None:
    server = client.Server()
    server.start("vector")
    try:
        for kind in ("vector", "raster", "vector"):
            with server.connect(kind) as peer:  # type: ignore[arg-type]
                stream = peer.makefile("rwb")
                stream.write(json.dumps(_job(kind, tmp_path).to_json()).encode() + b"\n")
                stream.flush()
                answers = [json.loads(line) for line in stream]
            (profile,) = [a["profile"] for a in answers if "profile" in a]
            assert "no such file" in profile["error"].lower() or "No such file" in profile["error"]
            assert profile["kind"] == kind
    finally:
        server.stop()


def _job(kind: str, folder: Path) -> ReadJob:
    staged = folder / "staged"
    staged.mkdir(exist_ok=True)
    for path in staged.iterdir():
        path.unlink()
    missing = folder / "missing.tif"
    source = SourceFiles(uri=str(missing), path=str(missing), files=(missing,))
    return ReadJob(kind, source, ReadOptions(), str(staged), DEFAULTS)  # type: ignore[arg-type]
