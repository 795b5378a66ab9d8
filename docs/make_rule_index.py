"""Writes spatial_pipeline/contract/rule_index.json from the models of the rules."""

from __future__ import annotations

import json
from pathlib import Path

from spatial_pipeline.contract import rule_index, rules


def index() -> str:
    """The index: one line per rule of this package."""
    found = [rule_index.summary_of(i, m) for i, m in rules.CATALOGUE.items()]
    lines = [
        json.dumps([r.rule, r.module, r.family, r.kinds, r.description], ensure_ascii=False)
        for r in found
        if r.module.startswith(f"{rules.__name__}.")
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    (Path(rule_index.__file__).parent / rule_index.DATA).write_text(index(), encoding="utf-8")
