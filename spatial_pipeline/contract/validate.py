"""Attributes of a component file → contract, or every mistake in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from spatial_pipeline.contract.cron import cron_mistake
from spatial_pipeline.contract.errors import AttributePlace, Mistake
from spatial_pipeline.contract.models import MODELS, OWNER, Contract, RasterContract, VectorContract
from spatial_pipeline.contract.repair import problems
from spatial_pipeline.contract.rules import CATALOGUE, Rule
from spatial_pipeline.contract.source import NO_RASTER_SOURCE, Source
from spatial_pipeline.contract.specification import use_mistakes, used_rules
from spatial_pipeline.contract.spelling import closest, shown
from spatial_pipeline.contract.yaml_positions import LinePositions, Location

Model = type[Contract]
COMMON = frozenset(f.alias or name for name, f in Rule.model_fields.items()) - {"rule"}
"""Parameters of every rule."""
LIKE_AN_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def judge(
    type_name: Any, attributes: Any, place: AttributePlace
) -> tuple[Contract | None, list[Mistake]]:
    """The contract, or its mistakes.

    Each rule is judged by itself and the rest of the contract without its rules, so that no mistake
    hides another; then what belongs together is compared.

    Args:
        type_name: component type as written; None when it is missing, which the caller tells.
        attributes: plain values as written.
        place: where they stand.

    """
    mistakes: list[Mistake] = []
    model = MODELS.get(type_name) if isinstance(type_name, str) else None
    meant = model
    if model is None and type_name is not None:
        near = closest(type_name, MODELS)
        meant = MODELS.get(near.word or "")
        mistakes.append(place.mistake(("type",), f"unknown type {shown(type_name)}{near.hint}"))
    if not isinstance(attributes, Mapping):
        text = f"attributes: expected a mapping (key: value), got {shown(attributes)}"
        return None, [*mistakes, place.mistake(("attributes",), text)]
    mistakes += _head_mistakes(attributes, meant or VectorContract, place)
    mistakes += _uses_mistakes(attributes, model, place)
    mistakes += _rules_mistakes(attributes.get("rules", ()), meant, place, "rules" in attributes)
    mistakes += _whole_mistakes(attributes, place)
    if mistakes or model is None:
        return None, mistakes
    try:
        contract = model.model_validate(dict(attributes))
    except ValidationError as exc:
        text = "; ".join(str(e["msg"]) for e in exc.errors())
        return None, [place.mistake(("attributes",), text)]
    contract._path = place.path  # noqa: SLF001 - only loading knows it
    if place.lines is not None:
        contract._lines = _rule_lines(contract, attributes, place.lines)  # noqa: SLF001
        contract._source_lines = {  # noqa: SLF001
            key: place.lines.of(("attributes", "source", key)) for key in Source.model_fields
        }
        contract._column_lines = {  # noqa: SLF001
            name: place.lines.of(("attributes", "columns", name))
            for name in contract.column_descriptions
        }
        contract._key_lines = tuple(  # noqa: SLF001
            place.lines.of(("attributes", "key", i)) for i, _ in enumerate(contract.key_columns)
        )
    return contract, []


def _head_mistakes(
    attributes: Mapping[str, Any], model: Model, place: AttributePlace
) -> Iterator[Mistake]:
    """Mistakes of everything but the rules."""
    head = {k: v for k, v in attributes.items() if k not in ("rules", "uses")}
    if issubclass(model, RasterContract) and isinstance(head.get("source"), Mapping):
        source = dict(head["source"])
        for name in [n for n in source if n in NO_RASTER_SOURCE]:
            text = f"source.{name}: leave it out: {NO_RASTER_SOURCE[name]}"
            yield place.mistake(("attributes", "source", name), text, key=True)
            del source[name]
        head["source"] = source
    for problem in problems(model, {**head, "rules": []}):
        if problem.location:
            where = ("attributes", *problem.location)
            yield place.mistake(where, f"{problem.subject}{problem.text}", key=problem.on_key)
        elif problem.missing is not None:
            yield place.mistake(("attributes",), f"attributes: {problem.text}", key=True)


def _uses_mistakes(
    attributes: Mapping[str, Any], model: Model | None, place: AttributePlace
) -> Iterator[Mistake]:
    """Mistakes of the specifications that are used, and of their rules as adapted."""
    uses = attributes.get("uses", ())
    root: Location = ("attributes", "uses")
    wrong = list(use_mistakes(uses, None if model is None else model.kind))
    for where, text, key in wrong:
        yield place.mistake((*root, *where), text, key=key)
    if wrong:
        return
    for index in range(len(uses)):
        for rule in used_rules(uses, index):
            label = str(rule.get("name") or rule["rule"])
            for mistake in _rule_mistakes(dict(rule), root, model, AttributePlace()):
                where = (*root, index, "override", label)
                yield place.mistake(where, f"uses: {mistake.text}", key=True)


def _rule_lines(
    contract: Contract, attributes: Mapping[str, Any], lines: LinePositions
) -> dict[str, int]:
    """Check → line of its rule, or of the specification that it comes from."""
    uses: Any = attributes.get("uses") or ()
    found = {
        str(rule.get("name") or rule["rule"]): lines.of(("attributes", "uses", index))
        for index in range(len(uses))
        for rule in used_rules(uses, index)
    }
    own = len(attributes.get("rules") or ())
    for index, rule in enumerate(contract.rules[len(contract.rules) - own :]):
        found[rule.check_name] = lines.of(("attributes", "rules", index))
    return found


def _rules_mistakes(
    rules: Any, model: Model | None, place: AttributePlace, written: bool
) -> Iterator[Mistake]:
    """Mistakes of all rules, each by itself, then of their names."""
    root: Location = ("attributes", "rules")
    if not isinstance(rules, (list, tuple)):
        yield place.mistake(root, f"rules: expected a list, got {shown(rules)}")
        return
    if not rules and written:
        text = "rules: is empty: name a rule, or leave out the key for the rules that are always on"
        yield place.mistake(root, text, key=True)
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        where = (*root, index)
        if not isinstance(rule, Mapping):
            known = isinstance(rule, str) and rule in CATALOGUE
            example = f"{{rule: {rule}}}" if known else "{rule: crs, equals: EPSG:4326}"
            text = f"rules: expected a mapping such as {example}, got {shown(rule)}"
            yield place.mistake(where, text)
            continue
        yield from _rule_mistakes(dict(rule), where, model, place)
        name = rule.get("name") or rule.get("rule")
        if not isinstance(name, str):
            continue
        if name in first:
            line = place.mistake((*root, first[name]), "").line
            there = "" if line is None else f" (line {line})"
            text = f"two rules are named {name!r}{there}: give one of them another name"
            yield place.mistake((*where, "name" if rule.get("name") else "rule"), text)
        first.setdefault(name, index)


def _rule_mistakes(
    rule: dict[str, Any], where: Location, model: Model | None, place: AttributePlace
) -> Iterator[Mistake]:
    if "rule" not in rule:
        near = next((k for k in rule if k not in COMMON and closest(k, ["rule"]).word), None)
        if near is None:
            yield place.mistake(
                where, "missing key 'rule': the ID of a rule, such as valid_geometry", key=True
            )
        else:
            text = f"unknown key {near!r}; did you mean 'rule'?"
            yield place.mistake((*where, near), text, key=True)
            rule["rule"] = rule.pop(near)
    identity = rule.get("rule")
    catalogued = CATALOGUE.get(identity) if isinstance(identity, str) else None
    if catalogued is None and "rule" in rule:
        near_id = closest(identity, CATALOGUE)
        hint = near_id.hint or "; `spatial-pipeline rules` lists all"
        hint += "".join(f"; {failure}" for failure in CATALOGUE.custom.failures)
        yield place.mistake((*where, "rule"), f"unknown rule {shown(identity)}{hint}")
        catalogued = CATALOGUE.get(near_id.word or "")
        rule["rule"] = near_id.word or "rule"
    elif catalogued is not None and model is not None and model.kind not in catalogued.kinds:
        kinds = " and ".join(sorted(catalogued.kinds))
        text = f"rule {identity!r} is for {kinds} data, this is a {model.kind} dataset"
        yield place.mistake((*where, "rule"), text)
    judged = rule if catalogued else {k: v for k, v in rule.items() if k in {"rule", *COMMON}}
    label = rule.get("name") or rule.get("rule") or "rule"
    unusable = {} if catalogued is None else _unusable(catalogued, model)
    for name in [n for n in judged if n in unusable]:
        text = f"{label}: {name}: leave it out: {unusable[name]}"
        yield place.mistake((*where, name), text, key=True)
    judged = {k: v for k, v in judged.items() if k not in unusable}
    for problem in problems(catalogued or Rule, {"rule": "rule", **judged}, COMMON):
        text = f"{label}: {problem.subject}{problem.text}"
        yield place.mistake((*where, *problem.location), text, key=problem.on_key)


def _unusable(rule: type[Rule], model: Model | None) -> Mapping[str, str]:
    """Parameters that a rule cannot use in this contract, with the reason."""
    fits = model is not None and model.kind in rule.kinds
    return rule.unusable(model.kind if model is not None and fits else next(iter(rule.kinds)))


def _whole_mistakes(attributes: Mapping[str, Any], place: AttributePlace) -> Iterator[Mistake]:
    """Mistakes between keys, and in values that only Dagster would refuse later."""
    schedule = attributes.get("schedule")
    if isinstance(schedule, str) and (wrong := cron_mistake(schedule)):
        text = f"schedule: {shown(schedule)}: {wrong}"
        yield place.mistake(("attributes", "schedule"), text)
    owners = attributes.get("owners")
    for index, owner in enumerate(owners if isinstance(owners, (list, tuple)) else ()):
        if isinstance(owner, str) and not re.fullmatch(OWNER, owner, re.DOTALL):
            way = f": write team:{owner}" if re.fullmatch(r"[A-Za-z0-9_]+", owner) else ""
            text = f"owners: {shown(owner)} is neither an e-mail address nor team:name{way}"
            if LIKE_AN_ADDRESS.fullmatch(owner):
                text = (
                    f"owners: Dagster refuses {shown(owner)}: an e-mail address has ASCII letters, "
                    "digits and . _ % + - before the @, and ends in 2 to 7 letters; or give "
                    "team:name"
                )
            yield place.mistake(("attributes", "owners", index), text)
    source = attributes.get("source")
    uri = source.get("uri") if isinstance(source, Mapping) else None
    partitioned = attributes.get("partitions") is not None
    where = ("attributes", "source", "uri")
    if isinstance(uri, str) and partitioned and "{partition}" not in uri:
        text = "source.uri: the dataset is partitioned, so the uri needs {partition}"
        yield place.mistake(where, text)
    if isinstance(uri, str) and not partitioned and "{partition}" in uri:
        text = "source.uri: the uri has {partition}, so the dataset needs the key 'partitions'"
        yield place.mistake(where, text)
    if attributes.get("backfill") is not None:
        here = ("attributes", "backfill")
        if attributes.get("on_schema_change") != "backfill":
            yield place.mistake(here, "backfill: needs on_schema_change: backfill", key=True)
        if not partitioned:
            text = "backfill: the dataset has no partitions; a change is taken by its next run"
            yield place.mistake(here, text, key=True)
