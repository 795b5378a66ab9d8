"""matches: every value of a column is text of a pattern."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.api import Values, Violations, column_rule, shown
from spatial_pipeline.contract.rules.attributes import Matches
from spatial_pipeline.errors import RuleError


@column_rule()
def evaluate(rule: Matches, column: Values) -> Violations:
    """Values that the pattern does not match as a whole, in time linear in their length (RE2).

    Raises:
        RuleError: the column holds no text, or RE2 does not take the pattern.

    """
    kind = column.values.type
    if not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_date(kind)
    ):
        msg = f"column {column.name} holds {kind}, not text"
        raise RuleError(msg)
    texts = column.values.cast(pa.large_string())
    try:
        fits = pc.match_substring_regex(texts, rf"\A(?:{rule.pattern})\z")
    except pa.ArrowInvalid as exc:
        msg = f"pattern: {exc}; look-around and back references are not part of RE2"
        raise RuleError(msg) from exc
    bad = np.flatnonzero(~fits.to_numpy())
    told = texts.take(pa.array(bad)).to_pylist()
    return column.violations(
        bad, [f"{column.name} is {shown(t)}, not {rule.pattern}" for t in told]
    )
