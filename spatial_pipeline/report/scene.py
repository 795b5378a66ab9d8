"""The background of a map: the features around violations, or a picture of the raster."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import RasterProfile, VectorProfile
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.model.violations import Violations

MAX_OVERVIEW = 2_000
"""Features spread over the dataset that are drawn in the background."""
MAX_AROUND = 3_000
"""Features near violations."""
MAX_VERTICES = 150_000
"""Vertices of all features near violations."""
NEAR = 1.0
"""Distance to a violation within which features are drawn, in sizes of the violation."""
PICTURE = 1_000
"""Longer side of the picture of a raster, in pixels."""
CUT = 2.0
"""Per cent of the pixels that are as dark, and as bright, as the picture can show."""


class Preview(Protocol):
    """A raster that can be read at reduced size."""

    @property
    def profile(self) -> RasterProfile:
        """Metadata of the source."""

    def preview(self, most: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(bands, height, width) pixels and (height, width) True for valid ones."""


@dataclass(frozen=True)
class RasterPicture:
    """A picture of a raster.

    Attributes:
        png: the file.
        width: in pixels.
        height: in pixels.
        transform: x = a·column + b·row + c and y = d·column + e·row + f, for its own pixels.

    """

    png: bytes
    width: int
    height: int
    transform: tuple[float, ...]

    @property
    def address(self) -> str:
        """The picture as a ``data:`` address."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclass(frozen=True)
class Scene:
    """The background of a map, in the CRS of the dataset.

    Attributes:
        overview: (n,) features spread over the dataset.
        around: (m,) features near violations.
        rows: (m,) int64 source rows of ``around``.
        omitted: number of features near violations that are left out.
        picture: picture of a raster.

    """

    overview: NDArray[Any]
    around: NDArray[Any]
    rows: NDArray[np.int64]
    omitted: int = 0
    picture: RasterPicture | None = None


EMPTY = Scene(np.empty(0, object), np.empty(0, object), np.empty(0, np.int64))


def scene_of(data: Reader, shown: Sequence[Violations]) -> Scene:
    """The background for the violations that a page shows.

    Reads the boxes of all features, and only the geometries that are drawn.

    Args:
        data: reader of the checked version.
        shown: the violations; see :mod:`spatial_pipeline.report.selection`.

    """
    profile = data.profile
    if isinstance(profile, RasterProfile):
        raster: Any = data
        return Scene(EMPTY.overview, EMPTY.around, EMPTY.rows, picture=picture_of(raster))
    if not isinstance(profile, VectorProfile) or profile.geometry_column is None:
        return EMPTY
    vector: Any = data
    return _features(vector, shown)


def picture_of(raster: Preview) -> RasterPicture | None:
    """The raster with its first band in grey, or its first three bands as colours.

    Values are stretched from the 2nd to the 98th percentile; invalid pixels are transparent. None
    when the raster cannot be read.
    """
    profile = raster.profile
    if profile.error is not None or not profile.width or not profile.height:
        return None
    try:
        values, valid = raster.preview(PICTURE)
    except OSError:
        return None
    colours = [b.color_interpretation for b in profile.bands[:3]]
    bands = 3 if colours == ["red", "green", "blue"] else 1
    shades = [_stretched(values[i], valid) for i in range(bands)]
    alpha = np.where(valid, 255, 0).astype(np.uint8)
    # Pillow is loaded for the page that shows a raster.
    from PIL import Image

    picture = Image.merge(
        "RGBA" if bands == 3 else "LA", [Image.fromarray(b) for b in (*shades, alpha)]
    )
    written = io.BytesIO()
    picture.save(written, "png", optimize=True)
    height, width = valid.shape
    a, b, c, d, e, f = profile.transform
    across, down = profile.width / width, profile.height / height
    transform = (a * across, b * down, c, d * across, e * down, f)
    return RasterPicture(written.getvalue(), width, height, transform)


def _stretched(band: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    values = band.astype(np.float64)
    known = values[valid & np.isfinite(values)]
    if not len(known):
        return np.zeros(band.shape, np.uint8)
    low, high = np.percentile(known, [CUT, 100 - CUT])
    if band.dtype == np.uint8 and high - low > 64:
        low, high = 0.0, 255.0
    share = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / max(
        high - low, 1e-300
    )
    shades: NDArray[np.uint8] = np.clip(share * 255, 0, 255).round().astype(np.uint8)
    return shades


def _features(data: VectorReader, shown: Sequence[Violations]) -> Scene:
    count = data.profile.count
    even = np.unique(np.linspace(0, count - 1, MAX_OVERVIEW).astype(np.int64))
    overview = data.take(even[even >= 0], ()).geometry
    near, omitted = _near(data, shown)
    batch = data.take(near, ())
    around, rows, cut = _bounded(batch)
    return Scene(overview, around, rows, omitted + cut)


def _bounded(batch: FeatureBatch) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """Features up to a total of vertices; the large ones are the first to be left out."""
    sizes = shapely.get_num_coordinates(batch.geometry)
    order = np.argsort(sizes, kind="stable")
    kept = np.sort(order[np.cumsum(sizes[order]) <= MAX_VERTICES])
    return batch.geometry[kept], batch.rows[kept], len(batch) - len(kept)


def _near(data: VectorReader, shown: Sequence[Violations]) -> tuple[NDArray[np.int64], int]:
    """Staged positions of features in or near violations, and how many are left out."""
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(v.rows.ravel() for v in shown)]))
    involved = data.rows_to_positions(rows[rows >= 0]) if len(rows) else rows
    boxes = [shapely.bounds(v.geometry).reshape(-1, 4) for v in shown]
    box = np.concatenate([np.empty((0, 4)), *boxes])
    box = box[np.isfinite(box).all(axis=1)]
    others = np.empty(0, np.int64)
    if len(box):
        size = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
        reach = NEAR * np.maximum(size, _spacing(data))[:, None]
        tree = shapely.STRtree(shapely.box(*(box + reach * [-1, -1, 1, 1]).T))
        found = [
            _hits(tree, data.batch_bounds(i), s) for i, s in enumerate(data.batch_starts()[:-1])
        ]
        others = np.setdiff1d(np.concatenate([others, *found]), involved)
    near = np.concatenate([involved, others]).astype(np.int64)
    return np.sort(near[:MAX_AROUND]), max(0, len(near) - MAX_AROUND)


def _hits(tree: shapely.STRtree, bounds: NDArray[np.float64], start: int) -> NDArray[np.int64]:
    """Staged positions of the features of a batch whose boxes meet one in the tree."""
    where = np.flatnonzero(np.isfinite(bounds).all(axis=1))
    hits: NDArray[np.int64] = np.unique(tree.query(shapely.box(*bounds[where].T))[0])
    return where[hits] + start


def _spacing(data: VectorReader) -> float:
    """Side of the square that a feature has to itself on average, in the units of the CRS."""
    bounds = data.profile.bounds
    if bounds is None:
        return 0.0
    area = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
    return float(np.sqrt(max(area, 0.0) / max(data.profile.count, 1)))
