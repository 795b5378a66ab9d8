"""Results as SARIF 2.1.0 (OASIS, 2020) for code hosts and editors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any
from urllib.parse import quote

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rule_index import description_of
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.model.result import Result, key_text
from spatial_pipeline.model.violation_runs import parts_of
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.violations import centres
from spatial_pipeline.runtime.json_text import json_text, plain

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


@dataclass(frozen=True)
class Origin:
    """Source position of a rule.

    Attributes:
        uri: of the contract file, relative where it lies below the working directory.
        line: 1-based line of the rule, or of the contract for rules that it does not name.

    """

    uri: str
    line: int


def sarif(contracts: Sequence[Contract], checked: Sequence[Checked]) -> dict[str, Any]:
    """A log of one run: one result per violation, one for a rule that failed without any.

    Rules that passed have no result. Blocking rules are errors, others warnings.

    Args:
        contracts: one for each of ``checked``.
        checked: results of the check.

    """
    used = list(dict.fromkeys(r.rule for c in checked for r in c.results))
    results = [
        found
        for contract, one in zip(contracts, checked, strict=True)
        for result, violations in one.evaluations
        if not result.passed
        for part in parts_of(violations)
        for found in _results(contract, one, result, part, used)
    ]
    driver = {
        "name": "spatial-pipeline",
        "version": installed("spatial_pipeline"),
        "rules": [_rule(identity) for identity in used],
    }
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    log: dict[str, Any] = plain({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, "null")
    return log


def _rule(identity: str) -> dict[str, Any]:
    model = CATALOGUE[identity]
    text = description_of(model)
    return {
        "id": identity,
        "shortDescription": {"text": text.split(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": text},
        "properties": {
            "family": model.family.value,
            "scope": model.scope.value,
            "isoElement": model.iso_element,
        },
    }


def _results(
    contract: Contract, one: Checked, result: Result, violations: Violations, used: Sequence[str]
) -> list[dict[str, Any]]:
    origin = _origin(contract, result.name)
    about = {"dataset": one.dataset, "partition": one.partition, "version": one.version}
    common: dict[str, Any] = {
        "ruleId": result.rule,
        "ruleIndex": used.index(result.rule),
        "level": "error" if result.blocks else "warning",
        "kind": "fail",
    }
    if not len(violations):
        text = f"{one.title}: {result.name}: {result.message or result.status.value}"
        return [
            common
            | {
                "message": {"text": text},
                "locations": [_location(origin, one.title)],
                "partialFingerprints": {"violation/v1": _hash(one.title, result.name)},
                "properties": about | {"check": result.name, "status": result.status.value},
            }
        ]
    crs = None if one.profile is None else one.profile.crs
    places = centres(violations)
    keys = violations.keys if violations.keys is not None else [()] * len(violations)
    out = []
    for i in range(len(violations)):
        measure = float(violations.measure[i])
        shown = " and ".join(map(key_text, keys[i]))
        size = "" if measure != measure else f", {measure:g} {violations.unit}".rstrip()
        text = f"{one.title}: {result.name}: {violations.reasons[i]}{size}"
        place = places[i]
        properties = about | {
            "check": result.name,
            "status": result.status.value,
            "reason": str(violations.reasons[i]),
            "keys": [list(k) for k in keys[i]],
            "measure": measure,
            "unit": violations.unit,
            "location": place,
            "crs": crs,
        }
        named = f"{one.title}/{shown}" if shown else one.title
        identity = (
            one.title,
            result.name,
            [list(k) for k in keys[i]],
            str(violations.reasons[i]),
            place,
        )
        out.append(
            common
            | {
                "message": {"text": f"{text} [{shown}]" if shown else text},
                "locations": [_location(origin, named)],
                "partialFingerprints": {"violation/v1": _hash(*identity)},
                "properties": properties,
            }
        )
    return out


def _location(origin: Origin | None, named: str) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": named}]}
    if origin is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": origin.uri},
            "region": {"startLine": origin.line},
        }
    return location


def _origin(contract: Contract, check: str) -> Origin | None:
    path = contract.path
    if path is None:
        return None
    absolute = path.absolute()
    here = Path.cwd()
    if absolute.is_relative_to(here):
        uri = quote(absolute.relative_to(here).as_posix())
    else:
        uri = absolute.as_uri()
    return Origin(uri, contract.line_of(check))


def _hash(*parts: Any) -> str:
    text = json_text(parts, ascii_only=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
