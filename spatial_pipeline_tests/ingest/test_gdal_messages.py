"""Warnings become notes."""

from __future__ import annotations

import logging
import threading
import warnings
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest import gdal_messages
from spatial_pipeline_tests.ingest.sources import staged_vector


def test_warnings_are_kept_once() -> None:
    notes: list[str] = []
    with gdal_messages.kept(notes):
        for text in ("a  b", "a b", "c"):
            warnings.warn(text, RuntimeWarning, stacklevel=1)
        warnings.warn("about code", DeprecationWarning, stacklevel=1)
    assert notes == ["a b", "c"]


def test_warnings_are_kept_when_the_block_fails() -> None:
    notes: list[str] = []

    def fail() -> None:
        with gdal_messages.kept(notes):
            warnings.warn("a", RuntimeWarning, stacklevel=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert notes == ["a"]


def test_there_is_an_end_to_notes() -> None:
    notes: list[str] = []
    for i in range(1000):
        gdal_messages.add(notes, f"warning {i}")
    assert len(notes) == gdal_messages.MAX_NOTES + 1
    assert notes[-1] == "further warnings are left out"


def test_logs_of_this_thread_are_kept() -> None:
    notes: list[str] = []
    log = logging.getLogger("spatial_pipeline_tests.gdal")
    log.propagate = False
    with gdal_messages.logged(notes, log.name):
        log.warning("CPLE_AppDefined:%s", "mine")
        log.info("too quiet")
        other = threading.Thread(target=log.warning, args=("another's",))
        other.start()
        other.join()
    log.warning("too late")
    assert notes == ["mine"]


def test_filters_are_as_before_whoever_ends_first() -> None:
    before = list(warnings.filters)
    first, second = threading.Event(), threading.Event()

    def other() -> None:
        first.wait()
        with gdal_messages.kept([]):
            second.set()

    thread = threading.Thread(target=other)
    thread.start()
    with gdal_messages.silenced():
        first.set()
        assert not second.wait(0.1)
    thread.join()
    assert warnings.filters == before


PLACEMARK = "<Placemark><Point><coordinates>1,2</coordinates></Point></Placemark>"


@pytest.mark.parametrize("ending", ["gpkg", "kml"])
def test_a_layer_that_is_named_is_no_reason_to_speak_of_the_others(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"two.{ending}"
    if ending == "kml":
        folders = "".join(f"<Folder><name>{n}</name>{PLACEMARK}</Folder>" for n in "ab")
        path.write_text(
            f"<kml xmlns='http://www.opengis.net/kml/2.2'><Document>{folders}</Document></kml>"
        )
    else:
        frame = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(1, 2)], crs=4326)
        for layer in "ab":
            pyogrio.write_dataframe(frame, path, layer=layer, append=path.exists())
    for layer in "ab":
        profile, _ = staged_vector(path, tmp_path / layer, layer=layer)
        assert (profile.error, profile.notes) == (None, ())
    unnamed, _ = staged_vector(path, tmp_path / "unnamed")
    assert "a, b" in str(unnamed.error)
