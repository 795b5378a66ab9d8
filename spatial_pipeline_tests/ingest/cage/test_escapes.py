"""No file reads the host's files, writes to them, sends a request, or takes the product down."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import stamina

from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import CageLimits, ingest
from spatial_pipeline.ingest.cage import client, landlock
from spatial_pipeline.ingest.cage.job import ReadJob
from spatial_pipeline.ingest.files import stage_files
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.sources.local import SourceFiles
from spatial_pipeline_tests.ingest.cage.hostile import RASTERS, SECRET, VECTORS, Maker
from spatial_pipeline_tests.ingest.sources import ramp, write_raster
from spatial_pipeline_tests.sources.web import Web, serving

MAKERS: dict[str, dict[str, Maker]] = {"vector": VECTORS, "raster": RASTERS}
CASES = [(kind, name) for kind, makers in MAKERS.items() for name in makers]
Mode = Literal["auto", "basic"]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as server, stamina.set_testing(True, attempts=1):
        yield server


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.csv").write_text(f"id,text\n1,{SECRET}\n")
    write_raster(folder / "secret.tif", ramp(1, 4, 4))
    return folder


def state(folder: Path) -> dict[str, str]:
    """Names and digests of the files below a folder."""
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


def staged(kind: Any, uri: str, folder: Path, mode: Mode, allowed: Any = None) -> Profile:
    target = folder / "staged"
    target.mkdir()
    return ingest(kind, Source(uri=uri), None, folder, target, allowed, cage=CageLimits(mode=mode))


@pytest.mark.parametrize("mode", ["auto", "basic"])
@pytest.mark.parametrize("way", ["file", "zip", "web"])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_nothing_outside_is_reached(
    kind: str,
    name: str,
    way: str,
    mode: Mode,
    tmp_path: Path,
    outside: Path,
    web: Web,
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    path = MAKERS[kind][name](source, outside, web.url)
    before_outside, before_source, asked = state(outside), state(source), len(web.asked)
    for limited in (False, True):
        run = tmp_path / f"run-{limited}"
        run.mkdir()
        allowed = [str(source), web.url] if limited else None
        if way == "zip":
            packed = source / "x.zip"
            with zipfile.ZipFile(packed, "w") as archive:
                archive.write(path, path.name)
            before_source = state(source)
            uri = f"{packed}!{path.name}"
        elif way == "web":
            uri = web.put(f"/{path.name}", path.read_bytes())
        else:
            uri = str(path)
        profile = staged(kind, uri, run, mode, allowed)
        if name != "tile index" and name != "tile index over http":
            assert profile.error is not None or getattr(profile, "undecodable", ())
        data = b"".join(f.read_bytes() for f in (run / "staged").iterdir())
        assert SECRET.encode() not in data
    assert state(outside) == before_outside
    assert state(source) == before_source
    own = {f"/{path.name}", *(f"/{path.name}{s}" for s in ("", ".aux.xml"))}
    foreign = [a for a in web.asked[asked:] if Path(a[1]).stem.split(".")[0] != "data"]
    assert foreign == [], own


def unresolved(path: Path) -> SourceFiles:
    """A source whose references no one looked for."""
    return SourceFiles(uri=str(path), path=str(path), files=(path,))


@pytest.mark.skipif(not landlock.abi_version(), reason="the kernel has no Landlock")
@pytest.mark.parametrize("name", ["upper case"])
def test_the_cage_holds_where_references_are_missed(
    name: str, tmp_path: Path, outside: Path
) -> None:
    """The second wall: GDAL itself is asked to read outside, in the cage and without it."""
    source = tmp_path / "source"
    source.mkdir()
    path = VECTORS[name](source, outside, "http://127.0.0.1:9")
    free, caged = tmp_path / "free", tmp_path / "caged"
    free.mkdir()
    caged.mkdir()
    leaked = stage_files("vector", ReadOptions(), unresolved(path), free)
    assert leaked.error is None
    assert SECRET.encode() in (free / "data.parquet").read_bytes()
    job = ReadJob("vector", unresolved(path), ReadOptions(), str(caged), CageLimits())
    profile = client.stage(job)
    assert profile.error is not None
    assert SECRET.encode() not in (caged / "data.parquet").read_bytes()


def test_sound_files_pass_the_cage(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", ramp(1, 20, 20))
    (tmp_path / "a.csv").write_text("id,x,y\n1,2,3\n")
    for kind, name in (("raster", "a.tif"), ("vector", "a.csv")):
        for mode in ("auto", "basic"):
            run = tmp_path / f"{kind}-{mode}"
            run.mkdir()
            assert staged(kind, str(tmp_path / name), run, mode).error is None  # type: ignore[arg-type]
