"""Decides whether a version may be published although its schema differs from the known one."""

from __future__ import annotations

from functools import cache

from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.metadata import Columns, Crs, GeometryTypeRule
from spatial_pipeline.model.schema_diff import (
    ChangeKind,
    SchemaChange,
    SchemaDifference,
    SchemaEvidence,
)

SHOWN = 12
"""Digits of a schema's fingerprint that a person must repeat."""


def undeclared(contract: DatasetContract, change: SchemaChange) -> SchemaChange:
    """The differences that no blocking rule of the contract declares.

    A rule that names a column, the CRS, the geometry type or the like has already checked the new
    state: either it failed, which holds the version, or the contract requires the new state. Rules
    that check some features only or tolerate violations declare nothing.
    """
    promises = [r for r in contract.rules if r.holds_for_all]
    return SchemaChange(
        tuple(d for d in change.differences if not any(_declares(r, d) for r in promises))
    )


def schema_reasons(contract: DatasetContract, evidence: SchemaEvidence | None) -> tuple[str, ...]:
    """Reasons why the schema keeps the version from being published; empty when it does not.

    Args:
        contract: the contract as it is today.
        evidence: difference from the schema that readers know; None when there is none to compare
            with.

    """
    if evidence is None or evidence.accepted or contract.on_schema_change == "backfill":
        return ()
    change = undeclared(contract, evidence.change)
    if not change or (contract.on_schema_change == "accept_additive" and change.additive):
        return ()
    told = (
        f"the schema differs from that of {evidence.reference}: {change}; if this is intended:"
        f" spatial-pipeline accept {contract.name} --schema {evidence.fingerprint[:SHOWN]}"
        f"{contract.option}"
    )
    return (told,)


def _declares(rule: Rule, difference: SchemaDifference) -> bool:
    if isinstance(rule, Columns):
        return _names(rule, difference)
    return difference.kind is _declared().get(type(rule))


def _names(rule: Columns, difference: SchemaDifference) -> bool:
    """True when a list of columns declares the change of one column."""
    if difference.column is None:
        return False
    listed = {name.removesuffix("!") for name in rule.schema_}
    if difference.kind is ChangeKind.REMOVED:
        return rule.extra == "forbid"
    return difference.column in listed


@cache
def _declared() -> dict[type[Rule], ChangeKind]:
    """Rules that declare a part of the schema, beside those that list columns."""
    # Their models are built where a schema has changed.
    from spatial_pipeline.contract.rules import raster_metadata as raster

    return {
        Crs: ChangeKind.CRS,
        GeometryTypeRule: ChangeKind.GEOMETRY_TYPE,
        raster.BandCount: ChangeKind.BAND_COUNT,
        raster.DataTypeRule: ChangeKind.DATA_TYPE,
        raster.Nodata: ChangeKind.NODATA,
        raster.Resolution: ChangeKind.RESOLUTION,
        raster.GridAlignment: ChangeKind.ALIGNMENT,
    }
