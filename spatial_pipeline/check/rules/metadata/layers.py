"""layers: the container has the specified layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from spatial_pipeline.check.api import RuleOutcome, Violations, profile_rule
from spatial_pipeline.contract.rules.formats import Layers
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import VectorProfile

_WORDS = """
ALL ALTER AND ANY ARRAY AS ASC BEGIN BETWEEN BOTH BY CASE CAST CHECK COLLATE COLUMN COMMIT
CONSTRAINT CREATE CROSS CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEFAULT DELETE
DESC DISTINCT DROP ELSE END EXCEPT EXISTS FALSE FETCH FOR FOREIGN FROM FULL GRANT GROUP HAVING
IN INDEX INNER INSERT INTERSECT INTO IS JOIN LEADING LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP
NATURAL NOT NULL OFFSET ON ONLY OR ORDER OUTER OVERLAPS PRIMARY REFERENCES RIGHT ROLLBACK SELECT
SESSION_USER SET SOME TABLE THEN TO TRAILING TRANSACTION TRIGGER TRUE UNION UNIQUE UPDATE USER
USING VALUES VIEW WHEN WHERE WITH
"""
RESERVED = frozenset(_WORDS.split())
"""Words that SQL:2016, PostgreSQL or SQLite reserve."""


@profile_rule
def evaluate(rule: Layers, profile: VectorProfile) -> RuleOutcome:
    """One violation for each layer that is missing, not promised, or has another name.

    Raises:
        RuleError: the format has no layers.

    """
    if profile.layers is None:
        of = profile.driver or "a table"
        msg = f"needs a container of layers, which {of} is not: leave the rule out"
        raise RuleError(msg)
    mistakes = [*_set(rule, profile.layers), *_names(rule, profile.layers)]
    return RuleOutcome(
        checked=len(profile.layers),
        violations=Violations.build([-1] * len(mistakes), mistakes),
        message="; ".join(mistakes[:5]) or f"layers {', '.join(profile.layers)}",
    )


def _set(rule: Layers, names: Sequence[str]) -> Iterator[str]:
    required = dict.fromkeys((*(rule.equals or ()), *(rule.contains or ())))
    for name in required:
        if name not in names:
            yield f"layer {name} is missing"
    if rule.equals is not None:
        for name in names:
            if name not in required:
                yield f"layer {name} is not expected"


def _names(rule: Layers, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if rule.name_pattern is not None and not re.fullmatch(rule.name_pattern, name):
            yield f"the name {name} does not match {rule.name_pattern}"
        if rule.max_name_length is not None and len(name) > rule.max_name_length:
            yield f"the name {name} has {len(name)} characters, at most {rule.max_name_length}"
        if rule.no_reserved_words and name.upper() in RESERVED:
            yield f"the name {name} is a reserved word of SQL"
