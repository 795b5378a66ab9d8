"""Writes the generated section of docs/speed.md from docs/speed.json, the result of ``make bench``.

``python docs/make_speed.py`` does so; a test compares the page with what it would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
RATIO = (
    'The ratio is the other time divided by ours where the target is "at least", and what the row '
    'says where it is "at most". Ratios in bold miss their target.'
)
MANY = 25
"""Rules in the table, at most."""


def section(found: dict[str, Any]) -> str:
    """The tables of one run, as Markdown."""
    share = found["share"]
    lines = [
        f"{found['date']}, {found['machine']}; {found['minutes']:g} minutes"
        + (f", sizes × {share:g} of a full run" if share != 1 else "")
        + (f"; {found['note']}" if found["note"] else "")
        + ".",
        "",
        RATIO,
        "",
        "| task | size | ours | compared with | time | ratio | target |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_row(row) for row in found["rows"]),
    ]
    for name, why in found["missing"].items():
        lines.append(f"| `{name}.py` | | | | {why} | | |")
    return "\n".join([*lines, "", *_rules(found["rules"])]) + "\n"


def _row(row: dict[str, Any]) -> str:
    value = "" if row["value"] is None else f"{row['value']:.2f}"
    value = f"**{value}**" if row["met"] is False else value
    cells = [row["task"], row["size"], row["ours"], row["other"], row["theirs"], value, row["goal"]]
    return "| " + " | ".join(cells) + " |"


def _rules(found: dict[str, Any] | None) -> list[str]:
    """The most expensive rules about features, and why they are."""
    if found is None:
        return []
    rows = [row for row in found["rows"] if row["than"] == "is_valid"]
    told = (
        f"Time of single rules on {found['features']:,} features, reading included, as a multiple "
        f"of `shapely.is_valid` in one thread ({found['is_valid']:.2f} s). These are the {MANY} "
        f"most expensive of {len(rows)}, with the reason where one takes longer than "
        "`must_not_overlap`:"
    )
    return [
        told,
        "",
        "| rule | × is_valid | violations | reason |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{row['rule']}` | {row['ratio']:.1f} | {row['violations']:,} | {row['reason']} |"
            for row in rows[:MANY]
        ),
    ]


def page(text: str, found: dict[str, Any]) -> str:
    """The page with its generated section replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + section(found) + END + rest.partition(END)[2]


if __name__ == "__main__":
    path = DOCS / "speed.md"
    results = json.loads((DOCS / "speed.json").read_text())
    path.write_text(page(path.read_text(), results))
