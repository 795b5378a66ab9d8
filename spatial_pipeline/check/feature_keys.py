"""Key values that identify the features of violations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.one_layer import OneLayer
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.runtime.json_text import plain

Keys = tuple[tuple[Any, ...], ...]


def keyed(violations: Violations, data: Reader, key: tuple[str, ...]) -> Violations:
    """The violations with the key tuples of all features involved."""
    array = np.empty(len(violations), dtype=object)
    for i, value in enumerate(_keys(violations, data, key)):
        array[i] = value
    return replace(violations, keys=array)


def _keys(violations: Violations, data: Reader, key: tuple[str, ...]) -> list[Keys]:
    """Key tuples of the features of every violation; source rows without a key."""
    given = violations.keys
    rows = violations.rows
    involved = np.unique(rows[rows >= 0])
    profile = data.profile
    names = {c.name for c in profile.columns} if isinstance(profile, VectorProfile) else set()
    known: dict[int, tuple[Any, ...]]
    if key and len(involved) and set(key) <= names:
        vector = cast("VectorReader", data)
        batch = vector.take(vector.rows_to_positions(involved), key, geometry=False)
        columns = [json_values(batch.table.column(k)) for k in key]
        values = zip(*columns, strict=True)
        known = {int(row): value for row, value in zip(batch.rows, values, strict=True)}
    elif isinstance(data, OneLayer):
        known = {int(row): data.row_name(int(row)) for row in involved}
    else:
        known = {int(row): (int(row),) for row in involved}
    return [
        tuple(tuple(plain(v) for v in k) for k in given[i])
        if given is not None and given[i] is not None
        else tuple(known[int(r)] for r in rows[i] if r >= 0)
        for i in range(len(violations))
    ]


__all__ = ["Keys", "keyed"]
