"""Points of NaN in PostGIS: WKB cannot tell them from empty points, the server can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg
import numpy as np
import pyarrow as pa

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.curves import base_types
from spatial_pipeline.ingest.defects import Defects

REASON = "is a point of NaN, which in WKB is an empty one"


def any_without_numbers(wkb: pa.Array) -> bool:
    """Whether (n,) little-endian WKB has a point whose x and y are NaN."""
    points = np.flatnonzero(base_types(wkb) == 1)
    if not len(points):
        return False
    offsets = np.frombuffer(wkb.buffers()[1], np.int32)[wkb.offset :]
    place = offsets[points].astype(np.int64) + 5
    data = np.frombuffer(wkb.buffers()[2], np.uint8)
    numbers: Any = np.ndarray((len(data) - 7,), dtype="<f8", buffer=data, strides=(1,))
    return bool((np.isnan(numbers[place]) & np.isnan(numbers[place + 8])).any())


@dataclass(frozen=True)
class PointsOfNaN:
    """Finds the rows of points of NaN.

    Attributes:
        sql: their rows, numbered as they are read.
        ordered: whether a key says in which order that is.

    """

    sql: str
    ordered: bool

    @classmethod
    def of(cls, postgis: str | None, geometry: str, source: str, order: str) -> PointsOfNaN:
        """The query for a column.

        Args:
            postgis: quoted schema of PostGIS.
            geometry: expression of the geometry.
            source: relation or subquery after FROM.
            order: ``ORDER BY`` of the key, empty without one.

        """
        shown = (
            f"{postgis}.ST_GeometryType({geometry}) = 'ST_Point' "
            f"AND NOT {postgis}.ST_IsEmpty({geometry})"
        )
        nan = f"{postgis}.ST_X({geometry}) = 'NaN' AND {postgis}.ST_Y({geometry}) = 'NaN'"
        return cls(
            f"SELECT n FROM (SELECT row_number() OVER ({order.strip()}) - 1 AS n, "  # noqa: S608
            f"CASE WHEN {shown} THEN {nan} END AS lost FROM {source}) AS numbered WHERE lost",
            bool(order),
        )

    async def name(self, connection: asyncpg.Connection, defects: Defects, column: str) -> None:
        """Adds the points of NaN to the defects, by their rows.

        Raises:
            SourceError: there are some, and without a key nothing says which rows they are.

        """
        rows = [row[0] for row in await connection.fetch(self.sql)]
        if rows and not self.ordered:
            msg = f"{len(rows)} geometries in {column!r}: each {REASON}"
            raise SourceError(msg)
        defects.add(sorted(rows), column, ["POINT (nan nan)"] * len(rows), REASON)
