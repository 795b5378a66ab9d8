"""Published versions as their readers use them: files, tables, data frames and rasters.

Reads the store alone; contracts, publishing and the gate do not belong here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import NotCurrentError, NotPublishedError, StoreError
from spatial_pipeline.model.profile import Profile, RasterProfile, VectorProfile
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Version
from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa
    import rasterio

    from spatial_pipeline.store.versions import Store

Require = Literal["last", "current"]
"""``last`` takes the last proven version; ``current`` only if it is also the newest delivery."""


@dataclass(frozen=True)
class PublishedVersion:
    """A version that passed its contract and was published.

    Attributes:
        version: its address.
        published_at: time of publication, in UTC.
        verdict: results of its rules; None when the verdict was removed from the store.
        profile: metadata of the source it was made of.
        path: the GeoParquet or GeoTIFF file; it never changes.

    """

    version: Version
    published_at: datetime
    verdict: Verdict | None
    profile: Profile
    path: Path

    @property
    def age(self) -> timedelta:
        """Time since publication."""
        return datetime.now(UTC) - self.published_at

    def arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The features in the order of the source, the geometries as geoarrow.wkb with their CRS.

        Args:
            columns: attribute columns to read; all unless given.

        Raises:
            StoreError: it is a raster, or a column does not exist.

        """
        import pyarrow.parquet as pq

        profile, names = self._vector(columns)
        table = pq.read_table(self.path, columns=[*names, profile.row_column])
        table = table.sort_by(profile.row_column).select(names)
        return _geoarrow(table, profile.geometry_column)

    def geodataframe(
        self, columns: Sequence[str] | None = None, bbox: Bounds | None = None
    ) -> pd.DataFrame:
        """The features in the order of the source; a plain DataFrame if they have no geometry.

        Args:
            columns: attribute columns to read; all unless given.
            bbox: (xmin, ymin, xmax, ymax) in the CRS of the dataset: features whose bounding boxes
                meet it.

        Raises:
            StoreError: it is a raster, or a column does not exist.

        """
        import geopandas
        import pandas as pd

        profile, names = self._vector(columns)
        wanted = [*names, profile.row_column]
        if profile.geometry_column is None:
            frame = pd.read_parquet(self.path, columns=wanted)
        else:
            frame = geopandas.read_parquet(self.path, columns=wanted, bbox=bbox)
        frame = frame.sort_values(profile.row_column, ignore_index=True)
        return frame[names]

    def duckdb(
        self, connection: duckdb.DuckDBPyConnection | None = None
    ) -> duckdb.DuckDBPyRelation:
        """The features as a relation of DuckDB.

        Args:
            connection: where the relation lives; DuckDB's default connection unless given.

        Raises:
            StoreError: it is a raster.

        """
        import duckdb

        profile, names = self._vector(None)
        relation = (connection or duckdb.default_connection()).read_parquet(str(self.path))
        shown = [duckdb.ColumnExpression(n) for n in names]
        return relation.order(_quoted(profile.row_column)).select(*shown)

    def raster(self) -> rasterio.DatasetReader:
        """The open raster; the caller closes it.

        Raises:
            StoreError: it is vector data.

        """
        import rasterio

        if not isinstance(self.profile, RasterProfile):
            msg = f"{self.version} is vector data: use geodataframe(), arrow() or duckdb()"
            raise StoreError(msg)
        return rasterio.open(self.path)

    def _vector(self, columns: Sequence[str] | None) -> tuple[VectorProfile, list[str]]:
        if not isinstance(self.profile, VectorProfile):
            msg = f"{self.version} is a raster: use raster() or path"
            raise StoreError(msg)
        known = [c.name for c in self.profile.columns]
        names = known if columns is None else list(columns)
        for name in names:
            if name not in known:
                msg = f"{self.version.dataset} has no column {name!r}{closest(name, known).hint}"
                raise StoreError(msg)
        geometry = self.profile.geometry_column
        return self.profile, names if geometry is None else [*names, geometry]


