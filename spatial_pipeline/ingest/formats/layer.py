"""A vector layer as a stream of Arrow batches, whatever format it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.id_runs import IdRuns


@dataclass
class Layer:
    """An open layer.

    Attributes:
        driver: GDAL driver short name, or ``Parquet``.
        name: layer that is read, None where the format has only one.
        crs: WKT2, None when the source declares none.
        geometry_type: type that the source declares, None without geometry.
        geometry: name of the geometry column, None without geometry.
        schema: attribute columns in source order, then the geometry column as binary; nulls are
            allowed everywhere, so that a source which breaks its promise can still be staged.
        required: columns that the source declares to hold no nulls.
        declared_count: features that the source declares, None when it does not say.
        declared_types: GeoParquet names of the only types that the source declares to hold; empty
            when it does not say.
        declared_bounds: extent that the source declares, None when it does not say.
        batches: record batches of ``schema``; raises SourceError for what cannot be read.
        notes: notes for users of the dataset; may grow while batches are read.
        defects: values that cannot be kept as they are; grows while batches are read.
        lost: called behind the last batch with the source rows whose geometry was read as null;
            gives the source rows whose geometry is there but was not understood.
        ids: numbers that the source gives its features; grows while batches are read.
        judge: takes findings of the reader about the conformance of the source.
        curves: source rows of features with curves, by their types; grows while batches are read.
        drawn_curves: notes on curved entities whose rows are not known.
        layers: names of the layers of the container, None for a format with one layer only.
        verify: called when everything was read; raises SourceError when the source changed.

    """

    driver: str
    name: str | None
    crs: str | None
    geometry_type: str | None
    geometry: str | None
    schema: pa.Schema
    declared_count: int | None
    declared_bounds: Bounds | None
    batches: Iterator[pa.RecordBatch]
    required: frozenset[str] = frozenset()
    declared_types: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    defects: Defects = field(default_factory=Defects)
    lost: Callable[[NDArray[np.int64]], Iterable[int]] = lambda _rows: ()
    ids: IdRuns = field(default_factory=IdRuns)
    judge: Judge | None = None
    curves: dict[str, list[int]] = field(default_factory=dict)
    drawn_curves: list[str] = field(default_factory=list)
    layers: tuple[str, ...] | None = None
    verify: Callable[[], None] = lambda: None

    @property
    def attributes(self) -> list[pa.Field]:
        """Attribute columns in source order."""
        return [f for f in self.schema if f.name != self.geometry]
