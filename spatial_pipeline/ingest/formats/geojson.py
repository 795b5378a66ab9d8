"""GeoJSON and sequences of it, read strictly and without GDAL.

The text is read twice: for the types of its columns, then for its rows. Every value is kept as the
text holds it, or named as a defect. Blocks of elements are in ``geojson_text``, values in
``geojson_columns``, geometries in ``geojson_geometry``.

GDAL would drop elements that are no features, ids that are numbers and offsets of times, move days
that do not exist, round whole numbers, and take the last of two members of one name.

Source: RFC 7946; RFC 8142 for sequences; the member ``crs`` of GeoJSON 2008.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pyarrow as pa
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.conformance import geojson as conformance
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats import gdal, geojson_geometry, geojson_head, geojson_text
from spatial_pipeline.ingest.formats.geojson_columns import ColumnScan, array
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.schema import distinct_names, free_name
from spatial_pipeline.runtime.json_text import exact_json
from spatial_pipeline.sources.local import SourceFiles

BATCH_ROWS = 16384
HEAD_BYTES = 4096
_MEMBERS = {"type", "geometry", "properties", "id", "bbox"}
_NAMED = 5
"""Elements or members that a message names."""
Feature = dict[str, Any]


@contextmanager
def open_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a GeoJSON text for one pass; its relatives with GDAL, whatever the file is called.

    Raises:
        SourceError: not well-formed, or elements of it are no features.

    """
    with resolved.files[0].open("rb") as stream:
        relative = geojson_head.is_relative(stream.read(HEAD_BYTES))
    with (gdal.open_layer if relative else read_layer)(resolved, options) as layer:
        yield layer


@contextmanager
def read_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a GeoJSON text for one pass, once it was read for its types.

    Args:
        resolved: the source.
        options: the layer: the name of the file without suffix, or the member ``name``.

    Raises:
        SourceError: not well-formed, or elements of it are no features.

    """
    file = resolved.files[0]
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(file.open("rb"))
            text = geojson_text.opened(stream)
            judge = conformance.judge()
            survey = _Survey(judge)
            stack.enter_context(_no_collector())
            for block in text.blocks():
                survey.see(block, text.sequence)
        except OSError as exc:
            raise SourceError(exc.strerror or str(exc)) from exc
        survey.refuse(text)
        names = {file.stem, text.members.get("name")}
        if options.layer is not None and options.layer not in names:
            msg = f"no layer {options.layer!r} in it; there is {file.stem}"
            raise SourceError(msg)
        notes = survey.notes()
        conformance.collected(judge, text.members, text.sequence, text.constants)
        rows = _Rows(survey)
        yield Layer(
            driver="GeoJSONSeq" if text.sequence and survey.count > 1 else "GeoJSON",
            name=None,
            crs=_crs(text.members, survey.has_z, notes),
            geometry_type=survey.geometry_type,
            geometry=rows.geometry,
            schema=rows.schema,
            declared_count=survey.count,
            declared_bounds=_declared(text.members),
            batches=_batches(text, rows),
            notes=notes,
            defects=rows.defects,
            lost=lambda _rows: sorted(rows.lost),
            judge=judge,
        )


@contextmanager
def _no_collector() -> Iterator[None]:
    """Garbage collection off: it would walk every decoded number again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _batches(text: geojson_text.GeoJsonText, rows: _Rows) -> Iterator[pa.RecordBatch]:
    first = 0
    for block in text.again():
        for start in range(0, len(block), BATCH_ROWS):
            features = [_feature(v) for v in block[start : start + BATCH_ROWS]]
            yield rows.batch(features, first)
            first += len(features)


def _feature(element: Feature) -> Feature:
    """The feature, or a feature of the geometry that stands in its place."""
    if element["type"] == "Feature":
        return element
    return {"type": "Feature", "geometry": element}