def published(
    dataset: str,
    *,
    partition: str | None = None,
    require: Require = "last",
    store: Path | None = None,
) -> PublishedVersion:
    """The version of a dataset that readers see.

    Args:
        dataset: name of the dataset.
        partition: partition key; None for a dataset without partitions.
        require: ``current`` refuses when a newer delivery is held or not published yet.
        store: folder of the store; that of SPATIAL_STORE unless given.

    Raises:
        NotPublishedError: nothing was published; the message names what is.
        NotCurrentError: a newer delivery is not published.
        StoreError: the store is damaged.

    """
    # Dagster asks the package for all its names in a code server, which needs no store.
    from spatial_pipeline.store.versions import Store

    if require not in ("last", "current"):
        msg = f"require is 'last' or 'current', not {require!r}"
        raise ValueError(msg)
    opened = Store(Path(store) if store is not None else Settings().store)
    publication = opened.published(dataset, partition)
    if publication is None:
        raise NotPublishedError(_unpublished(opened, dataset, partition))
    version = Version(dataset, partition, publication.version)
    if require == "current":
        _refuse_stale(opened, version)
    return PublishedVersion(
        version=version,
        published_at=datetime.fromisoformat(publication.published_at),
        verdict=opened.verdict(version),
        profile=opened.profile(version),
        path=opened.data_path(version),
    )


def read(
    dataset: str,
    *,
    partition: str | None = None,
    require: Require = "last",
    store: Path | None = None,
) -> Any:
    """Published data: a GeoDataFrame, or an open rasterio dataset; see :func:`published`."""
    found = published(dataset, partition=partition, require=require, store=store)
    return found.raster() if isinstance(found.profile, RasterProfile) else found.geodataframe()


def _refuse_stale(store: Store, version: Version) -> None:
    """Raises NotCurrentError if another version was staged since."""
    staging = store.staging(version.dataset, version.partition)
    if staging is None or staging.version == version.id:
        return
    newest = Version(version.dataset, version.partition, staging.version)
    verdict = store.verdict(newest)
    if verdict is None:
        reason = "is not checked yet"
    elif blocking := [r for r in verdict.results if r.blocks]:
        reason = "is held: " + "; ".join(f"{r.name}: {r.message}" for r in blocking[:3])
    else:
        reason = "passed and is not published yet"
    msg = f"the newest delivery of {str(newest).partition('@')[0]} {reason}; published: {version}"
    raise NotCurrentError(msg)


def _unpublished(store: Store, dataset: str, partition: str | None) -> str:
    name = str(Version(dataset, partition, "")).removesuffix("@")
    keys = [k for k in store.partitions(dataset) if k is not None]
    if partition is None and keys:
        return f"{name} is partitioned: name one of its {len(keys)} partitions, as {keys[-1]!r}"
    if partition is not None and keys:
        return f"{name} is not published{closest(partition, keys).hint}"
    hint = closest(dataset, store.datasets()).hint
    return f"{name} has no published version in {store.root}{hint}"


def _geoarrow(table: pa.Table, geometry: str | None) -> pa.Table:
    """A table whose geometry column is of the extension type geoarrow.wkb.

    GeoParquet's metadata are of a file, and name a column of bounding boxes that is not here.
    """
    schema = table.schema.remove_metadata()
    if geometry is not None:
        geo = json.loads(table.schema.metadata[b"geo"])["columns"][geometry]
        # GeoParquet: no CRS is OGC:CRS84, null is unknown.
        crs = geo.get("crs", "OGC:CRS84")
        extension = {
            b"ARROW:extension:name": b"geoarrow.wkb",
            b"ARROW:extension:metadata": json_text({} if crs is None else {"crs": crs}).encode(),
        }
        index = schema.get_field_index(geometry)
        schema = schema.set(index, schema.field(index).with_metadata(extension))
    return table.cast(schema)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
