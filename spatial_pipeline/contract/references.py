"""Checks across all contracts of a project: unique names, resolved references, no cycles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_pipeline.contract.errors import AttributePlace, Mistake
from spatial_pipeline.contract.models import MODELS
from spatial_pipeline.contract.rules import CATALOGUE, rule_id
from spatial_pipeline.contract.specification import used_rules
from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.contract.yaml_positions import Location


@dataclass(frozen=True)
class Reference:
    """A rule's or schedule's mention of another dataset.

    Attributes:
        location: place of the name in the document.
        dataset: name of the other dataset.
        kind: kind of data that the rule needs there, None when the rule is unknown.
        label: name of the rule.

    """

    location: Location
    dataset: str
    kind: Kind | None
    label: str


@dataclass(frozen=True)
class Declared:
    """A dataset as a file declares it, right or wrong in other respects.

    Attributes:
        name: its name.
        kind: its kind, None when the type is unknown.
        references: other datasets that its rules and its schedule mention.
        place: where it stands.

    """

    name: str
    kind: Kind | None
    references: tuple[Reference, ...]
    place: AttributePlace


def declared(type_name: Any, attributes: Any, place: AttributePlace) -> Declared | None:
    """Name and references that a document declares; None when it has no name."""
    if not isinstance(attributes, Mapping) or not isinstance(attributes.get("name"), str):
        return None
    model = MODELS.get(type_name) if isinstance(type_name, str) else None
    kind = None if model is None else model.kind
    rules = attributes.get("rules")
    uses = attributes.get("uses")
    references: list[Reference] = []
    named: list[tuple[Location, Any]] = [
        (("attributes", "uses", index), rule)
        for index in range(len(uses) if isinstance(uses, (list, tuple)) else 0)
        for rule in used_rules(uses, index)
    ]
    named += [
        (("attributes", "rules", index), rule)
        for index, rule in enumerate(rules if isinstance(rules, (list, tuple)) else ())
    ]
    for where, rule in named:
        if not isinstance(rule, Mapping):
            continue
        catalogued = CATALOGUE.get(str(rule.get("rule")))
        fits = catalogued is not None and kind in catalogued.kinds
        needed = (
            catalogued.model_construct(rule=rule_id(catalogued)).other_kind(kind)
            if catalogued is not None and kind is not None and fits
            else None
        )
        label = str(rule.get("name") or rule.get("rule") or "rule")
        references += [
            Reference((*where, *location), name, needed, label)
            for location, name in _mentions(rule, ())
        ]
    schedule = attributes.get("schedule")
    after = schedule.get("after") if isinstance(schedule, Mapping) else None
    references += [
        Reference(("attributes", "schedule", "after", index), name, None, "schedule")
        for index, name in enumerate(after if isinstance(after, (list, tuple)) else ())
        if isinstance(name, str)
    ]
    return Declared(attributes["name"], kind, tuple(references), place)


def reference_mistakes(datasets: Sequence[Declared]) -> list[Mistake]:
    """Names given twice, references to what does not exist or does not fit, and circles."""
    mistakes: list[Mistake] = []
    by_name: dict[str, Declared] = {}
    where: Location = ("attributes", "name")
    for dataset in datasets:
        if dataset.name in by_name:
            first = by_name[dataset.name].place.mistake(where, "").where
            text = f"there is already a dataset {dataset.name!r}{first and f': {first}'}"
            mistakes.append(dataset.place.mistake(where, text))
        else:
            by_name[dataset.name] = dataset
    edges: dict[str, list[str]] = {}
    for dataset in by_name.values():
        for reference in dataset.references:
            other = by_name.get(reference.dataset)
            text = ""
            if other is None:
                near = closest(reference.dataset, by_name)
                text = f"there is no dataset {reference.dataset!r}{near.hint}"
            elif None not in (other.kind, reference.kind) and other.kind != reference.kind:
                text = f"{other.name} is a {other.kind} dataset, not a {reference.kind} dataset"
            elif other is not dataset:
                edges.setdefault(dataset.name, []).append(other.name)
            if text:
                text = f"{reference.label}: {text}"
                mistakes.append(dataset.place.mistake(reference.location, text))
    for circle in _circles(edges):
        text = f"datasets refer to each other in a cycle: {' → '.join((*circle, circle[0]))}"
        text += ": remove one of these references"
        mistakes.append(by_name[circle[0]].place.mistake(where, text))
    return mistakes


def _mentions(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Places and names of ``{dataset: name}`` in a rule."""
    if isinstance(value, Mapping):
        if location and isinstance(value.get("dataset"), str):
            yield (*location, "dataset"), value["dataset"]
            return
        for key, below in value.items():
            yield from _mentions(below, (*location, key))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from _mentions(below, (*location, index))


def _circles(edges: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """A circle for every reference that closes one, in a fixed order."""
    done: set[str] = set()
    circles: list[tuple[str, ...]] = []

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circles.append(trail[trail.index(name) :])
        elif name not in done:
            for other in sorted(set(edges.get(name, ()))):
                walk(other, (*trail, name))
            done.add(name)

    for name in edges:
        walk(name, ())
    return circles
