"""Random coverages with random damage: what the tests of the topology rules judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyogrio
import shapely
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline_tests.sample_data import package_folder

Random = np.random.Generator
Geometries = list[Any]


def squares(columns: int, rows: int, size: float = 1.0) -> Geometries:
    """A grid of squares that share their vertices."""
    x, y = np.meshgrid(np.arange(columns) * size, np.arange(rows) * size)
    return list(shapely.box(x.ravel(), y.ravel(), x.ravel() + size, y.ravel() + size))


def voronoi(random: Random, cells: int) -> Geometries:
    """Voronoi cells that share their vertices, extent about 0 … 6."""
    points = shapely.MultiPoint(random.uniform(0, 6, (cells, 2)))
    return list(
        shapely.get_parts(shapely.voronoi_polygons(points, extend_to=shapely.box(0, 0, 6, 6)))
    )


def _polygons(features: Geometries) -> list[int]:
    return [i for i, f in enumerate(features) if isinstance(f, shapely.Polygon) and not f.is_empty]


def _pick(features: Geometries, random: Random) -> int | None:
    chosen = _polygons(features)
    return int(random.choice(chosen)) if chosen else None


def _move_vertex(features: Geometries, random: Random) -> None:
    i = _pick(features, random)
    if i is not None:
        ring = np.array(features[i].exterior.coords)[:-1, :2]
        ring[random.integers(len(ring))] += random.choice([0.3, -0.3, 1e-3, 0.5], 2)
        features[i] = shapely.Polygon(ring)


def _remove(features: Geometries, random: Random) -> None:
    i = _pick(features, random)
    if i is not None:
        del features[i]


def _duplicate(features: Geometries, random: Random) -> None:
    i = _pick(features, random)
    if i is not None:
        features.append(features[i] if random.random() < 0.5 else shapely.reverse(features[i]))


def _sheet(features: Geometries, random: Random) -> None:
    by = random.choice([0.25, 0.5, 1.0, 2.0, 20.0], 2)
    features.extend(
        [translate(features[i], *by) for i in _polygons(features) if random.random() < 0.7]
    )


def _island(features: Geometries, random: Random) -> None:
    i = _pick(features, random)
    if i is not None:
        inner = shapely.buffer(features[i].representative_point(), 0.1, quad_segs=2)
        if random.random() < 0.5:
            features[i] = inner
        else:
            features.append(inner)


def _t_junction(features: Geometries, random: Random) -> None:
    i = _pick(features, random)
    if i is not None:
        ring = np.array(features[i].exterior.coords)[:, :2]
        k = int(random.integers(len(ring) - 1))
        features[i] = shapely.Polygon(np.insert(ring, k + 1, (ring[k] + ring[k + 1]) / 2, axis=0))


def _hole(features: Geometries, random: Random) -> None:
    """A triangular hole that touches the shell in a vertex, filled, half filled or not."""
    i = _pick(features, random)
    if i is not None:
        polygon = shapely.Polygon(features[i].exterior)
        middle = np.array(polygon.representative_point().coords[0])
        corner = np.array(polygon.exterior.coords)[0, :2]
        triangle = np.array([corner, middle + 0.05, middle - [0.05, -0.05]])
        features[i] = shapely.Polygon(polygon.exterior, [triangle])
        filling = random.random()
        if filling < 0.3:
            features.append(shapely.Polygon(triangle))
        elif filling < 0.6:
            features.append(shapely.Polygon([*triangle[:2], triangle[1:].mean(axis=0)]))


def _nest(features: Geometries, random: Random) -> None:
    """Rings inside of a polygon, which may have a hole for them, one in the other, some twice."""
    i = _pick(features, random)
    if i is not None:
        middle = features[i].representative_point()
        sizes = np.sort(random.uniform(0.01, 0.3, 6))[::-1]
        boxes = [shapely.box(*(middle.buffer(s).bounds)) for s in sizes]
        inside = features[i].is_valid and features[i].contains_properly(boxes[0])
        if random.random() < 0.5 and inside:
            features[i] = shapely.difference(features[i], boxes[0])
        for outer, inner in zip(boxes[1::2], [*boxes[2::2], None], strict=False):
            holes = [inner.exterior] if inner is not None and random.random() < 0.7 else []
            features.append(shapely.Polygon(outer.exterior, holes))
            if random.random() < 0.3:
                features.append(features[-1])


def _merge(features: Geometries, random: Random) -> None:
    """Two polygons in one feature, often with a void between them."""
    i, k = _pick(features, random), _pick(features, random)
    if i is not None and k is not None and i != k:
        both = shapely.MultiPolygon([features[i], features[k]])
        for gone in sorted((i, k), reverse=True):
            del features[gone]
        features.append(both)


def _corner_ring(features: Geometries, random: Random) -> None:
    """Four squares around a void that only their corners close."""
    x, y = random.integers(-3, 6, 2)
    around = [(0, 1), (1, 0), (2, 1), (1, 2)]
    features.extend([shapely.box(x + a, y + b, x + a + 1, y + b + 1) for a, b in around])


def _collection(features: Geometries, random: Random) -> None:
    i = _pick(features, random)
    if i is not None:
        line = shapely.LineString([(0, 0), (1, 1)])
        features[i] = shapely.GeometryCollection(
            [shapely.GeometryCollection([features[i], line]), shapely.Point(9, 9)]
        )


def _odd(features: Geometries, random: Random) -> None:
    """What no topology rule judges."""
    bow_tie = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    odd = [None, shapely.Polygon(), bow_tie, shapely.Point(1, 1), b"\x01\x08\x00\x00\x00"]
    features.insert(int(random.integers(len(features) + 1)), odd[int(random.integers(len(odd)))])


def _shuffle(features: Geometries, random: Random) -> None:
    order = random.permutation(len(features))
    features[:] = [features[i] for i in order]


DAMAGES: dict[str, Callable[[Geometries, Random], None]] = {
    "move vertex": _move_vertex,
    "remove": _remove,
    "duplicate": _duplicate,
    "sheet": _sheet,
    "island": _island,
    "t-junction": _t_junction,
    "hole": _hole,
    "nest": _nest,
    "merge": _merge,
    "corner ring": _corner_ring,
    "collection": _collection,
    "odd": _odd,
    "shuffle": _shuffle,
}


@st.composite
def damaged_coverages(draw: Callable[[Any], Any], without: tuple[str, ...] = ()) -> Geometries:
    """Features in source order: geometries, None and bytes that do not decode."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        features = squares(draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    else:
        features = voronoi(random, draw(st.integers(2, 30)))
    names = sorted(set(DAMAGES) - set(without))
    for name in draw(st.lists(st.sampled_from(names), max_size=6)):
        DAMAGES[name](features, random)
    shift = draw(st.sampled_from([(0.0, 0.0), (-3.0, -3.0), (400_000.0, 5_000_000.0)]))
    return [translate(f, *shift) if isinstance(f, shapely.Geometry) else f for f in features]


