"""Pydantic's errors in plain words; of a union only the branch that was meant."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.spelling import closest, one_of, quoted, shown
from spatial_pipeline.contract.yaml_positions import Location

BOOLEAN = "true or false"
EXPECTED: tuple[tuple[str, str], ...] = (
    ("string_", "text"),
    ("int_", "a whole number"),
    ("float_", "a number"),
    ("bool_", BOOLEAN),
    ("datetime_", "a date and time (YYYY-MM-DDTHH:MM:SS)"),
    ("date_", "a date (YYYY-MM-DD)"),
    ("tuple_", "a list"),
    ("list_", "a list"),
    ("dict_", "a mapping (key: value)"),
    ("model_", "a mapping (key: value)"),
)
"""Beginning of a pydantic error type → what it wanted."""
SHAPES = re.compile(r"(_type|_parsing|_from_float|_from_datetime_inexact)$")
BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
MANY = 8
"""Words from which on a close one is shown instead of all."""


@dataclass(frozen=True)
class Repair:
    """Change to a refused value that allows validation to continue.

    Attributes:
        location: place of the key.
        key: right spelling of the key, None to keep it.
        value: right spelling of the value, None to keep it.
        drop: take the key away.

    """

    location: Location
    key: str | None = None
    value: str | None = None
    drop: bool = False


@dataclass(frozen=True)
class FieldProblem:
    """One thing that is wrong.

    Attributes:
        location: place of the key or value in what was judged.
        text: description of the mistake, after the place.
        on_key: the key is wrong, not its value.
        repair: how to go on.
        missing: the key that is missing at the location, None when none is.

    """

    location: Location
    text: str
    on_key: bool = False
    repair: Repair | None = None
    missing: str | None = None

    @property
    def subject(self) -> str:
        """``source.uri: ``: what the text is about, nothing for the whole."""
        unknown = self.on_key and self.repair is not None
        return dotted(self.location[:-1] if unknown else self.location)


def told(errors: list[ErrorDetails], value: Any, model: type[BaseModel]) -> Iterator[FieldProblem]:
    """Errors of a model in plain words.

    Args:
        errors: errors of pydantic.
        value: the value that was judged.
        model: the model that refused it.

    """
    branches: dict[Location, dict[str, list[ErrorDetails]]] = defaultdict(lambda: defaultdict(list))
    for error in errors:
        place = error["loc"]
        union = len(navigable(place, value))
        whole = union == len(place)
        absent = union == len(place) - 1 and error["type"] == "missing"
        if whole or absent or place[-1] == "[key]":
            if not _consequence(error):
                yield _plain(error, value, model)
        else:
            tag = str(place[union])
            stripped = error.copy()
            stripped["loc"] = (*place[:union], *place[union + 1 :])
            branches[place[:union]][tag].append(stripped)
    for place, by_tag in branches.items():
        yield from _branch(place, by_tag, value, model)


def _consequence(error: ErrorDetails) -> bool:
    """True for a list that is too short only because its values are wrong."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _branch(
    place: Location, by_tag: dict[str, list[ErrorDetails]], value: Any, model: type[BaseModel]
) -> Iterator[FieldProblem]:
    """The problems of the branch of a union that was meant."""
    given = at(value, place)

    def misshapen(errors: list[ErrorDetails]) -> bool:
        wordless = not isinstance(given, str)
        return any(
            e["loc"] == place
            and (SHAPES.search(e["type"]) or (wordless and e["type"] == "literal_error"))
            for e in errors
        )

    fitting = {tag: errors for tag, errors in by_tag.items() if not misshapen(errors)}
    if not fitting:
        phrases = [_phrase(e) for errors in by_tag.values() for e in errors if e["loc"] == place]
        if "a number" in phrases:
            phrases = [p for p in phrases if p != "a whole number"]
        wanted = one_of(list(dict.fromkeys(phrases)))
        yield FieldProblem(place, f"expected {wanted}, got {shown(given)}")
        return
    models = {tag: m for tag in fitting if (m := _models().get(tag)) is not None}
    if len(models) < 2 or not isinstance(given, dict):
        tag = min(fitting, key=lambda t: len(fitting[t]))
        yield from told(fitting[tag], value, model)
        return
    required = {tag: _required(m) for tag, m in models.items()}
    complete = [tag for tag, keys in required.items() if keys and keys <= given.keys()]
    if len(complete) > 1:
        keys = quoted(sorted({k for t in complete for k in required[t]}))
        yield FieldProblem(place, f"give {keys}, not both", on_key=True)
        return
    likeness = {
        tag: sum(closest(k, _keys(m)).word is not None for k in given)
        + len(given) * (tag in complete)
        for tag, m in models.items()
    }
    best = max(likeness, key=lambda t: likeness[t])
    if likeness[best]:
        yield from told(fitting[best], value, model)
    else:
        keys = quoted(k for r in required.values() for k in sorted(r))
        extra = "" if not given else f", not {quoted(map(str, given))}"
        yield FieldProblem(place, f"give {keys}{extra}", on_key=True)


