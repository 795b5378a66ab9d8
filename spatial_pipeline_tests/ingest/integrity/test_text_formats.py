"""Text formats that were cut."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import text_formats
from spatial_pipeline_tests.ingest.sources import (
    cut,
    points,
    staged_vector,
    table_of,
    write_layer,
)


@pytest.mark.parametrize(
    ("suffix", "driver", "message"),
    [
        ("gml", "GML", "not well-formed XML"),
        ("kml", "KML", "unclosed token"),
        ("jml", "JML", "not well-formed XML"),
        ("geojsonl", "GeoJSONSeq", "not well-formed GeoJSON"),
        ("dxf", "DXF", "the DXF text has no end"),
        ("mif", "MapInfo File", r"declares 400 features, only \d+ can be read"),
    ],
)
def test_cut_texts(tmp_path: Path, suffix: str, driver: str, message: str) -> None:
    table = table_of(points(400)) if suffix == "dxf" else table_of(points(400), id=range(400))
    path = write_layer(tmp_path / f"a.{suffix}", table, "Point", driver=driver)
    profile, staged = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert staged.num_rows == 400
    cut(path, 0.5)
    profile, staged = staged_vector(path, tmp_path / "t")
    assert staged.num_rows == 0
    assert re.search(message, str(profile.error))


def test_entities_do_not_expand_without_bound() -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    text = f'<!DOCTYPE x [<!ENTITY e0 "{"x" * 50}">{entities}]><a>&e11;</a>'
    with pytest.raises(SourceError, match="amplification"):
        text_formats.verify_xml(io.BytesIO(text.encode()))
