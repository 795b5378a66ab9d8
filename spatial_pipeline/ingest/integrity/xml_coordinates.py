"""Coordinates of XML formats that are no numbers: GDAL reads what leads a text, or 0.

Looks at the text of the elements and attributes that hold coordinates: GML and JML (``pos``,
``posList``, ``coordinates``, ``X``, ``Y``, ``Z``), KML (``coordinates``), GPX (``lat``, ``lon``,
``ele``), GeoRSS and MapML.

Attributes of features may have such names too: elements of GML count in its namespace only.

Sources: OGC 07-036 (GML 3.2.1, 10.1.4), OGC 12-007r2 (KML 2.3, 16.10), GPX 1.1, GeoRSS 1.1.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from spatial_pipeline.errors import SourceError

SHOWN = 60
"""Characters of a text that an error shows."""
_NUMBER = rb"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?"
_LISTED = rb"\s*+(?:" + _NUMBER + rb"(?:\s++|(?=<)|\Z))*+"
"""Numbers with white space between them."""
_TUPLES = rb"[\s,]*+(?:" + _NUMBER + rb"(?:[\s,]++|(?=<)|\Z))*+"
"""Numbers with white space or commas between them."""
_ONE = rb"\s*+" + _NUMBER + rb"\s*+"


def _element(names: bytes, good: bytes) -> re.Pattern[bytes]:
    """Elements without elements in them whose text is not good: one pass over a text finds them."""
    return re.compile(rb"<(?:" + names + rb")((?:\s[^>]*+)?)>(?!" + good + rb"<)([^<]*+)<")


_KML = ((_element(rb"(?:kml:)?coordinates", _TUPLES), _TUPLES),)
_RSS = ((_element(rb"georss:(?:point|line|polygon|box)|geo:lat|geo:long", _LISTED), _LISTED),)
_MAPML = ((_element(rb"(?:map-)?coordinates", _LISTED), _LISTED),)
_HEIGHT = rb"\s*+(?:" + _NUMBER + rb"\s*+)?+"
_GPX = (
    (re.compile(rb"(\s(?:lat|lon)\s*=\s*)[\"'](?!" + _ONE + rb"[\"'])([^\"'<]*+)"), _ONE),
    (_element(rb"ele", _HEIGHT), _HEIGHT),
)
_FORMS = {"KML": _KML, "LIBKML": _KML, "GPX": _GPX, "GeoRSS": _RSS, "MapML": _MAPML}
_WITH_GML = frozenset({"GML", "JML", "LVBAG", "GeoRSS"})
_NAMESPACE = re.compile(rb"xmlns(?::([\w.-]+))?\s*=\s*[\"']http://www\.opengis\.net/gml")
HEAD = 1 << 16
"""Bytes in which the namespaces of a text are declared."""
_SEPARATORS = re.compile(rb"\b(decimal|cs|ts)\s*=")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


def verify(file: Path, driver: str) -> None:
    """Looks at all coordinates of a text.

    Args:
        file: the text; in another encoding than a superset of ASCII nothing is found.
        driver: GDAL driver short name.

    Raises:
        SourceError: a coordinate is no number.

    """
    if not file.stat().st_size:
        return
    with (
        file.open("rb") as opened,
        closing(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)) as data,
    ):
        forms = [*_FORMS.get(driver, ()), *(_gml(data) if driver in _WITH_GML else ())]
        wrong = [w for form, good in forms for w in _wrong(data, form, good)]
        if wrong:
            comments = [m.span() for m in _COMMENT.finditer(data)]
            wrong = [w for w in wrong if not any(a < w[0] < b for a, b in comments)]
    if wrong:
        text = " ".join(wrong[0][1].decode("utf-8", "replace").split())
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        msg = f"{len(wrong)} positions hold text that is not a number, the first {shown!r}"
        raise SourceError(msg)


def _gml(data: mmap.mmap) -> Iterator[tuple[re.Pattern[bytes], bytes]]:
    """Elements of GML under the prefixes that its namespace has in a text."""
    found = {m[1] or b"" for m in _NAMESPACE.finditer(data, 0, HEAD)}
    prefix = rb"(?:" + rb"|".join(re.escape(p + b":" if p else p) for p in sorted(found)) + rb")"
    if found:
        yield _element(prefix + rb"(?:pos|posList)", _LISTED), _LISTED
        yield _element(prefix + rb"coordinates", _TUPLES), _TUPLES
        yield _element(prefix + rb"[XYZ]", _ONE), _ONE


def _wrong(data: mmap.mmap, form: re.Pattern[bytes], good: bytes) -> Iterator[tuple[int, bytes]]:
    """Offsets of texts that are no numbers, each with its text from the first wrong one on."""
    for match in form.finditer(data):
        # Other separators than those of the standard are for GDAL to know.
        if not _SEPARATORS.search(match[1]):
            leading = re.match(good, match[2])
            yield match.start(), match[2] if leading is None else match[2][leading.end() :]