@dataclass
class _Survey:
    """Result of the first pass over a GeoJSON file.

    Attributes:
        judge: takes findings about members and geometries.
        count: features.
        columns: of the properties, in the order in which they are first named.
        ids: of the members ``id``.
        ids_differ: whether an id is not the same as the property ``id``.
        kinds: WKB types of the geometries.
        has_z: whether a geometry has three dimensions.
        strangers: texts of elements that are no features, by what they are not.
        others: members of features that are not staged, in the order in which they are named.

    """

    judge: Judge
    count: int = 0
    columns: dict[str, ColumnScan] = field(default_factory=dict)
    ids: ColumnScan = field(default_factory=ColumnScan)
    ids_differ: bool = False
    kinds: set[int] = field(default_factory=set)
    has_z: bool = False
    strangers: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)

    def see(self, block: list[Any], sequence: bool) -> None:
        """Looks at the elements of a block."""
        features = []
        for element in block:
            if _is_feature(element, sequence):
                features.append(_feature(element))
            else:
                real = isinstance(element, dict) and element.get("type") == "Feature"
                told = conformance.NOT_WHOLE if real else conformance.NOT_FEATURES
                self.strangers.setdefault(told, []).append(exact_json(element, default=str)[:60])
        self.count += len(features)
        conformance.elements(self.judge, block)
        properties = [f.get("properties") or {} for f in features]
        for name in dict.fromkeys(chain.from_iterable(properties)):
            self.columns.setdefault(name, ColumnScan()).see([p.get(name) for p in properties])
        self.others.update(dict.fromkeys(chain.from_iterable(features)))
        if "id" in self.others:
            ids = [f.get("id") for f in features]
            self.ids.see(ids)
            self.ids_differ |= ids != [p.get("id") for p in properties]
        geometries = [f.get("geometry") for f in features]
        self.kinds |= set(map(geojson_geometry.kind_of, geometries))
        self.has_z = self.has_z or geojson_geometry.has_z(geometries)

    def refuse(self, text: geojson_text.GeoJsonText) -> None:
        """Refuses a text that is no GeoJSON, or of which elements would be left out.

        Raises:
            SourceError: naming them.

        """
        for told, texts in self.strangers.items():
            msg = f"{len(texts)} {told}: {', '.join(texts[:_NAMED])}"
            raise SourceError(msg)
        kind = text.members.get("type")
        if not text.sequence and kind != "FeatureCollection":
            told = exact_json(kind, default=str)
            msg = f"it has features and is not a FeatureCollection: its type is {told}"
            raise SourceError(msg)
        for name in self.columns:
            try:
                name.encode()
            except UnicodeEncodeError as exc:
                msg = f"the name of a property is not UTF-8: {name!r}"
                raise SourceError(msg) from exc

    @property
    def geometry_type(self) -> str:
        """The only type that occurs, or Unknown."""
        kinds = self.kinds - {0}
        if len(kinds) != 1 or -1 in kinds:
            return "Unknown"
        (kind,) = kinds
        name = next(n for n, k in geojson_geometry.KINDS.items() if k == kind)
        return name + (" Z" if self.has_z else "")

    def notes(self) -> list[str]:
        """Notes for users of the dataset."""
        found = [
            f"column {name!r} has texts and values of other kinds, which are staged as JSON text"
            for name, column in self.columns.items()
            if column.texts and str in column.kinds
        ]
        left = [name for name in self.others if name not in _MEMBERS]
        if left:
            found.append(f"members of features that are not staged: {', '.join(left[:_NAMED])}")
        return found


def _is_feature(element: Any, sequence: bool) -> bool:
    if not isinstance(element, dict):
        return False
    if element.get("type") == "Feature":
        # A feature that lacks a member may only lack it: another may be that member, misspelt.
        whole = element.keys() >= {"geometry", "properties"} or element.keys() <= _MEMBERS
        return whole and isinstance(element.get("properties"), dict | None)
    return sequence and geojson_geometry.kind_of(element) > 0


class _Rows:
    """The second pass: features as record batches.

    Attributes:
        schema: columns as staged.
        geometry: name of the geometry column.
        defects: values that are not staged.
        lost: rows whose geometry is not staged.

    """

    def __init__(self, survey: _Survey) -> None:
        self.defects = Defects()
        self.lost: list[int] = []
        self._judge = survey.judge
        self._names = list(survey.columns)
        kinds = [survey.columns[n].kind for n in self._names]
        self._id: pa.DataType | None = None
        staged = list(self._names)
        if survey.ids.kinds and survey.ids_differ:
            self._id = survey.ids.kind
            staged = [free_name("id", staged), *staged]
            kinds = [self._id, *kinds]
        self._staged = distinct_names(staged)
        self.geometry = free_name("geometry", self._staged)
        fields = [pa.field(n, k) for n, k in zip(self._staged, kinds, strict=True)]
        self.schema = pa.schema([*fields, pa.field(self.geometry, pa.binary())])

    def batch(self, features: list[Feature], first: int) -> pa.RecordBatch:
        """Features as rows; ``first`` is the number of the first."""
        properties = [f.get("properties") or {} for f in features]
        columns = [[p.get(name) for p in properties] for name in self._names]
        if self._id is not None:
            columns.insert(0, [f.get("id") for f in features])
        arrays = [
            array(values, column.type, first, column.name, self.defects)
            for values, column in zip(columns, self.schema, strict=False)
        ]
        arrays.append(self._geometries(features, first))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _geometries(self, features: list[Feature], first: int) -> pa.Array:
        values = [f.get("geometry") for f in features]
        found = geojson_geometry.read(values)
        for row, reason in sorted(found.reasons.items()):
            shown = exact_json(values[row], default=str)
            self.defects.add([first + row], self.geometry, [shown], reason)
            self.lost.append(first + row)
        conformance.geometries(self._judge, features, found.wkb, found.reasons.values())
        return found.wkb.cast(pa.binary())


def _declared(members: dict[str, Any]) -> Bounds | None:
    """The bbox of the collection, unless it crosses the antimeridian."""
    box = conformance.declared_box(members.get("bbox"))
    return None if box is None or box[0] > box[2] else box


def _crs(members: dict[str, Any], has_z: bool, notes: list[str]) -> str | None:
    """WKT2 of the CRS: WGS 84 unless the text declares another; None for one that is unknown."""
    wgs84 = "EPSG:4979" if has_z else "EPSG:4326"
    if "crs" not in members:
        return str(pyproj.CRS.from_user_input(wgs84).to_wkt())
    declared = members["crs"]
    properties = declared.get("properties") if isinstance(declared, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(name, str) and name:
        if re.search(r"[:/]CRS84h?$", name):
            name = wgs84
        try:
            return str(pyproj.CRS.from_user_input(name).to_wkt())
        except CRSError:
            pass
    notes.append(f"declares the CRS {exact_json(declared, default=str)[:200]}, which is unknown")
    return None
