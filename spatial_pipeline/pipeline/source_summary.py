"""Summary of a staged vector version: its columns and its geometries, read batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from spatial_pipeline.check.rules.metadata.columns import type_matches
from spatial_pipeline.contract.rules.metadata import ColumnType
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.pipeline.column_candidates import code_pairs, telling
from spatial_pipeline.pipeline.column_summary import ColumnSummary, Combinations, concatenations
from spatial_pipeline.pipeline.geometry_summary import GeometrySummary

COLUMN_TYPES: tuple[ColumnType, ...] = (
    "string", "integer", "number", "boolean", "date", "time", "datetime", "binary",
)  # fmt: skip


@dataclass
class SourceSummary:
    """Findings of one pass over a source.

    Attributes:
        columns: one summary a column.
        geometry: summary of the geometries.
        combined: pairs of columns of codes.
        joined: text columns that are two others one after the other.

    """

    columns: list[ColumnSummary] = field(default_factory=list)
    geometry: GeometrySummary = field(default_factory=GeometrySummary)
    combined: list[Combinations] = field(default_factory=list)
    joined: list[tuple[str, str, str]] = field(default_factory=list)


def summarised(data: VectorReader) -> SourceSummary:
    """One pass over the features, and one over the columns of codes where there are pairs."""
    profile = data.profile
    names = [c.name for c in profile.columns]
    summary = SourceSummary([ColumnSummary(c.name, _kind(c.type)) for c in profile.columns])
    for i in range(data.batch_count()):
        batch = data.batch(i, names)
        for column in summary.columns:
            column.add(batch.table.column(column.name))
        if profile.geometry_column is not None:
            summary.geometry.add(batch)
        if i == 0:
            texts = [c.name for c in summary.columns if c.kind == "string"]
            summary.joined = concatenations(batch.table, texts)
    pairs = code_pairs(summary.columns)
    if pairs:
        wanted = list(dict.fromkeys(n for p in pairs for n in p.columns))
        for i in range(data.batch_count()):
            table = data.batch(i, wanted, geometry=False).table
            for pair in pairs:
                pair.add(table)
    summary.combined = [p for p in pairs if telling(p, summary.columns)]
    return summary


def _kind(arrow: str) -> ColumnType:
    return next((t for t in COLUMN_TYPES if type_matches(arrow, t)), "any")


__all__ = ["SourceSummary", "summarised"]
