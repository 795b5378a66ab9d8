"""Rules about columns that a profile tries, from a summary of their values."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from spatial_pipeline.pipeline.column_summary import RARE, ColumnSummary, Combinations
from spatial_pipeline.pipeline.rule_candidates import COLUMNS, FILE, Parameters, RuleCandidate

ENDS = (
    ("from", "to"), ("min", "max"), ("start", "end"), ("begin", "end"), ("low", "high"),
    ("first", "last"),
)  # fmt: skip
"""Words in the names of two columns of which the first is never larger."""
MEASURES = {
    "area": r"area|shape_area|a_?land",
    "length": r"len|leng|length|shape_leng(th)?",
    "perimeter": r"perimeter|perim",
    "x": r"x|x_?coord|easting",
    "y": r"y|y_?coord|northing",
    "lon": r"lon|long|longitude|intptlon",
    "lat": r"lat|latitude|intptlat",
}
"""Measure of the geometry → names of columns that may hold it."""
PAIRS = 3
"""Pairs of columns of codes whose combinations are tried."""


def of_columns(
    columns: Sequence[ColumnSummary], combined: Sequence[Combinations]
) -> Iterator[RuleCandidate]:
    """Names, types, nullability, ranges, codes, patterns and combinations."""
    yield from _schema(columns)
    for column in columns:
        yield from _values(column)
    texts = [c.name for c in columns if c.kind == "string" and c.present]
    if texts:
        yield RuleCandidate.of(COLUMNS, "text_encoding", {"columns": texts})
    for pair in combined:
        if pair.found:
            rows = [list(values) for values in sorted(pair.found, key=repr)]
            allowed = {"columns": list(pair.columns), "combinations": rows}
            label = "_".join(pair.columns)
            yield RuleCandidate.of(COLUMNS, "allowed_combinations", allowed, label=label)
    yield from _ends(columns)
    yield from _dates(columns)


def code_pairs(columns: Sequence[ColumnSummary]) -> list[Combinations]:
    """Pairs of columns of codes, whose combinations are worth a look."""
    coded = [c for c in columns if c.coded and c.values and len(c.values) > 1]
    pairs = itertools.combinations([c.name for c in coded], 2)
    return [Combinations(pair) for pair in itertools.islice(pairs, PAIRS)]


def telling(pair: Combinations, columns: Sequence[ColumnSummary]) -> bool:
    """True when far fewer combinations occur than could."""
    sizes = {c.name: len(c.values or ()) for c in columns}
    rows = max(c.rows for c in columns)
    possible = sizes[pair.columns[0]] * sizes[pair.columns[1]]
    return bool(pair.found) and 2 * len(pair.found or ()) <= possible and rows >= RARE * possible


def measures(columns: Sequence[ColumnSummary], single: Sequence[str]) -> Iterator[RuleCandidate]:
    """Columns whose name says that they hold a measure of the geometry."""
    fits = {
        "area": "Polygon", "perimeter": "Polygon", "length": "LineString",
    }  # fmt: skip
    relative: tuple[Parameters, ...] = ({}, {"tolerance": {"relative": 0.001}})
    for measure, pattern in MEASURES.items():
        if measure in fits and fits[measure] not in single:
            continue
        for column in columns:
            if column.kind != "number" and column.kind != "integer":
                continue
            if not re.fullmatch(pattern, column.name, re.IGNORECASE) or column.least is None:
                continue
            units: list[Parameters] = [{}]
            if measure in fits:
                units += [{"geodesic": True}, {"geodesic": True, "unit": "km"}]
            if measure == "area":
                units += [{"unit": "ha"}]
            options = [
                {"columns": {measure: column.name}, **unit, **about}
                for about, unit in itertools.product(relative, units)
            ]
            yield RuleCandidate.of(COLUMNS, "measures_match", *options, label=column.name)


def _schema(columns: Sequence[ColumnSummary]) -> Iterator[RuleCandidate]:
    # The rule reads a trailing ! as not nullable.
    plain = [c for c in columns if c.name[-1:] != "!"]
    if plain:
        strict = {f"{c.name}!" if c.full else c.name: c.kind for c in plain}
        lenient = {c.name: c.kind for c in plain}
        yield RuleCandidate.of(
            FILE, "columns", {"schema": strict, "extra": "forbid"}, {"schema": strict},
            {"schema": lenient},
        )  # fmt: skip
    full = [c.name for c in columns if c.name[-1:] == "!" and c.full]
    if full:
        yield RuleCandidate.of(FILE, "not_null", {"columns": full})


def _values(column: ColumnSummary) -> Iterator[RuleCandidate]:
    name = column.name
    if column.coded and column.values:
        values = sorted(column.values, key=lambda v: (str(type(v)), v))
        about = {"column": name, "values": values}
        yield RuleCandidate.of(COLUMNS, "allowed_values", about, label=name)
    elif column.pattern is not None:
        about = {"column": name, "pattern": column.pattern}
        yield RuleCandidate.of(COLUMNS, "matches", about, label=name)
    if column.least is not None:
        about = {"column": name, "min": column.least, "max": column.most}
        yield RuleCandidate.of(COLUMNS, "value_range", about, label=name)


def _ends(columns: Sequence[ColumnSummary]) -> Iterator[RuleCandidate]:
    """Pairs of columns such as from_km and to_km."""
    by_name = {c.name: c for c in columns if c.least is not None}
    for column in by_name.values():
        for first, last in ENDS:
            other = re.sub(rf"(?<![a-z]){first}(?![a-z])", last, column.name, flags=re.IGNORECASE)
            partner = by_name.get(other)
            if partner is None or other == column.name or partner.kind != column.kind:
                continue
            sql = f"{_quoted(column.name)} <= {_quoted(other)}"
            yield RuleCandidate.of(COLUMNS, "expression", {"sql": sql}, label=column.name)
            if column.kind in ("integer", "number"):
                about = {"from": column.name, "to": other}
                for rule in ("ranges_must_not_overlap", "ranges_must_not_have_gaps"):
                    yield RuleCandidate.of(COLUMNS, rule, about, label=column.name)


def joined_texts(found: Sequence[tuple[str, str, str]]) -> Iterator[RuleCandidate]:
    """Text columns that are two others one after the other."""
    for whole, first, second in found:
        sql = f"{_quoted(whole)} = {_quoted(first)} || {_quoted(second)}"
        yield RuleCandidate.of(COLUMNS, "expression", {"sql": sql}, label=whole)


def _dates(columns: Sequence[ColumnSummary]) -> Iterator[RuleCandidate]:
    for column in columns:
        if column.kind in ("date", "datetime") and column.present:
            rule = {"rule": "freshness", "column": column.name, "max_age": "30d"}
            remark = f"the newest record is of {column.most}; say how old it may get"
            yield RuleCandidate.unasked(COLUMNS, rule, remark, column.name)


def _quoted(name: str) -> str:
    """A column name in SQL."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'


__all__ = ["code_pairs", "joined_texts", "measures", "of_columns", "telling"]
