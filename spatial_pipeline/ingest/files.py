"""Stages a source that is files, in this process: what a worker of the cage runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.vector import ingest_vector
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.sources.local import SourceFiles

Progress = Callable[[int, int | None], None]


def stage_files(
    kind: Kind,
    options: ReadOptions,
    source: SourceFiles,
    folder: Path,
    progress: Progress | None = None,
) -> Profile:
    """Writes ``folder/data.parquet`` or ``folder/data.tif``.

    Args:
        kind: kind of dataset that the contract says.
        options: how to read the source.
        source: the source, its files resolved and admitted, or the error that it has.
        folder: existing folder to write to.
        progress: called with what is done and the total, None when unknown.

    Returns:
        The profile; with ``error`` for a source that cannot be read.

    Raises:
        OSError: the folder cannot be written.
        StoreError: the staged data differ from the source.

    """
    if kind == "vector":
        return ingest_vector(options, source, folder, progress)
    # GDAL's raster drivers are loaded for rasters only.
    from spatial_pipeline.ingest.raster import ingest_raster

    return ingest_raster(options, source, folder, progress)
