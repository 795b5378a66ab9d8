"""Values of text formats that GDAL changes without a word.

Days that do not exist become others (30 February is 1 March), seconds lose what is finer than
milliseconds, whole numbers are rounded to doubles or clipped to 32 bits, and texts in columns of
numbers become 0. The text of the file is searched for such values under the names of those columns
whose type could hold them; columns of texts cannot lose anything.

A source with one of them is refused: the text does not tell in which row GDAL put it.
"""

from __future__ import annotations

import codecs
import datetime as dt
import json
import mmap
import re
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.layer import Layer

SHOWN = 60
"""Characters of a text that an error shows."""
_ELEMENTS = {"timestamp": "when"}
"""KML's element of a column that GDAL calls otherwise."""
_DAYS = rb"\d{4}[-/]?\d\d[-/]?(?:29|3\d)(?:[^\d<\"][^<\"]*+|\d*+)|\d{4}[-/][^<\"]*?\.\d{4}[^<\"]*+"
_LONG = rb"[+-]?\d{10,}"
_MOMENT = re.compile(rb"(\d{4})[-/]?(\d\d)[-/]?(\d\d)(?:.*\.(\d+))?")
_NUMBER = re.compile(rb"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*|\s*(?:nan|[+-]?inf\w*)?\s*")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_NEAR = 1 << 20
"""Bytes before a value in which the element of its feature is looked for."""
_BROKEN_POSITION = re.compile(
    rb"(?im)^[ \t]*(?:(?:point|line|rect|roundrect|ellipse|arc|center)[ \t]+)?"
    rb"[-+]?[\d.][-+\d.e \t]*,[^\n\"()]*$"
)
_ESRI_TEXT = re.compile(
    rb"\"geometry\"\s*:\s*\{[^{}]*?\"[xyzm]\"\s*:\s*\"([^\"]*)\""
    rb"|\"(?:rings|paths|points)\"\s*:\s*\[[^{}\"]*\"([^\"]*)\""
)
_Reason = Callable[[bytes], str | None]


def in_xml(file: Path, layer: Layer) -> None:
    """Looks at the elements of an XML text that are named like columns, or have their name.

    Args:
        file: the text; in another encoding than a superset of ASCII nothing is found.
        layer: the layer as GDAL describes it.

    Raises:
        SourceError: a value would be changed.

    """
    looks = []
    for column in layer.attributes:
        tag = re.escape(_ELEMENTS.get(column.name, column.name).encode())
        named = re.escape(column.name.encode())
        start = rb"<(?:(?:[\w.-]+:)?" + tag + rb"(?:\s[^<>]*)?|[^<>]*\b(?:name|attributeValue)"
        start += rb"\s*=\s*[\"']" + named + rb"[\"'][^<>]*)>"
        looks += [
            (column.name, start + rb"\s*(" + value + rb")\s*<", reason)
            for value, reason in _looks(column.type)
        ]
    _search(file, looks, (layer.name or " ").encode())


def in_json(file: Path, layer: Layer) -> None:
    """Looks at the members of a JSON text that are named like columns.

    Args:
        file: the text, as TopoJSON or ESRI JSON.
        layer: the layer as GDAL describes it.

    Raises:
        SourceError: a value, or a coordinate of ESRI JSON, would be changed.

    """
    looks = []
    for column in layer.attributes:
        member = rb"\"" + re.escape(column.name.encode()) + rb"\"\s*:\s*"
        looks += [
            (column.name, member + rb"\"?(" + value + rb")\s*[\",}]", reason)
            for value, reason in _looks(column.type)
        ]
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            looks.append((column.name, member + rb"\"([^\"]*)\"", _no_number))
    _search(file, looks, b"")
    layer.declared_count = _elements(file, layer)
    if layer.driver == "ESRIJSON":
        _positions(file, _ESRI_TEXT)


def _elements(file: Path, layer: Layer) -> int | None:
    """Elements that a JSON text lists as features of a layer, whatever they are.

    Raises:
        SourceError: it is no JSON.

    """
    try:
        text = json.loads(file.read_bytes())
        listed = text.get("features")
        if layer.driver == "TopoJSON":
            listed = text["objects"][layer.name].get("geometries")
    except (ValueError, RecursionError) as exc:
        msg = f"not well-formed JSON: {exc}"
        raise SourceError(msg) from exc
    except (AttributeError, KeyError, TypeError):
        # Geometries outside of a collection are in a layer that GDAL names.
        return layer.declared_count
    return len(listed) if isinstance(listed, list) else layer.declared_count


