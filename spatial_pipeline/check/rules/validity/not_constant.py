"""not_constant: no band, and no block, holds a single value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.raster.lines import numbers, ranges
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.check.raster.region_outlines import rectangles
from spatial_pipeline.contract.rules.pixels import NotConstant


@dataclass(frozen=True)
class BlockRanges:
    """Blocks of one band that a window meets, as arrays of length n.

    Attributes:
        block: (n, 2) row and column of the block in the grid of blocks.
        count: (n,) pixels with a number.
        low: (n,) smallest of them.
        high: (n,) largest of them.

    """

    block: NDArray[np.int64]
    count: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]


def conclude(
    rule: NotConstant, raster: RasterUnderCheck, bands: Mapping[int, Sequence[BlockRanges]]
) -> RuleOutcome:
    """One violation per band, or block, of one value."""
    found: list[Violations] = []
    checked = single = 0
    for band, parts in bands.items():
        blocks = np.concatenate([p.block for p in parts])
        place, owner = np.unique(blocks, axis=0, return_inverse=True)
        order = np.argsort(owner.ravel(), kind="stable")
        first = np.flatnonzero(np.diff(owner.ravel()[order], prepend=-1))
        counts = np.add.reduceat(np.concatenate([p.count for p in parts])[order], first)
        low = np.fmin.reduceat(np.concatenate([p.low for p in parts])[order], first)
        high = np.fmax.reduceat(np.concatenate([p.high for p in parts])[order], first)
        dead = np.flatnonzero((counts > 1) & (low == high))
        checked += int(np.count_nonzero(counts > 1))
        single += int(np.count_nonzero(counts == 1))
        height, width = _block(rule, raster, band)
        top, left = place[dead, 0] * height, place[dead, 1] * width
        bottom = np.minimum(top + height, raster.profile.height)
        right = np.minimum(left + width, raster.profile.width)
        what = "block" if rule.per_block else "all pixels"
        found.append(
            Violations.build(
                np.full(len(dead), -1),
                [f"band {band}: {what} of the value {number(v)}" for v in low[dead]],
                rectangles(top, left, bottom, right, raster.profile.transform),
                counts[dead],
                "px",
            )
        )
    violations = Violations.concat(found)
    parts_name = "blocks" if rule.per_block else "bands"
    return RuleOutcome(
        checked=checked,
        violations=violations,
        message=f"{len(violations)} of {checked} {parts_name} are constant"
        if len(violations)
        else f"{checked} {parts_name} vary",
        notes=(
            *((f"{single} {parts_name} of one valid pixel were not judged",) if single else ()),
            *((f"no {parts_name[:-1]} has data",) if not checked and not single else ()),
        ),
    )


@window_rule(conclude)
def evaluate(rule: NotConstant, pixels: BandWindow) -> BlockRanges:
    """Smallest and largest number of each block, as far as it lies in this window."""
    height, width = _block(rule, pixels.raster, pixels.band)
    window = pixels.window
    rows = _starts(window.row_off, pixels.values.shape[0], height)
    columns = _starts(window.col_off, pixels.values.shape[1], width)
    there = numbers(pixels.values, pixels.valid)
    low, high = ranges(pixels.values, there)
    count = np.add.reduceat(np.add.reduceat(there, rows, 0, dtype=np.int64), columns, 1)
    low = np.minimum.reduceat(np.minimum.reduceat(low, rows, 0), columns, 1)
    high = np.maximum.reduceat(np.maximum.reduceat(high, rows, 0), columns, 1)
    y, x = np.meshgrid(
        (rows + window.row_off) // height, (columns + window.col_off) // width, indexing="ij"
    )
    some = count.ravel() > 0
    place = np.stack([y.ravel(), x.ravel()], axis=1)[some]
    return BlockRanges(place, count.ravel()[some], low.ravel()[some], high.ravel()[some])


def _starts(offset: int, size: int, block: int) -> NDArray[np.int64]:
    """Offsets of blocks inside a window that begins at ``offset``."""
    inner = np.arange(-(-offset // block) * block, offset + size, block) - offset
    return np.unique(np.concatenate([[0], inner])).astype(np.int64)


def _block(rule: NotConstant, raster: RasterUnderCheck, band: int) -> tuple[int, int]:
    if not rule.per_block:
        return max(1, raster.profile.height), max(1, raster.profile.width)
    if rule.block_size is not None:
        return rule.block_size, rule.block_size
    return raster.profile.block_shapes[band - 1]
