"""columns: names, types and nullability of the columns are as promised."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np

from spatial_pipeline.check.api import Context, RuleOutcome, Violations, profile_rule
from spatial_pipeline.contract.rules.metadata import Columns, ColumnType
from spatial_pipeline.model.profile import Column, VectorProfile
from spatial_pipeline.model.readers import VectorReader

_SIGNED = ("int8", "int16", "int32", "int64")
_UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
_FLOATS = ("halffloat", "float", "double")
_DECIMALS = ("decimal32", "decimal64", "decimal128", "decimal256")
ARROW_NAMES: dict[str, tuple[str, ...]] = {
    "string": ("string", "large_string", "string_view"),
    "integer": _SIGNED + _UNSIGNED,
    "number": _SIGNED + _UNSIGNED + _FLOATS + _DECIMALS,
    "float": _FLOATS,
    "float32": ("float",),
    "float64": ("double",),
    "decimal": _DECIMALS,
    "boolean": ("bool",),
    "date": ("date32", "date64"),
    "time": ("time32", "time64"),
    "datetime": ("timestamp",),
    "binary": ("binary", "large_binary", "binary_view", "fixed_size_binary"),
    "any": (),
    **{name: (name,) for name in (*_SIGNED, *_UNSIGNED)},
}
"""Arrow type names, without their parameters, that each type of a contract stands for."""


def type_matches(arrow: str, promised: ColumnType) -> bool:
    """True when an Arrow type, as text, is of the type that a contract promises."""
    encoded = re.match(r"dictionary<values=([^,]+),", arrow)
    name = re.split(r"[\[(<]", encoded.group(1) if encoded else arrow, maxsplit=1)[0]
    return promised == "any" or name in ARROW_NAMES[promised]


@profile_rule
def evaluate(rule: Columns, profile: VectorProfile, context: Context) -> RuleOutcome:
    """Lists every difference between the columns and the promise, one violation per mistake.

    Few formats can declare that a column holds no nulls. So a column that is promised as not
    nullable keeps the promise by its schema or, where the schema permits nulls, by its values: they
    are read, and only nulls among them break it.
    """
    promised = {
        name.removesuffix("!"): (kind, name.endswith("!")) for name, kind in rule.schema_.items()
    }
    found = {c.name: c for c in profile.columns}
    by_values = [
        name
        for name, (_, required) in promised.items()
        if required and name in found and found[name].nullable
    ]
    mistakes = [
        *_missing(list(promised), list(found)),
        *(
            f"column {name} is {found[name].type}, expected {kind}"
            for name, (kind, _) in promised.items()
            if name in found and not type_matches(found[name].type, kind)
        ),
        *_nulls(by_values, context),
        *_extra(rule, list(promised), list(found)),
        *_order(rule, list(promised), list(found)),
        *_names(rule, profile.columns),
    ]
    notes = (
        (f"the file lets {', '.join(by_values)} be null; the values were looked at",)
        if by_values
        else ()
    )
    return RuleOutcome(
        checked=len(profile.columns),
        violations=Violations.build(np.full(len(mistakes), -1), mistakes),
        message="; ".join(mistakes),
        notes=notes,
    )


def _nulls(names: Sequence[str], context: Context) -> Iterator[str]:
    if not names:
        return
    data = cast("VectorReader", context.data)
    counts = dict.fromkeys(names, 0)
    for index in range(data.batch_count()):
        context.cancelled()
        table = data.batch(index, names, geometry=False).table
        for name in names:
            counts[name] += table.column(name).null_count
    for name, n in counts.items():
        if n:
            yield f"column {name} holds {n} null{'' if n == 1 else 's'}, expected none"


def _extra(rule: Columns, promised: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    if rule.extra == "forbid":
        for name in found:
            if name not in promised:
                yield f"column {name} is not in the schema"


def _order(rule: Columns, promised: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    if rule.order:
        wanted = [name for name in promised if name in found]
        given = [name for name in found if name in promised]
        if wanted != given:
            yield f"the order is {', '.join(given)}, expected {', '.join(wanted)}"


def _names(rule: Columns, columns: Sequence[Column]) -> Iterator[str]:
    pattern, longest = rule.name_pattern, rule.max_name_length
    for name in (c.name for c in columns):
        if pattern is not None and not re.fullmatch(pattern, name):
            yield f"the name {name} does not match {pattern}"
        if longest is not None and len(name) > longest:
            yield f"the name {name} has {len(name)} characters, at most {longest} expected"


def _missing(promised: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    spare = {name.casefold(): name for name in found if name not in promised}
    for name in promised:
        if name not in found:
            near = difflib.get_close_matches(name.casefold(), spare, n=1)
            hint = f": did you mean {spare[near[0]]}?" if near else ""
            yield f"column {name} is missing{hint}"
