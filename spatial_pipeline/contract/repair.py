"""Collects all mistakes of a value that a model refuses, in plain words.

Pydantic stops early in three places: validators of a whole model run only when every field is
right, a misspelt key hides the mistake in its value, and a union answers for every branch. So a
refused value is repaired where the intention is clear (a key or word one typo away) and judged
again, until nothing new comes up.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from spatial_pipeline.contract.messages import BOOLEAN, FieldProblem, Repair, at, navigable, told
from spatial_pipeline.contract.spelling import shown
from spatial_pipeline.contract.yaml_positions import Location

ROUNDS = 10


def problems(
    model: type[BaseModel], value: Mapping[str, Any], droppable: Collection[str] = ()
) -> list[FieldProblem]:
    """Everything that is wrong with a value for a model; empty means that it is right.

    Args:
        model: the model.
        value: plain values from YAML.
        droppable: keys that can be left out for judging the rest when their value is wrong.

    """
    found: dict[tuple[Location, str], FieldProblem] = {}
    written: dict[Location, Location] = {}
    judged = copy.deepcopy(dict(value))
    for _ in range(ROUNDS):
        refused = list(_refused(model, judged))
        places = {p.location for p in refused}
        flags = [p for p in _flags(model, judged) if p.location not in places]
        supplied = {
            (*p.repair.location[:-1], p.repair.key) for p in refused if p.repair is not None
        }
        fresh = [
            p
            for p in (*refused, *flags)
            if (_original(p.location, written), p.text) not in found
            and (p.missing is None or (*p.location, p.missing) not in supplied)
        ]
        for problem in fresh:
            place = _original(problem.location, written)
            found.setdefault((place, problem.text), replace(problem, location=place))
        repairs = [p.repair for p in fresh if p.repair is not None]
        repairs += [
            Repair(p.location[:1], drop=True)
            for p in fresh
            if p.repair is None and p.location and p.location[0] in droppable
        ]
        if not repairs:
            break
        for repair in repairs:
            _apply(repair, judged, written)
    return list(found.values())


def _refused(model: type[BaseModel], value: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Problems that pydantic reports."""
    try:
        model.model_validate(value)
    except ValidationError as exc:
        yield from told(exc.errors(include_url=False), value, model)


class _Flag:
    """Stands for true and false, which pydantic would take for the numbers 1 and 0."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def __str__(self) -> str:
        return shown(self.value)


def _flags(model: type[BaseModel], value: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """True and false where a number is wanted."""
    flagged = _with_flags(value)
    try:
        model.model_validate(flagged)
    except ValidationError as exc:
        for problem in told(exc.errors(include_url=False), flagged, model):
            flag = isinstance(at(flagged, problem.location), _Flag)
            if flag and not problem.on_key and BOOLEAN not in problem.text:
                yield problem


def _with_flags(value: Any) -> Any:
    if isinstance(value, bool):
        return _Flag(value)
    if isinstance(value, dict):
        return {k: _with_flags(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_flags(v) for v in value]
    return value


def _apply(repair: Repair, judged: dict[str, Any], written: dict[Location, Location]) -> None:
    if len(navigable(repair.location, judged)) < len(repair.location):
        return
    parent: Any = at(judged, repair.location[:-1])
    last = repair.location[-1]
    if repair.value is not None:
        parent[last] = repair.value
    elif isinstance(parent, dict) and repair.key is not None:
        parent[repair.key] = parent.pop(last)
        written[(*repair.location[:-1], repair.key)] = repair.location
    elif isinstance(parent, dict) and repair.drop:
        del parent[last]


def _original(location: Location, written: Mapping[Location, Location]) -> Location:
    """The location as the person wrote it, before keys were spelt right."""
    for length in range(len(location), 0, -1):
        if location[:length] in written:
            before = _original(written[location[:length]], written)
            return (*before, *location[length:])
    return location
