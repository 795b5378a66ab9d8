"""unique: no two features share a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    Context,
    FeatureBatch,
    RuleOutcome,
    Violations,
    batch_rule,
)
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.positions import Packed, packed
from spatial_pipeline.contract.rules.metadata import Unique
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.readers import VectorReader

CHUNK = 65_536
"""Suspects that are looked up at once."""

Partial = tuple[NDArray[np.uint64], Packed, int]


def conclude(rule: Unique, context: Context, partials: Sequence[Partial]) -> RuleOutcome:
    """One violation per row whose key another row has."""
    nulls = sum(p[2] for p in partials)
    violations, count = _duplicates(rule, context, join_keys.suspects([p[:2] for p in partials]))
    n = len(violations)
    return RuleOutcome(
        checked=sum(len(p[0]) for p in partials),
        violations=violations,
        message=f"{n} rows share {count} key{'' if count == 1 else 's'}" if n else "",
        notes=(f"{nulls} row{'' if nulls == 1 else 's'} with a null in the key not compared",)
        if nulls
        else (),
    )


@batch_rule(conclude, geometry=False)
def evaluate(rule: Unique, batch: FeatureBatch, context: Context) -> Partial:
    """Hash and staged position of every row with a whole key, and the number of the others.

    The values of rows with equal hashes are compared in the end. A key with a null in it
    identifies nothing, as in SQL: it is not compared, and a note gives the number of such rows. NaN
    equals NaN, and -0.0 equals 0.0.
    """
    table = batch.table.select(list(rule.columns_))
    whole = np.ones(len(batch), dtype=bool)
    for column in table.columns:
        whole &= column.is_valid().to_numpy()
    return join_keys.hashes(table)[whole], packed(batch.positions[whole]), int((~whole).sum())


def _duplicates(
    rule: Unique, context: Context, suspects: NDArray[np.int64]
) -> tuple[Violations, int]:
    """Violations of the rows that do share a key, and the number of such keys."""
    if not len(suspects):
        return Violations.none(), 0
    data = cast("VectorReader", context.data)
    names = list(rule.columns_)
    tables, parts, spots = [], [], []
    for start in range(0, len(suspects), CHUNK):
        context.cancelled()
        batch = data.take(suspects[start : start + CHUNK], names)
        tables.append(batch.table.select(names))
        parts.append(batch.rows)
        spots.append(places(batch.geometry))
    table, rows, points = pa.concat_tables(tables), np.concatenate(parts), np.concatenate(spots)
    groups = join_keys.groups(table)
    sizes = np.bincount(groups)[groups]
    bad = np.flatnonzero(sizes > 1)
    if not len(bad):
        return Violations.none(), 0
    told = zip(*map(json_values, table.take(pa.array(bad)).columns), strict=True)
    title = names[0] if len(names) == 1 else f"({', '.join(names)})"
    reasons = [
        f"{title} = {join_keys.labels(value)} occurs {n} times"
        for value, n in zip(told, sizes[bad], strict=True)
    ]
    violations = Violations.build(rows[bad], reasons, points[bad], measure=sizes[bad], unit="rows")
    return violations, len(np.unique(groups[bad]))
