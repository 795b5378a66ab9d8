"""Public specifications as ready rules: what a contract gets by ``uses: [name]``.

Each is a YAML file in ``specifications/`` with its requirements: a rule, and where the document
demands it. Text that begins with ``$`` stands for a parameter; a requirement with a parameter that
has no value is left out. Mistakes in an entry of ``uses`` are found here; the rules themselves are
judged like those that a person writes.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import yaml
from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.specification_files import (
    specification_names,
    specification_text,
)
from spatial_pipeline.contract.spelling import closest, quoted, shown
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.contract.yaml_positions import FAST_LOADER, Location

PLACE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
KEYS = ("name", "parameters", "override", "drop")


@dataclass(frozen=True)
class SpecificationParameter:
    """A value of a specification that a contract may set.

    Attributes:
        name: its name.
        means: description.
        default: its value; None leaves out the requirements that need it.

    """

    name: str
    means: str
    default: Any = None


@dataclass(frozen=True)
class Requirement:
    """One requirement of a document.

    Attributes:
        cites: place in the document, and what it demands.
        rule: parameters of the rule, with ``$name`` for parameters.

    """

    cites: str
    rule: dict[str, Any]

    @property
    def check_name(self) -> str:
        """Name of the check."""
        return str(self.rule.get("name") or self.rule["rule"])

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that the rule needs."""
        return tuple(dict.fromkeys(_places(self.rule)))


@dataclass(frozen=True)
class Specification:
    """Requirements of a public document.

    Attributes:
        name: how contracts name it.
        title: title for people.
        kind: kind of data.
        document: the document with its edition.
        url: where it is found.
        parameters: what a contract may set, by name.
        requirements: in the order of the file.

    """

    name: str
    title: str
    kind: Kind
    document: str
    url: str
    parameters: dict[str, SpecificationParameter]
    requirements: tuple[Requirement, ...]

    def rules(self, use: Use) -> list[dict[str, Any]]:
        """The rules for an entry of ``uses``, without those of which a parameter has no value."""
        values = {n: p.default for n, p in self.parameters.items() if p.default is not None}
        values |= use.parameters
        found = []
        for requirement in self.requirements:
            name = requirement.check_name
            if name in use.drop or not values.keys() >= set(requirement.parameters):
                continue
            rule = _filled(copy.deepcopy(requirement.rule), values)
            found.append({**rule, **use.override.get(name, {})})
        return found

    @classmethod
    def of(cls, name: str, value: Mapping[str, Any]) -> Specification:
        """A specification from its file."""
        parameters = {
            n: SpecificationParameter(n, p["means"], p.get("default"))
            for n, p in value.get("parameters", {}).items()
        }
        requirements = tuple(Requirement(r["cites"], r["rule"]) for r in value["requirements"])
        about = {n: value[n] for n in ("title", "kind", "document", "url")}
        return cls(name=name, parameters=parameters, requirements=requirements, **about)


class Use(ContractModel):
    """A public specification that a dataset follows."""

    name: str = Field(description="Name of the specification.")
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Values of its parameters, such as the columns of the data: {code: klass}.",
    )
    override: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Name of a check → parameters of its rule that replace the specification's.",
    )
    drop: tuple[str, ...] = Field((), description="Names of checks that are left out.")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Names the specifications that there are."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        schema["properties"]["name"]["enum"] = list(specification_names())
        return reference


@cache
def specification(name: str) -> Specification:
    """One of :func:`specification_names`."""
    # The file is ours: no anchor in it expands without bound.
    return Specification.of(name, yaml.load(specification_text(name), FAST_LOADER))  # noqa: S506


def specifications() -> dict[str, Specification]:
    """All specifications of the package by name, in alphabetical order."""
    return {name: specification(name) for name in specification_names()}


