"""same_schema_as: two datasets have the same columns, of the same types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import pyarrow as pa

from spatial_pipeline.check.api import Context, RuleOutcome, Violations, profile_rule
from spatial_pipeline.check.join.attribute_difference import plain_type
from spatial_pipeline.check.join.format_losses import loss, truncated
from spatial_pipeline.check.join.paired_diff import column_types
from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.contract.rules.delivery_parity import SameSchemaAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import VectorReader

GEOMETRY = "geometry"
SHAPEFILE = "ESRI Shapefile"


@dataclass(frozen=True)
class SchemaSide:
    """Columns of a dataset that are compared, by name."""

    profile: VectorProfile
    types: Mapping[str, pa.DataType] = field(repr=False)

    @classmethod
    def of(cls, data: VectorReader, ignored: set[str]) -> SchemaSide:
        """The columns of a dataset but for those that are ignored."""
        names = tuple(c.name for c in data.profile.columns if c.name not in ignored)
        return cls(data.profile, column_types(data, names))


@profile_rule
def evaluate(rule: SameSchemaAs, profile: VectorProfile, context: Context) -> RuleOutcome:
    """One violation for each column that one side lacks, and for each type that differs.

    Raises:
        RuleError: the other dataset cannot be read, or ``ignore`` names nothing.

    """
    data, other = (cast("VectorReader", d) for d in (context.data, context.others[0]))
    if other.profile.error is not None:
        msg = f"needs a readable dataset to compare with: {other.profile.uri}"
        raise RuleError(msg)
    ignored = _ignored(rule, profile, other.profile)
    here, there = SchemaSide.of(data, ignored), SchemaSide.of(other, ignored)
    notes: list[str] = []
    pairs = {name: name for name in here.types if name in there.types}
    cut = {**truncated_pairs(here, there), **_turned(truncated_pairs(there, here))}
    pairs |= cut
    reasons = [] if rule.allow_truncated_names else _renamed(cut)
    if rule.allow_truncated_names:
        notes += _renamed(cut)
    reasons += [f"column {n} is missing there" for n in here.types if n not in pairs]
    found = set(pairs.values())
    reasons += [f"column {n} is missing here" for n in there.types if n not in found]
    for name, theirs in pairs.items():
        for told, lost in _retyped(name, here, there, theirs):
            (notes if lost else reasons).append(told)
    if GEOMETRY not in ignored:
        for told, lost in _geometry(profile, other.profile):
            (notes if lost else reasons).append(told)
    if rule.ignore:
        notes.append(f"not compared: {', '.join(rule.ignore)}")
    return RuleOutcome(
        checked=len(here.types),
        violations=Violations.build([-1] * len(reasons), reasons),
        message="; ".join(reasons[:5]) or f"{len(here.types)} columns are the same",
        notes=tuple(notes),
    )


def _ignored(rule: SameSchemaAs, here: VectorProfile, there: VectorProfile) -> set[str]:
    names = {c.name for p in (here, there) for c in p.columns}
    geometry = {GEOMETRY, here.geometry_column, there.geometry_column}
    unknown = sorted(set(rule.ignore) - names - geometry)
    if unknown:
        msg = f"ignore names no column: {', '.join(unknown)}"
        raise RuleError(msg)
    # A geometry column may have another name on either side.
    more = {GEOMETRY} if geometry & set(rule.ignore) - names else set()
    return set(rule.ignore) | more


def truncated_pairs(long: SchemaSide, short: SchemaSide) -> dict[str, str]:
    """Names of one side that a Shapefile on the other side cut, with what is left of them."""
    if short.profile.driver != SHAPEFILE:
        return {}
    left = [n for n in long.types if n not in short.types]
    free = [n for n in short.types if n not in long.types]
    return truncated(left, free)


def _turned(pairs: Mapping[str, str]) -> dict[str, str]:
    return {short: long for long, short in pairs.items()}


def _renamed(cut: Mapping[str, str]) -> list[str]:
    return [
        f"column {here} is {there} there: names in a Shapefile have at most 10 bytes"
        for here, there in cut.items()
    ]


def _retyped(
    name: str, here: SchemaSide, there: SchemaSide, theirs: str
) -> Iterator[tuple[str, bool]]:
    """Difference in the type of a column, and whether a format cannot hold it."""
    one, two = plain_type(here.types[name]), plain_type(there.types[theirs])
    if one == two:
        return
    told = f"column {name} is {here.types[name]} here, {there.types[theirs]} there"
    why = loss(there.profile.driver, one, two) or loss(here.profile.driver, two, one)
    yield (f"{told}: {why}", True) if why else (told, False)


def _geometry(here: VectorProfile, there: VectorProfile) -> Iterator[tuple[str, bool]]:
    """Difference in the declared geometry types, and whether a format cannot declare it."""
    if (here.geometry_column is None) != (there.geometry_column is None):
        yield f"there is geometry only {'t' * (here.geometry_column is None)}here", False
        return
    one, two = (GeometryType.parse(p.geometry_type or "") for p in (here, there))
    if one is None or two is None or one == two:
        return
    told = f"the type of geometry is {one} here, {two} there"
    if "Geometry" in (one.base, two.base):
        yield f"{told}: what declares no type is not compared", True
    elif one.multi == two.multi and SHAPEFILE in (here.driver, there.driver):
        yield f"{told}: a Shapefile declares one type for both", True
    else:
        yield told, False
