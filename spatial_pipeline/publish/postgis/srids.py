"""SRID of a CRS in the database of the table: found by what it means, or added.

A CRS with a code of an authority has the number that PostGIS ships. Every other definition keeps
the number under which it stands in the database word for word, else has that of the authority that
means the same, else that of a definition with the same behaviour
(``model/crs/comparison.py``): one that another tool wrote in other words is found again.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence

import asyncpg
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.publication import MAX_SRID
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.crs import comparison
from spatial_pipeline.publish.postgis.advisory_lock import transaction_lock
from spatial_pipeline.publish.postgis.layout import authority
from spatial_pipeline.store.locks import TIMEOUT_S

OWN_SRIDS = 910_000
"""First SRID for a CRS that spatial_ref_sys does not know."""
SHIPPED = ("EPSG", "ESRI")
"""Authorities whose definitions PostGIS ships."""
LONGEST = 2048
"""Characters of a definition in spatial_ref_sys."""
_DIALECTS = ("WKT1_GDAL", "WKT2_2019_SIMPLIFIED", "WKT2_2019")


async def srid_of(
    connection: asyncpg.Connection,
    table: str,
    crs: pyproj.CRS | None,
    asked: int | None = None,
    patience_s: float = TIMEOUT_S,
) -> int:
    """SRID of a CRS. A CRS that the database does not know is added; in a transaction.

    Args:
        connection: in a transaction.
        table: quoted name of spatial_ref_sys.
        crs: the CRS, None when it is not known.
        asked: number that the contract asks for.
        patience_s: longest wait for another session that adds a CRS.

    Returns:
        0 without a CRS and a number that is asked for.

    Raises:
        StoreError: the number that is asked for has another definition, or is unknown without a
            CRS; no number is free; the CRS is too long for the table.
        asyncpg.PostgresError: the CRS is unknown and may not be added.

    """
    if asked is not None:
        await _lock(connection, table, patience_s)
        return await _asked(connection, table, crs, asked)
    if crs is None:
        return 0
    known = _shipped(crs)
    if known is not None and "id" in crs.to_json_dict():
        srid = await _coded(connection, table, *known)
        if srid is not None:
            return srid
    await _lock(connection, table, patience_s)
    own = await connection.fetch(
        f"SELECT srid, srtext, proj4text FROM {table}"
        " WHERE auth_name IS NULL OR upper(auth_name) <> ALL ($1) ORDER BY srid",
        list(SHIPPED),
    )
    for row in own:
        if _says(row, crs):
            return int(row["srid"])
    srid = None if known is None else await _coded(connection, table, *known)
    if srid is not None:
        return srid
    for row in own:
        if _means(row, crs):
            return int(row["srid"])
    srid = await connection.fetchval(
        f"SELECT s FROM generate_series($1::int, $2::int) AS s WHERE s NOT IN (SELECT srid FROM"
        f" {table}) LIMIT 1",
        OWN_SRIDS,
        MAX_SRID,
    )
    if srid is None:
        msg = f"{table} has no free number from {OWN_SRIDS} to {MAX_SRID}: delete some of them"
        raise StoreError(msg)
    await _add(connection, table, crs, srid)
    return int(srid)


def _shipped(crs: pyproj.CRS) -> tuple[str, int] | None:
    """Authority and code of a CRS that PostGIS ships."""
    known = authority(crs)
    if known is None or known[0].upper() not in SHIPPED or not known[1].isdecimal():
        return None
    return known[0].upper(), int(known[1])


async def _coded(connection: asyncpg.Connection, table: str, name: str, code: int) -> int | None:
    """SRID of a CRS of an authority."""
    srid = await connection.fetchval(
        f"SELECT min(srid) FROM {table} WHERE upper(auth_name) = $1 AND auth_srid = $2::bigint",
        name,
        code,
    )
    return None if srid is None else int(srid)


async def _lock(connection: asyncpg.Connection, table: str, patience_s: float) -> None:
    """Keeps other publishers from adding the same CRS until the transaction ends."""
    await transaction_lock(connection, table, f"adding a CRS to {table}", patience_s)


async def _asked(
    connection: asyncpg.Connection, table: str, crs: pyproj.CRS | None, srid: int
) -> int:
    row = await connection.fetchrow(
        f"SELECT srid, srtext, proj4text FROM {table} WHERE srid = $1", srid
    )
    if row is not None and (crs is None or _means(row, crs)):
        return srid
    if row is not None:
        msg = (
            f"publish.geometry asks for SRID {srid}, which is another CRS in {table} than that of"
            f" the source, {comparison.label(crs) if crs is not None else ''}: leave srid out"
        )
        raise StoreError(msg)
    if crs is None:
        msg = (
            f"publish.geometry asks for SRID {srid}, which is not in {table}, and the source has"
            " no CRS that it could be made of"
        )
        raise StoreError(msg)
    await _add(connection, table, crs, srid)
    return srid


async def _add(connection: asyncpg.Connection, table: str, crs: pyproj.CRS, srid: int) -> None:
    text, proj4 = _definition(crs)
    await connection.execute(
        f"INSERT INTO {table} (srid, auth_name, auth_srid, srtext, proj4text)"
        " VALUES ($1::int, 'spatial_pipeline', $1::int, $2, $3)",
        srid,
        text,
        proj4,
    )


def _definition(crs: pyproj.CRS) -> tuple[str, str]:
    """Texts for ``srtext``, which PostGIS asks first and loses nothing, and ``proj4text``.

    Raises:
        StoreError: none of them fits into the table.

    """
    text = next((t for t in map(_wkt, [crs] * len(_DIALECTS), _DIALECTS) if t), "")
    with warnings.catch_warnings():
        # The WKT keeps what the PROJ string loses.
        warnings.simplefilter("ignore", UserWarning)
        proj4 = ""
        with contextlib.suppress(CRSError):
            proj4 = crs.to_proj4()
    if len(proj4) > LONGEST:
        proj4 = ""
    if not text and not proj4:
        msg = f"the CRS {crs.name!r} is too long for spatial_ref_sys ({LONGEST} characters)"
        raise StoreError(msg)
    return text, proj4


def _wkt(crs: pyproj.CRS, dialect: str) -> str:
    try:
        text = crs.to_wkt(dialect)
    except CRSError:
        return ""
    return text if text and len(text) <= LONGEST else ""


def _says(row: asyncpg.Record, crs: pyproj.CRS) -> bool:
    """True when a definition of the table is that of the CRS, word for word."""
    try:
        return bool(row["srtext"]) and pyproj.CRS(row["srtext"]).to_wkt() == crs.to_wkt()
    except CRSError:
        return False


def _means(row: asyncpg.Record, crs: pyproj.CRS) -> bool:
    """True when a definition of the table means the CRS."""
    for text in _texts(row):
        try:
            return comparison.same(pyproj.CRS.from_user_input(text), crs)
        except CRSError:
            continue
    return False


def _texts(row: asyncpg.Record) -> Sequence[str]:
    return [text for text in (row["srtext"], row["proj4text"]) if text]
