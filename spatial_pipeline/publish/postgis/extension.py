"""The PostGIS extension of a database: where it is, and its SRIDs."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis.identifiers import quoted
from spatial_pipeline.publish.postgis.layout import TableLayout
from spatial_pipeline.publish.postgis.srids import srid_of
from spatial_pipeline.store.locks import TIMEOUT_S


@dataclass(frozen=True, slots=True)
class PostGIS:
    """Names of the PostGIS extension that statements use.

    Attributes:
        schema: quoted schema of the extension.
        patience_s: longest wait for another session that adds a CRS.

    """

    schema: str
    patience_s: float = TIMEOUT_S

    @property
    def as_binary(self) -> str:
        """``ST_AsBinary``."""
        return f"{self.schema}.ST_AsBinary"

    def column(self, geometry_type: object | None, srid: int) -> str:
        """Type of a geometry column with its modifier."""
        if geometry_type is None:
            return f"{self.schema}.geometry"
        return f"{self.schema}.geometry({geometry_type},{srid})"


async def find_postgis(connection: asyncpg.Connection, patience_s: float = TIMEOUT_S) -> PostGIS:
    """The extension of this database.

    Args:
        connection: to the database.
        patience_s: see :class:`PostGIS`.

    Raises:
        StoreError: it is not there.

    """
    schema = await connection.fetchval(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'postgis'"
    )
    if schema is None:
        msg = "the database has no PostGIS: run CREATE EXTENSION postgis in it"
        raise StoreError(msg)
    return PostGIS(quoted(schema), patience_s)


async def find_srid(connection: asyncpg.Connection, postgis: PostGIS, layout: TableLayout) -> int:
    """SRID of the layout's CRS; see :func:`srids.srid_of`."""
    systems = f"{postgis.schema}.spatial_ref_sys"
    return await srid_of(connection, systems, layout.crs, layout.srid, postgis.patience_s)