def _plain(error: ErrorDetails, value: Any, model: type[BaseModel]) -> FieldProblem:
    """One error in plain words."""
    kind, place = error["type"], error["loc"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "missing":
        parent = at(value, place[:-1])
        if isinstance(parent, list):
            return FieldProblem(place[:-1], f"the list is too short: {len(parent)} values")
        key = str(place[-1])
        return FieldProblem(place[:-1], f"missing key {key!r}", on_key=True, missing=key)
    if kind in {"extra_forbidden", "invalid_key"}:
        return _unknown_key(place, value, model)
    if place and place[-1] == "[key]":
        text = f"expected text as key, got {shown(place[-2])}: quote it"
        return FieldProblem(place[:-1], text, on_key=True)
    given = error["input"]
    if kind in {"literal_error", "enum"}:
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = closest(given, words) if isinstance(given, str) else closest("", ())
        many = len(words) >= MANY and near.word is not None
        text = (
            f"unknown word {shown(given)}"
            if many
            else f"expected {quoted(words)}, got {shown(given)}"
        )
        text += near.hint
        repair = None if near.word is None else Repair(place, value=near.word)
        return FieldProblem(place, text, repair=repair)
    if kind in BOUNDS:
        words_, name = BOUNDS[kind]
        return FieldProblem(place, f"expected {words_} {context[name]:g}, got {shown(given)}")
    if SHAPES.search(kind):
        return FieldProblem(place, _expected(error))
    return FieldProblem(place, _other(kind, given, context, error))


def _other(kind: str, given: Any, context: Mapping[str, Any], error: ErrorDetails) -> str:
    if kind in {"too_short", "string_too_short"}:
        what = "values" if kind == "too_short" else "characters"
        if context["min_length"] == 1:
            return "must not be empty"
        return f"needs at least {context['min_length']} {what}"
    if kind in {"too_long", "string_too_long"}:
        what = "values" if kind == "too_long" else "characters"
        length = context.get("actual_length") or len(given)
        return f"takes at most {context['max_length']} {what}, got {length}"
    if kind == "string_pattern_mismatch":
        letters = "letters, digits and underscores"
        rule = {
            "^[A-Za-z0-9_]+$": f"{letters} only",
            "^[A-Za-z_][A-Za-z0-9_]*$": f"{letters} only, no digit first",
        }.get(context["pattern"], f"must match {context['pattern']}")
        plain = re.sub(r"\W", "_", given, flags=re.ASCII)
        usable = plain != given and plain.strip("_") and re.fullmatch(context["pattern"], plain)
        return f"{rule}, got {shown(given)}" + (f": write {plain}" if usable else "")
    if kind == "value_error":
        return str(context["error"])
    if kind == "finite_number":
        return f"expected a finite number, got {shown(given)}"
    message = error["msg"]
    return f"{message[:1].lower()}{message[1:]}, got {shown(given)}"


def _unknown_key(place: Location, value: Any, model: type[BaseModel]) -> FieldProblem:
    key = place[-1]
    known = _keysat(model, place[:-1], value)
    near = closest(key, known)
    given = at(value, place[:-1])
    if near.word is not None and near.word in given:
        hint = f"; {near.word!r} is there already"
    elif near.word is not None:
        hint = near.hint
    else:
        hint = f"; known: {', '.join(sorted(known))}" if known else ""
    usable = near.word is not None and near.word not in given
    repair = Repair(place, key=near.word) if usable else Repair(place, drop=True)
    return FieldProblem(place, f"unknown key {str(key)!r}{hint}", on_key=True, repair=repair)


def _expected(error: ErrorDetails) -> str:
    """Expected and actual value of an error."""
    wanted, given = _phrase(error), error["input"]
    text = f"expected {wanted}, got {shown(given)}"
    if wanted == "text" and given is not None and not isinstance(given, (list, dict)):
        text += ": quote it"
    if wanted == "a list" and isinstance(given, str):
        text += f": write [{given}]"
    return text


def _phrase(error: ErrorDetails) -> str:
    """Expected value of an error."""
    if error["type"] == "literal_error":
        return str(error.get("ctx", {}).get("expected"))
    name = error.get("ctx", {}).get("class_name")
    found = _models().get(str(name))
    if error["type"].startswith("model_") and found is not None and _required(found):
        keys = ", ".join(f"{k}: …" for k in sorted(_required(found)))
        return f"a mapping {{{keys}}}"
    return _word(error["type"])


def _word(kind: str) -> str:
    return next((phrase for start, phrase in EXPECTED if kind.startswith(start)), kind)


def navigable(place: Location, value: Any) -> Location:
    """The longest beginning of a location that exists in a value."""
    for i, step in enumerate(place):
        inside = step in value if isinstance(value, dict) else False
        if isinstance(value, (list, tuple)) and isinstance(step, int):
            inside = 0 <= step < len(value)
        if not inside:
            return place[:i]
        value = value[step]
    return place


def at(value: Any, place: Location) -> Any:
    """The value at a location."""
    for step in place:
        value = value[step]
    return value


def _models() -> dict[str, type[BaseModel]]:
    """All models of contracts by class name."""
    found: dict[str, type[BaseModel]] = {}
    pending: list[type[BaseModel]] = [ContractModel]
    while pending:
        for child in pending.pop().__subclasses__():
            found[child.__name__] = child
            pending.append(child)
    return found


def _keys(model: type[BaseModel]) -> set[str]:
    return {f.alias or name for name, f in model.model_fields.items()}


def _required(model: type[BaseModel]) -> set[str]:
    return {f.alias or name for name, f in model.model_fields.items() if f.is_required()}


def _keysat(model: type[BaseModel], place: Location, value: Any) -> set[str]:
    """Keys that the mapping at a place may have; of a union those of the likeliest branch."""
    models = [model]
    named = False
    for depth, step in enumerate(place):
        if isinstance(step, int) or named:
            # An item of a list, or of a mapping with any keys.
            named = False
            continue
        annotations = [
            f.annotation
            for m in models
            for name, f in m.model_fields.items()
            if (f.alias or name) == step
        ]
        models = [m for a in annotations for m in _nested(a)]
        named = any(get_origin(a) is dict for a in annotations)
        given = at(value, place[: depth + 1])
        if len(models) > 1 and isinstance(given, dict):
            models = [max(models, key=lambda m: _likeness(m, given))]
    return set().union(*(_keys(m) for m in models)) if models else set()


def _likeness(model: type[BaseModel], given: Mapping[str, Any]) -> int:
    complete = _required(model) <= given.keys()
    return sum(closest(k, _keys(model)).word is not None for k in given) + len(given) * complete


def _nested(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _nested(argument)


def dotted(location: Location) -> str:
    """``source.uri: ``, or nothing for the whole."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return f"{text}: " if text else ""
