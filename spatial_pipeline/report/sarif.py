"""Results as SARIF 2.1.0 (OASIS, 2020) for code hosts and editors."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any
from urllib.parse import quote

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rule_index import description_of
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.model.crs.comparison import authority
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.result import Result, key_text
from spatial_pipeline.model.violation_runs import AnyViolations, parts_of
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.selection import shared
from spatial_pipeline.report.violations import centres
from spatial_pipeline.runtime.json_text import json_text, plain

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
PRINT = "violation/v1"
"""Name of our fingerprint: dataset, check, features, reason and place of a violation."""
MOST = 25_000
"""Results of a run: GitHub's code scanning refuses a file with more."""


@dataclass(frozen=True)
class Origin:
    """Source position of a rule.

    Attributes:
        uri: of the contract file, relative where it lies below the working directory.
        line: 1-based line of the rule, or of the contract for rules that it does not name.

    """

    uri: str
    line: int


def sarif(
    contracts: Sequence[Contract], checked: Sequence[Checked], most: int = MOST
) -> dict[str, Any]:
    """A log of one run: one result per violation, one for a rule that failed without any.

    Rules that passed have no result. Blocking rules are errors, others warnings. The log has what
    GitHub's code scanning requires beyond SARIF: a help text for each rule, a place in a file and a
    fingerprint for each result. Of too many violations, each rule has the first ones, and a
    notification says how many are left out.

    Args:
        contracts: one for each of ``checked``.
        checked: results of the check.
        most: largest number of results.

    """
    used = list(dict.fromkeys(r.rule for c in checked for r in c.results))
    failed = [
        (contract, one, result, violations)
        for contract, one in zip(contracts, checked, strict=True)
        for result, violations in one.evaluations
        if not result.passed
    ]
    counts = [max(1, len(violations)) for *_, violations in failed]
    shares = shared(counts, most)
    results = [
        found
        for (contract, one, result, violations), share in zip(failed, shares, strict=True)
        for part in _first(violations, share)
        for found in _results(contract, one, result, part, used)
    ]
    _tell_apart(results)
    driver = {
        "name": "spatial-pipeline",
        "version": installed("spatial_pipeline"),
        "rules": [_rule(identity) for identity in used],
    }
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    omitted = sum(counts) - sum(shares)
    if omitted:
        text = f"{omitted} of {sum(counts)} violations are left out; --violations F writes all"
        notification = {"level": "warning", "message": {"text": text}}
        run["invocations"] = [
            {"executionSuccessful": True, "toolExecutionNotifications": [notification]}
        ]
    log: dict[str, Any] = plain({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, "null")
    return log


def _first(violations: AnyViolations, share: int) -> Iterator[Violations]:
    """The first ``share`` violations in parts; one empty part where there are none."""
    left = share
    for part in parts_of(violations):
        if left > 0:
            yield part if len(part) <= left else part.take(slice(0, left))
            left -= len(part)


def _tell_apart(results: Sequence[dict[str, Any]]) -> None:
    """Numbers equal fingerprints, and repeats them under the name that GitHub reads."""
    seen: Counter[str] = Counter()
    for result in results:
        prints = result["partialFingerprints"]
        seen[prints[PRINT]] += 1
        prints["primaryLocationLineHash"] = f"{prints[PRINT]}:{seen[prints[PRINT]]}"


def _rule(identity: str) -> dict[str, Any]:
    model = CATALOGUE[identity]
    text = description_of(model)
    return {
        "id": identity,
        "shortDescription": {"text": text.split(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": text},
        "help": {"text": f"{text} Parameters: spatial-pipeline rules {identity}"},
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
                "partialFingerprints": {PRINT: _hash(one.title, result.name)},
                "properties": about | {"check": result.name, "status": result.status.value},
            }
        ]
    crs = _crs(one.profile)
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
                "partialFingerprints": {PRINT: _hash(*identity)},
                "properties": properties,
            }
        )
    return out


def _crs(profile: Profile | None) -> str | None:
    """Code of the CRS, or its WKT where it has none."""
    crs = None if profile is None else profile.pyproj_crs
    return None if crs is None else authority(crs) or crs.to_wkt()


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
