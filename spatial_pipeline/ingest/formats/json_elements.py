"""Decodes the elements of a JSON text strictly: no member twice, numbers exact, UTF-8 only.

Where elements begin and end belongs to ``geojson_text``.

Source: RFC 8259.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from spatial_pipeline.errors import SourceError
from spatial_pipeline.runtime.json_text import exact_json

_MAX_DIGITS = 1000
"""Digits of the longest whole number that is told from another."""
_LONG = re.compile(rb"[0-9]{19}")
_EXACT = float(1 << 63)
SHOWN = 60
"""Characters of a damaged text that an error shows."""


@dataclass(frozen=True)
class TooLarge:
    """A number that no double holds, as the text writes it."""

    text: str


def decoded_quickly(text: bytes, keys: int) -> list[Any] | None:
    """The elements of an array that has so many keys; None where they need a closer look."""
    try:
        values: list[Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if _keys(values) != keys and _all_keys(values) != keys:
        return None
    return None if _suspicious(values, text) else values


def _keys(values: list[Any]) -> int:
    """Members of features, their geometries and properties."""
    try:
        geometries = [g for v in values if (g := v.get("geometry")) is not None]
        properties = [p for v in values if (p := v.get("properties")) is not None]
        return sum(map(len, values)) + sum(map(len, geometries)) + sum(map(len, properties))
    except (AttributeError, TypeError):
        return -1


def _all_keys(value: Any) -> int:
    """Members of all objects in a value, but for those in coordinates, where none may be."""
    count, waiting = 0, [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            count += len(found)
            waiting.extend(v for k, v in found.items() if k != "coordinates")
        elif isinstance(found, list):
            waiting.extend(v for v in found if isinstance(v, dict | list))
    return count


def _suspicious(values: list[Any], text: bytes) -> bool:
    """Whether a whole number may have become a double, as happens beyond 64 bits."""
    objects = [v for v in values if isinstance(v, dict)]
    properties = [p for v in objects if isinstance(p := v.get("properties"), dict)]
    cells = itertools.chain.from_iterable(map(dict.values, properties))
    found = [*cells, *(v["id"] for v in objects if "id" in v)]
    kinds = set(map(type, found))
    odd = list in kinds or dict in kinds
    if float in kinds and not odd:
        numbers = [v for v in found if type(v) is float]
        odd = max(numbers) >= _EXACT or min(numbers) <= -_EXACT
    return odd and _LONG.search(text) is not None


def decoded_slowly(text: bytes, first: int, constants: set[str] | None = None) -> list[Any]:
    """The elements by the reader of the standard library, which knows more and says why.

    It takes NaN and Infinity, which many programs write, and bytes that are not UTF-8 as lone
    surrogates.

    Args:
        text: an array.
        first: number of its first element.
        constants: takes the names of numbers that JSON does not have.

    """

    def constant(name: str) -> float:
        if constants is not None:
            constants.add(name)
        return float(name)

    try:
        values: list[Any] = json.loads(
            text.decode("utf-8", "surrogateescape"),
            object_pairs_hook=without_repeats,
            parse_float=exact_real,
            parse_int=_whole,
            parse_constant=constant,
        )
    except json.JSONDecodeError as exc:
        shown = exc.doc[max(0, exc.pos - SHOWN // 2) : exc.pos + SHOWN // 2]
        behind = f" behind feature {first}" if first else ""
        msg = f"not well-formed JSON{behind}: {exc.msg} at {shown!r}"
        raise SourceError(msg) from exc
    except RecursionError as exc:
        msg = "the JSON text is nested too deeply"
        raise SourceError(msg) from exc
    return values


def refuse_unencodable(values: list[Any], first: int) -> None:
    """Refuses lone surrogates and numbers too large outside of cells, where columns name them."""
    for i, value in enumerate(values):
        rest = value
        if isinstance(value, dict):
            rest = dict(value)
            if isinstance(properties := value.get("properties"), dict):
                rest["properties"] = list(properties)
            if isinstance(geometry := value.get("geometry"), dict):
                rest["geometry"] = {k: v for k, v in geometry.items() if k != "coordinates"}
        try:
            exact_json(rest).encode()
        except UnicodeEncodeError as exc:
            msg = f"feature {first + i} is not UTF-8: {ascii(value)[:200]}"
            raise SourceError(msg) from exc
        except TypeError as exc:
            msg = f"feature {first + i} holds a number that is too large: {ascii(value)[:200]}"
            raise SourceError(msg) from exc


def without_repeats(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object, for ``object_pairs_hook``.

    Raises:
        SourceError: a member stands there twice.

    """
    given = list(pairs)
    found = dict(given)
    if len(found) < len(given):
        ((key, _),) = Counter(k for k, _ in given).most_common(1)
        msg = f"an object names the member {key!r} twice: {exact_json(given, default=str)[:200]}"
        raise SourceError(msg)
    return found


def exact_real(text: str) -> float | TooLarge:
    """A number with a fraction or an exponent, for ``parse_float``."""
    value = float(text)
    return TooLarge(text) if math.isinf(value) else value


def _whole(text: str) -> int | TooLarge:
    return TooLarge(text) if len(text) > _MAX_DIGITS else int(text)
