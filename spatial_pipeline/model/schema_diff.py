"""The schema of a version, and a readable description of the differences between two schemas.

A schema is what readers rely on beside the values: names and types of columns, geometry type, CRS,
bands and their data types, and the pixel grid. The extent of a raster and the order of columns are
not part of it.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.model.crs.comparison import authority
from spatial_pipeline.model.profile import Column, Profile, VectorProfile
from spatial_pipeline.runtime.hashing import fingerprint

ALIKE = 0.7
"""Minimum similarity of two names (``difflib``'s ratio) to pair them as a renamed column."""
X_FIRST = {"OGC:CRS84": "EPSG:4326", "OGC:CRS83": "EPSG:4269", "OGC:CRS27": "EPSG:4267"}
"""CRSs that differ only in axis order, which staged data do not follow."""
DIGITS = 9
"""Significant digits to which pixel sizes are compared."""
SHARES = 3
"""Decimals of a pixel to which grid origins are compared."""
EXACT = 2**53
"""Whole numbers up to here are exact as 64-bit floats."""
Contents = Mapping[str, str]
"""Column → digest of its content, where known."""


@dataclass(frozen=True)
class Schema:
    """The parts of a schema that can differ.

    Attributes:
        kind: vector or raster.
        columns: attribute columns, by name.
        geometry_type: declared type, None without geometry and for a raster.
        crs: authority code where the definition has one, else its WKT; None without a CRS.
        data_types: data type of each band.
        nodata: nodata value of each band, as text.
        pixel: the vectors of a pixel's sides (a, d, b, e) in units of the CRS.
        origin: grid origin: offset of its lines from the CRS's origin, in pixels (0 to 1).

    """

    kind: Kind
    columns: tuple[Column, ...] = ()
    geometry_type: str | None = None
    crs: str | None = None
    data_types: tuple[str, ...] = ()
    nodata: tuple[str, ...] = ()
    pixel: tuple[float, ...] | None = None
    origin: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(sorted(self.columns, key=lambda c: c.name)))

    @property
    def fingerprint(self) -> str:
        """Hash of all parts: equal exactly when :func:`schema_change` finds nothing."""
        return fingerprint(dataclasses.asdict(self))


class ChangeKind(StrEnum):
    """Kinds of schema changes."""

    ADDED = "column added"
    REMOVED = "column removed"
    RENAMED = "column renamed"
    RETYPED = "column retyped"
    NULLABLE = "column nullability"
    GEOMETRY_TYPE = "geometry type"
    CRS = "CRS"
    BAND_COUNT = "band count"
    DATA_TYPE = "data type"
    NODATA = "nodata value"
    RESOLUTION = "pixel size"
    ALIGNMENT = "grid alignment"
    DATA_KIND = "kind of data"


@dataclass(frozen=True)
class SchemaDifference:
    """One change.

    Attributes:
        kind: kind of change.
        before: the part as it was, None when there was none; of a renamed column its name.
        after: the part as it is, None when there is none.
        column: the column, by its name of today; None when the change does not concern a column.
        nullable: of an added or removed column, whether it may hold nulls.

    """

    kind: ChangeKind
    before: str | None
    after: str | None
    column: str | None = None
    nullable: bool = True

    def __str__(self) -> str:
        match self.kind:
            case ChangeKind.ADDED:
                return f"column {self.column} ({_typed(self.after, self.nullable)}) added"
            case ChangeKind.REMOVED:
                return f"column {self.column} ({_typed(self.before, self.nullable)}) removed"
            case ChangeKind.RENAMED:
                return f"column {self.before} looks renamed to {self.after}"
            case ChangeKind.RETYPED:
                return f"column {self.column} was {self.before}, is {self.after}"
            case ChangeKind.NULLABLE:
                return f"column {self.column} was {self.before}, is {self.after}"
        return f"{self.kind.value} was {self.before or 'none'}, is {self.after or 'none'}"


@dataclass(frozen=True)
class SchemaChange:
    """Differences between two schemas; empty when they are equal."""

    differences: tuple[SchemaDifference, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.differences)

    def __str__(self) -> str:
        return "; ".join(map(str, self.differences)) or "no change"

    @property
    def additive(self) -> bool:
        """True when nullable columns were added and nothing else changed."""
        return all(d.kind is ChangeKind.ADDED and d.nullable for d in self.differences)