def with_used_rules(attributes: Any) -> Any:
    """Attributes of a contract with the rules of ``uses`` before its own.

    A rule of the contract takes the place of one of the same name. Entries that are wrong are left
    alone: :func:`use_mistakes` says what is wrong with them.
    """
    if not isinstance(attributes, Mapping) or not attributes.get("uses"):
        return attributes
    written = attributes.get("rules") or ()
    own = [r for r in written if isinstance(r, Mapping)] if isinstance(written, Sequence) else []
    names = {str(r.get("name") or r.get("rule")) for r in own}
    used = [
        rule
        for index, _ in enumerate(attributes["uses"])
        for rule in used_rules(attributes["uses"], index)
        if str(rule.get("name") or rule["rule"]) not in names
    ]
    return {**attributes, "rules": [*used, *written]}


def used_rules(uses: Any, index: int) -> list[dict[str, Any]]:
    """The rules of one entry of ``uses``; none for an entry that is wrong."""
    use = _use(uses[index])
    if use is None or use.name not in specification_names():
        return []
    return specification(use.name).rules(use)


def use_mistakes(uses: Any, kind: Kind | None) -> Iterator[tuple[Location, str, bool]]:
    """Location below ``uses``, description, and whether the key is wrong, of each mistake."""
    if not isinstance(uses, (list, tuple)):
        yield (), f"uses: expected a list of specifications, got {shown(uses)}", False
        return
    for index, value in enumerate(uses):
        yield from (((index, *w), f"uses: {t}", k) for w, t, k in _entry_mistakes(value, kind))


def _entry_mistakes(value: Any, kind: Kind | None) -> Iterator[tuple[Location, str, bool]]:
    known = specification_names()
    if isinstance(value, Mapping):
        for key in value:
            if key not in KEYS:
                yield (key,), f"unknown key {shown(key)}{closest(key, KEYS).hint}", True
    name = value.get("name") if isinstance(value, Mapping) else value
    where: Location = ("name",) if isinstance(value, Mapping) and "name" in value else ()
    found = specification(name) if isinstance(name, str) and name in known else None
    if found is None:
        hint = closest(name, known).hint or f": there are {quoted(known)}"
        yield where, f"unknown specification {shown(name)}{hint}", False
        return
    if kind is not None and found.kind != kind:
        text = f"{found.name} is for {found.kind} data, this is a {kind} dataset"
        yield where, text, False
    if not isinstance(value, Mapping):
        return
    checks = [r.check_name for r in found.requirements]
    for key, names in (("parameters", found.parameters), ("override", checks), ("drop", checks)):
        given = value.get(key, [])
        shape = (list, tuple) if key == "drop" else Mapping
        if not isinstance(given, shape) and key in value:
            wanted = "a list" if key == "drop" else "a mapping (key: value)"
            yield (key,), f"{found.name}: {key}: expected {wanted}, got {shown(given)}", False
            continue
        for place, one in enumerate(given):
            what = "parameter" if key == "parameters" else "check"
            if one not in names:
                text = f"{found.name} has no {what} {shown(one)}{closest(one, names).hint}"
                yield (key, place if key == "drop" else one), text, key != "drop"
            elif key == "override" and not isinstance(given[one], Mapping):
                text = f"{found.name}: {one}: expected a mapping (key: value), got "
                yield (key, one), text + shown(given[one]), False


def _use(value: Any) -> Use | None:
    """An entry as a value; None when it is wrong."""
    if isinstance(value, Use):
        return value
    wrong = list(_entry_mistakes(value, None))
    if wrong:
        return None
    return Use(name=value) if isinstance(value, str) else Use.model_validate(dict(value))


def _places(value: Any) -> Iterator[str]:
    """Names of the parameters in a rule."""
    if isinstance(value, str):
        yield from PLACE.findall(value)
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _places(key)
            yield from _places(below)
    elif isinstance(value, list):
        for below in value:
            yield from _places(below)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A rule with the values of parameters; a text that is one parameter becomes its value."""
    if isinstance(value, str):
        whole = PLACE.fullmatch(value)
        if whole is not None:
            return copy.deepcopy(values[whole[1]])
        return PLACE.sub(lambda m: str(values[m[1]]), value)
    if isinstance(value, dict):
        return {
            cast("str", _filled(key, values)): _filled(below, values)
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [_filled(below, values) for below in value]
    return value


__all__ = [
    "Requirement",
    "Specification",
    "SpecificationParameter",
    "Use",
    "specification",
    "specifications",
    "use_mistakes",
    "used_rules",
    "with_used_rules",
]