def polygonal(feature: Any) -> Any:
    """The polygonal part of a feature as the oracles judge it; None when there is none."""
    if not isinstance(feature, shapely.Geometry) or not feature.is_valid:
        return None
    parts = [feature]
    while any(isinstance(p, shapely.GeometryCollection) or hasattr(p, "geoms") for p in parts):
        parts = [q for p in parts for q in (p.geoms if hasattr(p, "geoms") else [p])]
    parts = [p for p in parts if isinstance(p, shapely.Polygon) and not p.is_empty]
    return shapely.MultiPolygon(parts) if parts else None


def real_frame(name: str) -> Any:
    """Sample data that ships in wheels: ``tokyo``, or a layer of bubenec."""
    if name == "tokyo":
        return pyogrio.read_dataframe(package_folder("libpysal") / "examples/tokyo/tokyomet262.shp")
    return pyogrio.read_dataframe(package_folder("momepy") / "datasets/bubenec.gpkg", layer=name)


def origin(features: Geometries) -> Any:
    """(2,) whole numbers at the lower left of the first polygon."""
    areas = [g for g in map(polygonal, features) if g is not None]
    return np.floor(areas[0].bounds[:2]) if areas else np.zeros(2)


def boxes_around(covers: Geometries, seed: int, shift: float, sizes: list[float]) -> Any:
    """The valid polygons of a coverage, moved, and (60, 4) random boxes beside and in them."""
    areas = [polygonal(c) for c in covers if isinstance(c, shapely.Geometry) and c.is_valid]
    moved = np.array([translate(a, shift, shift) for a in areas if a is not None], dtype=object)
    random = np.random.default_rng(seed)
    low = origin(covers) + shift + random.uniform(-1, 5, (60, 2))
    return moved, np.concatenate([low, low + random.choice(sizes, (60, 1))], axis=1)
