"""Where the geometry of a CSV file is."""

from __future__ import annotations

WKT_NAMES = ("wkt", "geometry", "geom", "the_geom", "wkt_geom", "shape")
XY_NAMES = (
    ("x", "y"), ("lon", "lat"), ("lng", "lat"), ("long", "lat"), ("longitude", "latitude"),
    ("easting", "northing"), ("x_coord", "y_coord"), ("xcoord", "ycoord"), ("point_x", "point_y"),
)  # fmt: skip
"""Pairs that belong together, the likelier first; compared caselessly."""


def open_options(fields: list[str]) -> dict[str, str]:
    """GDAL open options for a CSV file with these columns.

    A WKT column wins over a pair of coordinate columns, an earlier pair over a later one. Both
    columns of a pair come from the same pair: an easting is never combined with a latitude.
    """
    options = {
        "AUTODETECT_TYPE": "YES",
        # All of the file: a type inferred from its start would lose what comes later.
        "AUTODETECT_SIZE_LIMIT": "0",
        "EMPTY_STRING_AS_NULL": "YES",
    }
    known = {f.casefold(): f for f in reversed(fields)}
    for wkt in WKT_NAMES:
        if wkt in known:
            return options | {"GEOM_POSSIBLE_NAMES": known[wkt], "KEEP_GEOM_COLUMNS": "NO"}
    for x, y in XY_NAMES:
        if x in known and y in known:
            return options | {"X_POSSIBLE_NAMES": known[x], "Y_POSSIBLE_NAMES": known[y]}
    return options
