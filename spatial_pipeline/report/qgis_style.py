"""QGIS styles for layers of violations: a colour for each check, by the kind of geometry.

QGIS looks for a table ``layer_styles`` beside the layers of a GeoPackage and applies the default
style of a layer when it is opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

from spatial_pipeline.report.drawing import COLOURS

KINDS = ("point", "line", "polygon")
"""Kinds of geometry, by dimension."""
SYMBOLS = {"point": ("marker", "SimpleMarker"), "line": ("line", "SimpleLine"),
           "polygon": ("fill", "SimpleFill")}  # fmt: skip
"""Type of a symbol and class of its layer in QGIS."""
TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
  f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES
  ('layer_styles', 'attributes', 'layer_styles');
"""


def store_styles(
    path: Path, layers: Mapping[str, tuple[str, Mapping[str, int]]], geometry: str
) -> None:
    """Stores a default style for each layer of a GeoPackage.

    Args:
        path: the file.
        layers: kind of geometry, and checks with the numbers of their colours, by layer.
        geometry: name of the geometry column.

    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(TABLE)
        connection.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name,"
            " f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description)"
            " VALUES ('', '', ?, ?, 'violations', ?, '', 1, 'a colour for each check')",
            [(name, geometry, qml(kind, checks)) for name, (kind, checks) in layers.items()],
        )


def qml(kind: str, checks: Mapping[str, int]) -> str:
    """A QGIS style with a category for each check, told apart by the column ``name``.

    Args:
        kind: one of :data:`KINDS`.
        checks: number of the colour of each check, by its name.

    """
    root = ET.Element("qgis", {"version": "3.22.0", "styleCategories": "Symbology"})
    renderer = ET.SubElement(
        root, "renderer-v2", {"type": "categorizedSymbol", "attr": "name", "symbollevels": "0"}
    )
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for i, (check, colour) in enumerate(checks.items()):
        about = {"render": "true", "symbol": str(i), "value": check, "label": check}
        ET.SubElement(categories, "category", about)
        _symbol(symbols, kind, str(i), COLOURS[colour % len(COLOURS)])
    ET.SubElement(root, "layerGeometryType").text = str(KINDS.index(kind))
    text = ET.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{text}"


def _symbol(parent: ET.Element, kind: str, name: str, colour: str) -> None:
    symbol_type, layer_class = SYMBOLS[kind]
    symbol = ET.SubElement(parent, "symbol", {"type": symbol_type, "name": name, "alpha": "1"})
    _layer(symbol, layer_class, _properties(kind, colour))
    if kind == "polygon":
        # A sliver of a square centimetre cannot be seen at the scale of the dataset.
        middle = _layer(symbol, "CentroidFill", {"point_on_surface": "1"})
        _symbol(middle, "point", f"@{name}@1", colour)


def _layer(symbol: ET.Element, layer_class: str, properties: Mapping[str, str]) -> ET.Element:
    layer = ET.SubElement(symbol, "layer", {"class": layer_class, "enabled": "1", "pass": "0"})
    for key, value in properties.items():
        ET.SubElement(layer, "prop", {"k": key, "v": value})
    return layer


def _properties(kind: str, colour: str) -> dict[str, str]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    ink = f"{red},{green},{blue}"
    if kind == "point":
        return {"name": "circle", "color": f"{ink},255", "outline_color": "255,255,255,255",
                "size": "2.4", "size_unit": "MM"}  # fmt: skip
    if kind == "line":
        return {"line_color": f"{ink},255", "line_width": "0.8", "line_width_unit": "MM"}
    return {"color": f"{ink},90", "style": "solid", "outline_color": f"{ink},255",
            "outline_width": "0.5", "outline_width_unit": "MM"}  # fmt: skip
