"""Statistics of the columns of a staged file, from its footer."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from spatial_pipeline.runtime.hashing import fingerprint


def column_contents(path: Path) -> dict[str, str]:
    """Column → digest of its number of values and nulls, its least and its greatest value.

    Columns that hold one value only, or whose extremes the footer does not tell, are left out:
    they would look like any other. A file that is no GeoParquet has no columns.
    """
    if path.suffix != ".parquet" or not path.is_file():
        return {}
    metadata = pq.read_metadata(path)
    found: dict[str, str] = {}
    for index in range(metadata.num_columns):
        groups = [metadata.row_group(i).column(index) for i in range(metadata.num_row_groups)]
        told = [g.statistics for g in groups]
        if not told or not all(s is not None and s.has_null_count for s in told):
            continue
        ranges = [(s.min, s.max) for s in told if s.has_min_max]
        if not ranges or any(not s.has_min_max and s.num_values for s in told):
            continue
        least, most = min(r[0] for r in ranges), max(r[1] for r in ranges)
        if least == most:
            continue
        nulls = sum(s.null_count for s in told)
        values = sum(s.num_values for s in told)
        name = str(metadata.row_group(0).column(index).path_in_schema)
        found[name] = fingerprint(values, nulls, str(least), str(most))
    return found
