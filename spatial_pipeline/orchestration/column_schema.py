"""Columns or bands of a version, with what the contract says of them, as Dagster shows them."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from spatial_pipeline.contract.database_url import redacted_all
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.metadata import Columns, NotNull, Unique
from spatial_pipeline.model.profile import BandProfile, Profile, VectorProfile

Constraints = dg.TableColumnConstraints


def column_schema(contract: Contract, profile: Profile) -> dg.TableSchema:
    """Types as in the data; descriptions, units and constraints as in the contract.

    Only rules that hold for all features are constraints; a warning is none.

    Args:
        contract: the contract.
        profile: profile of a version.

    """
    if not isinstance(profile, VectorProfile):
        return dg.TableSchema([_band(i, band) for i, band in enumerate(profile.bands, start=1)])
    rules = [r for r in contract.effective_rules if r.holds_for_all and not r.accepts]
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=_description(contract, column.name),
            constraints=_constraints(column.name, rules, nullable=column.nullable),
        )
        for column in profile.columns
    ]
    if profile.geometry_column is not None:
        columns.append(
            dg.TableColumn(
                profile.geometry_column,
                profile.geometry_type or "",
                description=_description(contract, profile.geometry_column),
            )
        )
    return dg.TableSchema(columns)


def _description(contract: Contract, column: str) -> str | None:
    found = contract.column_descriptions.get(column)
    return None if found is None else found.text or None


def _band(number: int, band: BandProfile) -> dg.TableColumn:
    unit = None if band.unit is None else f"[{band.unit}]"
    return dg.TableColumn(band.description or f"band {number}", band.data_type, description=unit)


def _constraints(column: str, rules: Sequence[Rule], *, nullable: bool) -> Constraints:
    unique = False
    other = []
    for rule in rules:
        if isinstance(rule, Columns):
            nullable = nullable and f"{column}!" not in rule.schema_
        elif column not in rule.columns():
            continue
        elif isinstance(rule, NotNull):
            nullable = False
        elif isinstance(rule, Unique) and rule.columns() == (column,):
            unique = True
        else:
            other.append(_words(rule, column))
    return Constraints(nullable=nullable, unique=unique, other=other)


def _words(rule: Rule, column: str) -> str:
    """A rule with its parameters, without the name of the column."""
    parameters = rule.model_dump(
        mode="json", exclude_defaults=True, exclude={"rule", "name"}, by_alias=True
    )
    said = [
        f"{key}: {value}"
        for key, value in redacted_all(parameters).items()
        if value not in (column, [column])
    ]
    return " ".join(filter(None, (rule.rule, ", ".join(said))))
