"""text_encoding: texts hold no damaged characters and are in normal form C."""

from __future__ import annotations

import contextlib
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.api import Values, Violations, column_rule, shown
from spatial_pipeline.contract.rules.attributes import TextEncoding
from spatial_pipeline.errors import RuleError

CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"
LEAD = r"[\x{C2}-\x{F4}][^\x00-\x7f]"
"""Text that may be UTF-8 taken for Windows-1252: a lead byte and what follows it."""


@column_rule()
def evaluate(rule: TextEncoding, column: Values) -> Violations:
    """One violation for each text, with the first thing that is wrong with it.

    Raises:
        RuleError: the column holds no text.

    """
    kind = column.values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        msg = f"column {column.name} holds {kind}, not text"
        raise RuleError(msg)
    texts = column.values.cast(pa.large_string())
    damaged = pc.match_substring_regex(texts, f"{CONTROL}|{LEAD}|\ufffd")
    suspect = pc.or_(damaged, pc.not_equal(pc.utf8_normalize(texts, "NFC"), texts))
    places = np.flatnonzero(suspect.to_numpy())
    told = [damage(text) for text in texts.take(pa.array(places)).to_pylist()]
    bad = [(i, text) for i, text in zip(places, told, strict=True) if text]
    return column.violations(
        np.array([i for i, _ in bad], dtype=np.int64),
        [f"{column.name}: {text}" for _, text in bad],
    )


def damage(text: str) -> str:
    """Damage of the characters of a text in words; empty for a sound text."""
    if "\ufffd" in text:
        return f"replacement character in {shown(text)}"
    control = next((c for c in text if unicodedata.category(c) == "Cc" and c not in "\t\n\r"), None)
    if control is not None:
        return f"control character U+{ord(control):04X} in {shown(text)}"
    if not text.isascii():
        with contextlib.suppress(UnicodeError):
            meant = text.encode("cp1252").decode("utf-8")
            return f"{shown(text)} is UTF-8 read as Windows-1252: {shown(meant)}"
    if not unicodedata.is_normalized("NFC", text):
        return f"{shown(text)} is not in normal form C"
    return ""