@dataclass(frozen=True)
class SchemaEvidence:
    """Schema evidence for the gate's decision about a version.

    Attributes:
        change: differences from the reference.
        fingerprint: fingerprint of the version's schema.
        reference: readable name of the schema it was compared with.
        accepted: True when a person accepted exactly this schema.

    """

    change: SchemaChange
    fingerprint: str
    reference: str
    accepted: bool


@dataclass(frozen=True)
class SchemaApproval:
    """A person's confirmation that a schema is intended.

    Attributes:
        schema: fingerprint of the schema.
        by: person who accepted it.
        at: ISO 8601 time in UTC.
        change: readable description of the accepted change.

    """

    schema: str
    by: str
    at: str
    change: str


def schema_of(profile: Profile) -> Schema:
    """The schema of a version, from its profile."""
    crs = _crs(profile.crs)
    if isinstance(profile, VectorProfile):
        kind = None if profile.geometry_column is None else profile.geometry_type or "Unknown"
        return Schema("vector", columns=profile.columns, geometry_type=kind, crs=crs)
    pixel, origin = _grid(profile.transform)
    return Schema(
        "raster",
        crs=crs,
        data_types=tuple(band.data_type for band in profile.bands),
        nodata=tuple(_text(band.nodata) for band in profile.bands),
        pixel=pixel,
        origin=origin,
    )


