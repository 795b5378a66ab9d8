"""Loads the suppressions of a rule: its areas, its keys, its baseline file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import uuid4

import shapely

from spatial_pipeline.check.engine.suppress import Suppression, area_of, key_texts, parsed, updated
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.model.violation_runs import AnyViolations
from spatial_pipeline.report.checked import Checked


def of(
    rule: Rule,
    partition: str | None,
    profile: Profile,
    areas: Reader | None = None,
    only: Reader | None = None,
    *,
    baselines: bool = True,
) -> Suppression | None:
    """The suppressions of a rule, None when it has none.

    Args:
        rule: the rule, pinned: its files must still be what its hash says.
        partition: partition key.
        profile: profile of the dataset that is checked.
        areas: the staged areas of ``except``.
        only: the staged areas of ``only_within``.
        baselines: False ignores the baseline, as for rewriting it.

    Raises:
        RuleError: the files cannot be read, or changed since the rule was pinned.

    """
    if not rule.accepts:
        return None
    notes: list[str] = []
    unions: list[shapely.Geometry | None] = [None, None]
    for i, (word, given) in enumerate((("areas", areas), ("only_within", only))):
        if given is not None:
            unions[i], note = area_of(cast("VectorReader", given), profile)
            notes += [f"{word}: {note}"] if note else []
    if unions[1] is not None and not unions[1].area:
        msg = "only_within: the file holds no polygons, so no violation would count"
        raise RuleError(msg)
    baseline = None
    if rule.baseline is not None and baselines:
        path = rule.base / rule.baseline
        if not path.exists():
            notes.append(f"there is no baseline {rule.baseline} yet: nothing is accepted by it")
        else:
            baseline = parsed(_bytes(path), rule.baseline, rule.check_name, partition)
            if baseline is None:
                notes.append(f"baseline {rule.baseline} says nothing about this rule")
    if rule.placed(rule.base).contents != rule.contents:
        msg = "its accepted violations changed during the check: check again"
        raise RuleError(msg)
    keys = key_texts(rule.except_keys)
    return Suppression(unions[0], unions[1], keys, baseline, tuple(notes))


def write_baselines(contracts: Sequence[Contract], checked: Sequence[Checked]) -> list[Path]:
    """Writes the baselines that rules name, with all violations of a check.

    Rules that could not be evaluated keep their entries in the file.

    Args:
        contracts: one for each of ``checked``.
        checked: results of the check, without the baselines applied.

    Returns:
        The files written.

    Raises:
        RuleError: a file exists and is not a baseline.
        OSError: a file cannot be written.

    """
    written: dict[Path, None] = {}
    for contract, one in zip(contracts, checked, strict=True):
        evaluated = {r.name: f for r, f in one.evaluations if _judged(r.status)}
        by_file: dict[Path, list[tuple[Rule, AnyViolations]]] = {}
        for rule in contract.effective_rules:
            if rule.baseline is not None and rule.check_name in evaluated:
                found = (rule, evaluated[rule.check_name])
                by_file.setdefault(rule.base / rule.baseline, []).append(found)
        for path, rules in by_file.items():
            if one.profile is None:
                continue
            former = _bytes(path) if path.exists() else None
            text = updated(former, path.name, one.partition, rules, one.profile)
            _replace(path, text)
            written[path] = None
    return list(written)


def _judged(status: Status) -> bool:
    return status in {Status.PASSED, Status.FAILED}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        msg = f"baseline {path.name} cannot be read: {exc.strerror or exc}"
        raise RuleError(msg) from exc


def _replace(path: Path, text: bytes) -> None:
    temporary = path.with_name(f".{uuid4().hex}.json")
    try:
        temporary.write_bytes(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
