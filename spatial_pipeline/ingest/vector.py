"""Vector sources → GeoParquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import curves, geoparquet_writer
from spatial_pipeline.ingest.conformance.evidence import ConformanceEvidence
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.formats.registry import recognised
from spatial_pipeline.ingest.integrity import crs_texts
from spatial_pipeline.ingest.layer_scan import LayerScan, take
from spatial_pipeline.ingest.private_view import FOLDER, viewed
from spatial_pipeline.ingest.schema import free_name, stageable
from spatial_pipeline.ingest.sort_buffer import ExternalSortBuffer
from spatial_pipeline.model.hashing import checksums, geometry_hash
from spatial_pipeline.model.profile import Column, VectorProfile
from spatial_pipeline.sources.local import SourceFiles, named
from spatial_pipeline.sources.stamp import stamp, unchanged

Progress = Callable[[int, int | None], None]
DATA = "data.parquet"


def ingest_vector(
    options: ReadOptions, resolved: SourceFiles, folder: Path, progress: Progress | None = None
) -> VectorProfile:
    """Writes ``folder/data.parquet`` and tells what the source is like.

    A source that cannot be read gives an empty file and a profile with ``error``.

    Raises:
        OSError: the folder cannot be written.

    """
    profile = VectorProfile(uri=resolved.uri, layer=options.layer)
    evidence = ConformanceEvidence()
    opened = _opened(resolved, options, folder, evidence)
    return ingest_layer(
        profile,
        opened,
        options.where,
        folder,
        progress,
        lambda text: named(text, resolved, folder / FOLDER),
        evidence,
    )


def ingest_layer(
    profile: VectorProfile,
    opened: AbstractContextManager[Layer],
    where: str | None,
    folder: Path,
    progress: Progress | None = None,
    told: Callable[[str], str] = str,
    evidence: ConformanceEvidence | None = None,
) -> VectorProfile:
    """Writes the features of a layer to ``folder/data.parquet``.

    Args:
        profile: profile before the layer is opened.
        opened: the layer; a SourceError of it ends in the profile.
        where: condition that features must meet.
        folder: existing, empty folder.
        progress: called with the features read and the total, None when unknown.
        told: makes the text of an error fit to be shown.
        evidence: gathers how the file obeys its format, None for a table.

    Raises:
        OSError: the folder cannot be written.

    """
    schema = pa.schema([("geometry", pa.binary())])
    target = folder / DATA
    try:
        with opened as layer:
            curves.linear(layer)
            profile = _header(profile, layer)
            stageable(layer.schema)
            schema = layer.schema
            with ExternalSortBuffer(schema, folder) as spool:
                census = take(layer, where, spool, progress)
                layer.verify()
                profile = _counted(profile, layer, census)
                if evidence is not None:
                    index = evidence.index(layer, census)
                    profile = replace(
                        profile,
                        conformance=evidence.finish(layer, census, index=index),
                        spatial_index=index,
                    )
                _write(target, profile, spool, census)
                return profile
    except SourceError as exc:
        profile = replace(profile, count=0, bounds=None, error=told(str(exc)))
        if evidence is not None and profile.conformance is None:
            profile = replace(profile, conformance=evidence.finish(None, None, profile.error))
        with ExternalSortBuffer(schema, folder) as nothing:
            _write(target, profile, nothing, LayerScan())
        return profile


@contextmanager
def _opened(
    resolved: SourceFiles, options: ReadOptions, folder: Path, evidence: ConformanceEvidence
) -> Iterator[Layer]:
    """The layer of a file, which must not change while it is read."""
    # Of the source, not of the view: SQLite works the log into a copy when its last reader leaves.
    before = stamp(resolved)
    with viewed(resolved, folder) as local:
        evidence.begin(local, options.layer)
        try:
            local, notes = crs_texts.without_broken_prj(local)
            with recognised(local.files[0]).open(local, options) as found:
                found.notes.extend(notes)
                yield replace(found, verify=lambda: unchanged(resolved, before))
        finally:
            evidence.settle()


def _header(profile: VectorProfile, layer: Layer) -> VectorProfile:
    """Profile before the features are read."""
    names = layer.schema.names
    return replace(
        profile,
        driver=layer.driver,
        layer=layer.name or profile.layer,
        crs=layer.crs,
        geometry_type=layer.geometry_type,
        geometry_column=layer.geometry,
        geometry_required=layer.geometry in layer.required,
        row_column=free_name("__row", names),
        bbox_column=free_name("bbox", names),
        columns=tuple(
            Column(f.name, str(f.type), f.name not in layer.required) for f in layer.attributes
        ),
        declared_count=layer.declared_count,
        declared_bounds=layer.declared_bounds,
        layers=layer.layers,
        notes=tuple(layer.notes),
    )


def _counted(profile: VectorProfile, layer: Layer, census: LayerScan) -> VectorProfile:
    """Profile after the features were read."""
    notes = list(layer.notes)
    if census.non_finite:
        notes.append(f"{census.non_finite} geometries with NaN or infinite coordinates")
    others = census.types - layer.declared_types
    if layer.declared_types and others:
        named_types = ", ".join(sorted(layer.declared_types))
        notes.append(f"declares {named_types} only, holds {', '.join(sorted(others))}, too")
    defects, defect_count = layer.defects.of_rows(census.rows)
    return replace(
        profile,
        count=len(census.rows),
        bounds=census.extent,
        undecodable=census.undecodable,
        curves=_kept(layer.curves, census.rows),
        drawn_curves=tuple(layer.drawn_curves),
        defects=defects,
        defect_count=defect_count,
        notes=tuple(notes),
        checksums=checksums.written(_sums(profile, layer, census)),
        feature_ids=layer.ids.runs,
    )


def _kept(rows: dict[str, list[int]], taken: NDArray[np.int64]) -> dict[str, tuple[int, ...]]:
    """Rows by kind, without those that the condition of the source left out."""
    found = {kind: np.intersect1d(some, taken).tolist() for kind, some in rows.items()}
    return {kind: tuple(some) for kind, some in found.items() if some}


def _sums(profile: VectorProfile, layer: Layer, census: LayerScan) -> checksums.Sums:
    """The checksums of all columns of the staged file."""
    sums = {name: census.sums.get(name, 0) for name in layer.schema.names}
    sums[profile.row_column] = checksums.row_sum(census.rows)
    if profile.geometry_column is not None:
        sums[profile.bbox_column] = checksums.box_sum(census.bounds, census.rows)
    return sums


def _write(
    target: Path, profile: VectorProfile, spool: ExternalSortBuffer, census: LayerScan
) -> None:
    geo = None
    if profile.geometry_column is not None:
        # GeoParquet has no name for M and for curves; an empty list says that any type may occur.
        nameless = census.measured or bool(profile.undecodable)
        geo = geoparquet_writer.geo_metadata(
            profile.geometry_column,
            profile.bbox_column,
            frozenset() if nameless else census.types,
            profile.crs,
            profile.bounds,
        )
    order = geoparquet_writer.write(
        target,
        spool,
        rows=census.rows,
        sizes=census.sizes,
        bounds=census.bounds,
        geometry=profile.geometry_column,
        row_column=profile.row_column,
        bbox_column=profile.bbox_column,
        geo=geo,
    )
    if profile.geometry_column is not None:
        geometry_hash.save(target.with_name(geometry_hash.FILE), census.identities, order)
