"""Types of date-time columns that GDAL hands on without their zones.

GDAL's Arrow streams drop ``Z`` and ``+02:00`` from columns that declare no zone (SQLite, GML, KML,
GPX, JML …), so that 14:00+02:00 would become 14:00. As text the zones are kept: one pass over these
columns alone tells which type holds them, and the values are parsed from text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyogrio

NAIVE = pa.timestamp("ms")
AWARE = pa.timestamp("ms", "UTC")
_ZONED = r"(?:Z|[+-]\d\d(?::?\d\d)?)$"
_ZONED_ALREADY = frozenset({"FlatGeobuf", "GPKG"})
"""Drivers whose time stamps are read from the file beside GDAL, or are UTC by the format."""


def surveyed(path: str, info: dict[str, Any], notes: list[str]) -> dict[str, pa.DataType]:
    """Name of each date-time column → the type that holds its values; one pass over them.

    Args:
        path: path for GDAL.
        info: result of ``pyogrio.read_info`` for the layer.
        notes: takes a line for each column that is staged as text.

    Returns:
        :data:`NAIVE` for time stamps without zone, :data:`AWARE` where all have one, text where
        only some have one. Empty when no column needs to be read as text: none has a zone.

    """
    names = sorted({str(n) for n, t in _fields(info) if t == "OFTDateTime"})
    if not names or info["driver"] in _ZONED_ALREADY:
        return {}
    zoned = dict.fromkeys(names, 0)
    naive = dict.fromkeys(names, 0)
    for batch in _texts(path, info["layer_name"], names):
        for field, texts in zip(batch.schema, batch.columns, strict=True):
            if field.name not in zoned or not pa.types.is_string(field.type):
                continue
            aware = pc.sum(pc.match_substring_regex(texts, _ZONED)).as_py() or 0
            zoned[field.name] += aware
            naive[field.name] += len(texts) - texts.null_count - aware
    if not any(zoned.values()):
        return {}
    mixed = [n for n in names if zoned[n] and naive[n]]
    notes += [
        f"{n}: {zoned[n]} time stamps with a zone and {naive[n]} without, staged as text"
        for n in mixed
    ]
    return {n: pa.string() if n in mixed else AWARE if zoned[n] else NAIVE for n in names}


def _fields(info: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    return zip(info["fields"], info["ogr_types"], strict=True)


def _texts(path: str, layer: str, names: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches of the columns as text, up to where the layer cannot be read any more.

    What is wrong there is reported by the pass that reads the features.
    """
    with pyogrio.raw.open_arrow(
        path,
        layer=layer,
        columns=names,
        read_geometry=False,
        use_pyarrow=True,
        datetime_as_string=True,
    ) as (_, reader):
        while True:
            try:
                batch = reader.read_next_batch()
            except (StopIteration, pa.ArrowException, OSError):
                return
            yield batch