def _grid(
    transform: tuple[float, ...],
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Sides of a pixel, and the origin of the grid; None where these are undefined."""
    if not np.isfinite(transform).all():
        return None, None
    a, b, c, d, e, f = transform
    pixel = tuple(float(f"{v:.{DIGITS}g}") + 0.0 for v in (a, d, b, e))
    if not a * e - b * d:
        return pixel, None
    shares = np.linalg.solve(np.array([[a, b], [d, e]], dtype=np.float64), np.array([c, f]))
    # The second remainder, because 0.9999 of a pixel rounds to a whole one.
    places = np.round(shares % 1.0, SHARES) % 1.0
    return pixel, tuple(float(v) for v in places)


def schema_change(
    before: Schema,
    after: Schema,
    contents_before: Contents | None = None,
    contents_after: Contents | None = None,
) -> SchemaChange:
    """Differences between two schemas, column by column and part by part.

    A removed and an added column are paired as renamed when they have the same type and
    nullability, and a similar name or the same content, and neither can be paired with any other
    column; otherwise both are reported, as removed and as added. The comparison is symmetric: from
    ``after`` to ``before`` the same changes are found in reverse.

    Args:
        before: the former schema.
        after: the schema of today.
        contents_before: digests of the content of the former columns, where known.
        contents_after: the same of today's columns.

    """
    if before.kind != after.kind:
        return SchemaChange((SchemaDifference(ChangeKind.DATA_KIND, before.kind, after.kind),))
    pairs = _renamed(before.columns, after.columns, contents_before or {}, contents_after or {})
    return SchemaChange((*_columns(before, after, pairs), *_parts(before, after)))


def _columns(before: Schema, after: Schema, pairs: Mapping[str, str]) -> Iterator[SchemaDifference]:
    old = {c.name: c for c in before.columns}
    new = {c.name: c for c in after.columns}
    for was, now in sorted(pairs.items()):
        yield SchemaDifference(ChangeKind.RENAMED, was, now, now)
    for name in sorted(old.keys() - new.keys() - pairs.keys()):
        column = old[name]
        yield SchemaDifference(ChangeKind.REMOVED, column.type, None, name, column.nullable)
    for name in sorted(new.keys() - old.keys() - set(pairs.values())):
        column = new[name]
        yield SchemaDifference(ChangeKind.ADDED, None, column.type, name, column.nullable)
    for name in sorted(old.keys() & new.keys()):
        if old[name].type != new[name].type:
            yield SchemaDifference(ChangeKind.RETYPED, old[name].type, new[name].type, name)
        if old[name].nullable != new[name].nullable:
            words = ["nullable" if c.nullable else "never null" for c in (old[name], new[name])]
            yield SchemaDifference(ChangeKind.NULLABLE, words[0], words[1], name)


def _parts(before: Schema, after: Schema) -> Iterator[SchemaDifference]:
    if before.geometry_type != after.geometry_type:
        yield SchemaDifference(ChangeKind.GEOMETRY_TYPE, before.geometry_type, after.geometry_type)
    if before.crs != after.crs:
        yield SchemaDifference(ChangeKind.CRS, _crs_name(before.crs), _crs_name(after.crs))
    if len(before.data_types) != len(after.data_types):
        counts = [str(len(s.data_types)) for s in (before, after)]
        yield SchemaDifference(ChangeKind.BAND_COUNT, counts[0], counts[1])
    for kind, was, now in (
        (ChangeKind.DATA_TYPE, before.data_types, after.data_types),
        (ChangeKind.NODATA, before.nodata, after.nodata),
    ):
        if _distinct(was, now):
            yield SchemaDifference(kind, ", ".join(_runs(was)), ", ".join(_runs(now)))
    if before.pixel != after.pixel:
        sizes = [_size(s.pixel) for s in (before, after)]
        yield SchemaDifference(ChangeKind.RESOLUTION, sizes[0], sizes[1])
    if before.origin != after.origin:
        places = [_place(s.origin) for s in (before, after)]
        yield SchemaDifference(ChangeKind.ALIGNMENT, places[0], places[1])


def _distinct(was: Sequence[str], now: Sequence[str]) -> bool:
    """True when the bands differ in more than their number."""
    if len(was) == len(now):
        return was != now
    return set(was) != set(now) or len(set(was)) > 1


def _runs(values: Sequence[str]) -> Sequence[str]:
    """One value where all bands have the same."""
    return values[:1] if len(set(values)) == 1 else values


def _renamed(
    before: Sequence[Column], after: Sequence[Column], was: Contents, now: Contents
) -> dict[str, str]:
    """Former name → name of today of the columns that can be paired in one way only."""
    names = {c.name for c in before} & {c.name for c in after}
    gone = [c for c in before if c.name not in names]
    come = [c for c in after if c.name not in names]
    forward = {g.name: [c.name for c in come if _may_be(g, c, was, now)] for g in gone}
    backward = {c.name: [g.name for g in gone if _may_be(g, c, was, now)] for c in come}
    return {
        g: found[0]
        for g, found in forward.items()
        if len(found) == 1 and len(backward[found[0]]) == 1
    }


def _may_be(one: Column, other: Column, was: Contents, now: Contents) -> bool:
    if (one.type, one.nullable) != (other.type, other.nullable):
        return False
    content = was.get(one.name)
    if content is not None and content == now.get(other.name):
        return True
    # The ratio depends on the order of its arguments; likeness does not.
    first, second = sorted(_plain(n) for n in (one.name, other.name))
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= ALIKE


def _plain(name: str) -> str:
    """A name without case and punctuation, unless nothing would be left."""
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def _typed(kind: str | None, nullable: bool) -> str:
    return f"{kind}{'' if nullable else ', never null'}"


def _text(nodata: float | str | None) -> str:
    if isinstance(nodata, int) and abs(nodata) <= EXACT:
        # As earlier versions wrote it: a whole number is no change of one.
        nodata = float(nodata)
    return "none" if nodata is None else str(nodata)


def _size(pixel: tuple[float, ...] | None) -> str | None:
    if pixel is None:
        return None
    a, d, b, e = pixel
    if not b and not d:
        return f"{abs(a):g} × {abs(e):g}" + ("" if a > 0 > e else f" (steps {a:g}, {e:g})")
    return f"({a:g}, {d:g}) × ({b:g}, {e:g})"


def _place(origin: tuple[float, ...] | None) -> str | None:
    if origin is None:
        return None
    return f"{' and '.join(f'{v:g}' for v in origin)} pixels off the origin"


def _crs_name(crs: str | None) -> str | None:
    """Name of a CRS for people: its code, else the name in its WKT."""
    if crs is None or len(crs) <= 40:
        return crs
    try:
        return str(pyproj.CRS.from_user_input(crs).name)
    except CRSError:
        return "a CRS that is not understood"


@lru_cache(maxsize=256)
def _crs(text: str | None) -> str | None:
    """Canonical form of a CRS definition: its authority code, else its WKT."""
    if text is None:
        return None
    try:
        crs = pyproj.CRS.from_user_input(text)
    except CRSError:
        return text
    code = authority(crs)
    return str(crs.to_wkt()) if code is None else X_FIRST.get(code, code)
