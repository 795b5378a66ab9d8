"""staged_matches_source: checksums of the staged file equal those that ingest took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    Context,
    FeatureBatch,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    batch_rule,
    window_rule,
)
from spatial_pipeline.contract.rules.parity import StagedMatchesSource
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.hashing import checksums
from spatial_pipeline.model.profile import RasterProfile, VectorProfile
from spatial_pipeline.model.readers import VectorReader

OLD = "staged by an older version of ingest, which took no checksums: stage it again"


Sums = tuple[int, checksums.Sums]
"""Number of features, and the sum of each column."""


def _profile(context: Context) -> VectorProfile:
    return cast("VectorProfile", context.data.profile)


def _promised(profile: VectorProfile) -> dict[str, str]:
    """The checksums of ingest.

    Raises:
        RuleError: it took none.

    """
    if profile.checksums is None:
        raise RuleError(OLD)
    return profile.checksums


def conclude(rule: StagedMatchesSource, context: Context, partials: Sequence[Sums]) -> RuleOutcome:
    """One violation per column that differs; only one when rows are missing or renumbered."""
    profile, data = _profile(context), cast("VectorReader", context.data)
    wanted = _promised(profile)
    sums: checksums.Sums = dict.fromkeys(wanted, 0)
    for _, some in partials:
        sums = checksums.added(sums, some)
    staged = data.row_count()
    found = checksums.written(sums)
    differing = [name for name, value in wanted.items() if found[name] != value]
    if staged != profile.count:
        reasons = [f"{profile.count} features were read, {staged} are staged"]
    elif profile.row_column in differing:
        reasons = ["the numbers of the source rows are not those that were read"]
    else:
        reasons = [f"{_named(profile, n)}: staged values are not those that were read"
                   for n in differing]  # fmt: skip
    helpers = {profile.row_column, profile.bbox_column, profile.geometry_column}
    columns = len(set(wanted) - helpers)
    judged = "geometry and " if profile.geometry_column is not None else ""
    return RuleOutcome(
        checked=staged,
        violations=Violations.build(np.full(len(reasons), -1), reasons),
        message=f"{'; '.join(reasons)}"
        if reasons
        else f"{staged} features, {judged}{columns} columns are as they were read",
    )


def columns_of(context: Context) -> tuple[str, ...]:
    """All columns."""
    return tuple(c.name for c in _profile(context).columns)


@batch_rule(
    conclude,
    geometry=False,
    columns=columns_of,
    kind="vector",
)
def evaluate(rule: StagedMatchesSource, batch: FeatureBatch, context: Context) -> Sums:
    """The number of features, and the sum of each column.

    Columns that no other rule needs are read here, one after the other, so that a damaged column
    does not fail rules about other columns.
    """
    profile, data = _profile(context), cast("VectorReader", context.data)
    _promised(profile)
    if data.row_count() != profile.count:
        return len(batch), {}
    columns: dict[str, Any] = {n: _column(n, batch, data) for n in columns_of(context)}
    if profile.geometry_column is not None and batch.wkb is not None:
        columns[profile.geometry_column] = batch.wkb
    sums = checksums.column_sums(columns, batch.rows)
    sums[profile.row_column] = checksums.row_sum(batch.rows)
    if profile.geometry_column is not None:
        boxes = data.feature_bounds()[batch.positions]
        sums[profile.bbox_column] = checksums.box_sum(boxes, batch.rows)
    return len(batch), sums


def _named(profile: VectorProfile, column: str) -> str:
    if column == profile.geometry_column:
        return f"geometry column {column}"
    return f"column {column}"


def _column(name: str, batch: FeatureBatch, data: VectorReader) -> Any:
    """The values of a column; read unless they are already loaded.

    Raises:
        RuleError: it cannot be read.

    """
    if name in batch.table.column_names:
        return batch.table.column(name)
    try:
        return data.take(batch.positions, (name,), geometry=False).table.column(name)
    except Exception as exc:
        msg = f"{_place(name, data)}column {name} cannot be read: {exc}"
        raise RuleError(msg) from exc


def _place(name: str, data: VectorReader) -> str:
    """The first row group in which a column cannot be read."""
    for index in range(data.batch_count()):
        try:
            data.batch(index, (name,), geometry=False)
        except Exception:  # noqa: BLE001 - damaged files fail in many ways
            return f"row group {index}, "
    return ""


Cells = tuple[int, NDArray[np.uint64]]
"""Pixels of a window, and the sums of a band by cell."""


def conclude_raster(
    rule: StagedMatchesSource, raster: RasterUnderCheck, bands: Mapping[int, Sequence[Cells]]
) -> RuleOutcome:
    """One violation per cell of a band that differs, and one per lost tag.

    Raises:
        RuleError: the checksums are of another grid.

    """
    profile = raster.profile
    wanted = checksums.cells_read(profile.checksums or ())
    cells = checksums.empty_cells(profile.count, profile.width, profile.height)
    for band, found in bands.items():
        for _, part in found:
            if part.shape == cells.shape[1:]:
                cells[band - 1] += part
    if wanted.shape != cells.shape:
        msg = "the checksums of ingest are of another grid: stage it again"
        raise RuleError(msg)
    places = np.argwhere(wanted != cells)
    tags = _lost_tags(raster)
    violations = Violations.concat(
        [
            Violations.build(
                np.full(len(places), -1),
                [
                    f"band {b + 1}: staged pixels or mask are not those that were read"
                    for b in places[:, 0].tolist()
                ],
                geometry=_outlines(profile, places),
            ),
            Violations.build(np.full(len(tags), -1), tags),
        ]
    )
    pixels = sum(n for n, _ in bands.get(1, ()))
    count = f"{profile.count} band{'' if profile.count == 1 else 's'}"
    message = (
        f"{violations.reasons[0]}"
        + (f", and {len(violations) - 1} more" if len(violations) > 1 else "")
        if len(violations)
        else f"{pixels} pixels of {count}, masks and tags are as they were read"
    )
    lost = tuple(n for n in profile.notes if "not carried over" in n)
    return RuleOutcome(checked=pixels, violations=violations, message=message, notes=lost)


@window_rule(conclude_raster, unreadable=True, kind="raster")
def evaluate_raster(rule: StagedMatchesSource, pixels: BandWindow) -> Cells:
    """Pixels of the window, and the sums of the band and its mask by cell.

    Raises:
        RuleError: ingest took no checksums.

    """
    profile, window = pixels.raster.profile, pixels.window
    if profile.checksums is None:
        raise RuleError(OLD)
    cells = checksums.empty_cells(1, profile.width, profile.height)
    masks = {0: pixels.valid} if pixels.band - 1 in profile.masked_bands else {}
    side = checksums.cell_side(profile.width, profile.height)
    checksums.add_window(
        cells, pixels.values[np.newaxis], masks, window.row_off, window.col_off, side
    )
    return pixels.values.size, cells[0]


def _lost_tags(raster: RasterUnderCheck) -> list[str]:
    """Tags of the source that the staged raster lost since ingest looked."""
    profile, staged = raster.profile, raster.data.tags()
    said = "\n".join(profile.notes)
    return [
        f"tag {key}: staged is {staged.get(key)!r}, read was {value!r}"
        for key, value in profile.tags.items()
        if staged.get(key) != value and f"tag /{key} of the dataset not carried over" not in said
    ]


def _outlines(profile: RasterProfile, places: NDArray[np.int64]) -> NDArray[np.object_]:
    """(n,) outlines of cells (band, row, column) in the CRS of the raster."""
    side = checksums.cell_side(profile.width, profile.height)
    top, left = places[:, 1] * side, places[:, 2] * side
    bottom = np.minimum(top + side, profile.height)
    right = np.minimum(left + side, profile.width)
    a, b, c, d, e, f = profile.transform
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    rings = [(a * x + b * y + c, d * x + e * y + f) for x, y in corners]
    return np.asarray(shapely.polygons(np.stack([np.stack(r, -1) for r in rings], axis=1)))