def in_mif(mif: Path, layer: Layer) -> None:
    """Looks at the positions of a .mif file, and at the columns of the .mid file beside it.

    Raises:
        SourceError: a value would be changed, or the .mid file is no table.

    """
    _positions(mif, _BROKEN_POSITION)
    mid = next((p for p in mif.parent.iterdir() if _is_mid(p, mif)), None)
    if mid is None or not mid.stat().st_size or not layer.attributes:
        return
    names = [c.name for c in layer.attributes]
    with mid.open("rb") as stream:
        if stream.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
            msg = "the .mid file begins with a byte order mark, which would be a part of a value"
            raise SourceError(msg)
    stated = re.search(rb'(?im)^\s*delimiter\s+"(.)"', mif.read_bytes()[: 1 << 16])
    delimiter = stated[1].decode("latin-1") if stated else "\t"
    try:
        table = pacsv.read_csv(
            mid,
            pacsv.ReadOptions(column_names=names),
            pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary())),
        )
    except pa.ArrowInvalid as exc:
        msg = f"the .mid file is not a table of {len(names)} columns: {exc}"
        raise SourceError(msg) from exc
    if layer.declared_count not in (None, table.num_rows):
        msg = f"the .mid file has {layer.declared_count} lines and {table.num_rows} records: quotes"
        raise SourceError(f"{msg} do not pair up")
    for column, texts in zip(layer.attributes, table.columns, strict=True):
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            none = pc.invert(pc.match_substring_regex(texts, f"^(?:{_NUMBER.pattern.decode()})$"))
            _refuse(column.name, texts.filter(none).to_pylist(), _no_number)
        for value, reason in _looks(column.type):
            form = rb"^\s*(?:" + value + rb")\s*$"
            some = texts.filter(pc.match_substring_regex(texts, _re2(form)))
            _refuse(column.name, some.to_pylist(), reason)


def _is_mid(path: Path, mif: Path) -> bool:
    same = path.stem.casefold() == mif.stem.casefold()
    return same and path.suffix.casefold() == ".mid"


def _re2(form: bytes) -> str:
    """A pattern without possessive quantifiers, which RE2 has not and does not need."""
    return form.decode().replace("*+", "*").replace("?+", "?")


def _search(file: Path, looks: Iterable[tuple[str, bytes, _Reason]], feature: bytes) -> None:
    """Searches a text for values of columns.

    Args:
        file: the text.
        looks: column, pattern whose first group is a value, and what tells whether it is changed.
        feature: element of the features, so that other layers do not matter; empty for any.

    """
    if not file.stat().st_size:
        return
    with (
        file.open("rb") as opened,
        closing(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)) as data,
    ):
        for name, pattern, reason in looks:
            wrong = [(m.start(), m[1]) for m in re.finditer(pattern, data) if reason(m[1])]
            if wrong and feature:
                comments = [m.span() for m in _COMMENT.finditer(data)]
                wrong = [
                    (at, text)
                    for at, text in wrong
                    if not any(a < at < b for a, b in comments) and _inside(data, at, feature)
                ]
            _refuse(name, [text for _, text in wrong], reason)


def _inside(data: mmap.mmap, at: int, feature: bytes) -> bool:
    """Whether a place is in an element of a name, as far as elements of it are near."""
    tag = re.compile(rb"<(/?)(?:[\w.-]+:)?" + re.escape(feature) + rb"[\s>/]")
    tags = list(tag.finditer(data, max(0, at - _NEAR), at))
    return not tags or not tags[-1][1]


def _looks(kind: pa.DataType) -> list[tuple[bytes, _Reason]]:
    """Forms of values that a column of this type may change, and what tells whether it does."""
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return [(_DAYS, _no_moment)]
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return [(_LONG, lambda text: _not_held(text, kind))]
    return []


def _no_moment(text: bytes) -> str | None:
    found = _MOMENT.match(text)
    if found is None:
        return None
    try:
        dt.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return "is a day that does not exist"
    fine = (found[4] or b"")[3:].strip(b"0")
    return "is finer than milliseconds" if fine else None


def _not_held(text: bytes, kind: pa.DataType) -> str | None:
    value = int(text)
    if pa.types.is_floating(kind):
        exact = len(text) < 300 and int(float(value)) == value
        return None if exact else "is not exact as a floating-point number"
    bits = kind.bit_width - 1
    return None if -(1 << bits) <= value < 1 << bits else f"does not fit {kind.bit_width} bits"


def _no_number(text: bytes) -> str | None:
    return None if _NUMBER.fullmatch(text) else "is not a number"


def _refuse(name: str, texts: Iterable[bytes], reason: _Reason) -> None:
    wrong = [(text, why) for text in texts if (why := reason(text.strip()))]
    if wrong:
        msg = f"column {name!r}: {_shown(wrong[0][0])} {wrong[0][1]}"
        raise SourceError(msg + (f"; {len(wrong)} such values" if len(wrong) > 1 else ""))


def _positions(file: Path, form: re.Pattern[bytes]) -> None:
    wrong = [next(filter(None, m.groups()), m[0]) for m in form.finditer(file.read_bytes())]
    if wrong:
        msg = f"{len(wrong)} positions hold text that is not a number, the first {_shown(wrong[0])}"
        raise SourceError(msg)


def _shown(text: bytes) -> str:
    shown = " ".join(text.decode("utf-8", "replace").split())
    return repr(shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…")
