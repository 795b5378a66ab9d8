"""Ends of lines and the nodes in which they meet, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.parts import Parts


@dataclass(frozen=True)
class LineEnds:
    """The k ends of lines; both ends of a closed line lie in one place.

    Attributes:
        feature: (k,) index of the feature.
        part: (k,) number of the part in its feature.
        vertex: (k,) number of the vertex in the part.
        point: (k,) points in the XY plane.
        node: (k,) number of the place, equal for exactly equal coordinates.

    """

    feature: NDArray[np.int64]
    part: NDArray[np.int64]
    vertex: NDArray[np.int64]
    point: NDArray[np.object_]
    node: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.feature)

    @classmethod
    def of(cls, parts: Parts) -> LineEnds:
        """The ends of lines, by feature and part, the start first."""
        count = len(parts.geometry)
        both = np.column_stack(
            [shapely.get_point(parts.geometry, 0), shapely.get_point(parts.geometry, -1)]
        )
        point = shapely.force_2d(both.reshape(-1))
        last = shapely.get_num_points(parts.geometry) - 1
        xy = shapely.get_coordinates(point) + 0.0
        node = np.unique(xy, axis=0, return_inverse=True)[1].reshape(-1)
        return cls(
            feature=np.repeat(parts.feature, 2),
            part=np.repeat(parts.part, 2),
            vertex=np.column_stack([np.zeros(count, dtype=np.int64), last]).reshape(-1),
            point=np.asarray(point, dtype=object),
            node=node.astype(np.int64),
        )

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> LineEnds:
        """The ends at ``index``."""
        return LineEnds(
            self.feature[index],
            self.part[index],
            self.vertex[index],
            self.point[index],
            self.node[index],
        )

    def once(self) -> LineEnds:
        """The ends without the second one of closed lines."""
        closed = np.zeros(len(self), dtype=bool)
        closed[1::2] = self.node[1::2] == self.node[::2]
        return self.take(~closed)


@dataclass(frozen=True)
class Nodes:
    """The n nodes of lines.

    Attributes:
        point: (n,) points.
        valency: (n,) number of line ends.
        features: (n, w) the features with an end there, each once, ascending; padded with -1.

    """

    point: NDArray[np.object_]
    valency: NDArray[np.int64]
    features: NDArray[np.int64]

    @classmethod
    def of(cls, ends: LineEnds) -> Nodes:
        """The nodes of these ends."""
        count = int(ends.node.max()) + 1 if len(ends) else 0
        first = np.unique(ends.node, return_index=True)[1]
        pairs = np.unique(np.column_stack([ends.node, ends.feature]), axis=0)
        node, feature = pairs[:, 0], pairs[:, 1]
        rank = np.arange(len(node)) - np.searchsorted(node, node)
        features = np.full((count, int(rank.max()) + 1 if len(rank) else 1), -1, dtype=np.int64)
        features[node, rank] = feature
        valency = np.bincount(ends.node, minlength=count)
        return cls(ends.point[first], valency, features)


__all__ = ["LineEnds", "Nodes"]
