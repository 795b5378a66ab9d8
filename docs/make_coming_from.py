"""Writes docs/coming-from.md: the checks of other tools, and the rules that do the same.

    python docs/make_coming_from.py > docs/coming-from.md

The tables are made from the names that the search of ``spatial-pipeline rules`` knows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.report.peers import peer_names

TOOLS = ("QGIS", "ArcGIS", "GX", "PostGIS")
"""Tools with a table of their own, as the names of rules have them."""
PAGE = """\
# Coming from QGIS, ArcGIS, Great Expectations or PostGIS

This page lists the checks of other tools and the rules that do the same. It is generated (`make
docs`) from the names that `spatial-pipeline rules` searches: `spatial-pipeline rules "sliver
polygon"` or `spatial-pipeline rules ST_IsValid` find the rule, `spatial-pipeline rules ID` prints
its parameters, and [the catalogue](rules.md) has all of them.

The main difference: a contract is a file beside the data, every delivery is checked against it,
and data that fail are not published. To check a file once, without a contract, a database or
Dagster:

```sh
spatial-pipeline check roads.gpkg --rules rules.yaml
```

## QGIS

Open the violation layer (`--violations defects.gpkg`) as you would open the error layer of the
Geometry Checker or the Topology Checker. Some rows name a processing tool: the rule finds what
the tool would change.

{QGIS}

## ArcGIS

The topology rules of a geodatabase have the same names here, with underscores. Cluster tolerances
become `tolerance`; exceptions become `except`, `except_keys` or a `baseline`.

{ArcGIS}

## Great Expectations

A suite is the list `rules` of a contract. A checkpoint is `spatial-pipeline check`, or the checks
of a Dagster run. Data Docs are the HTML report (`--html`). `mostly=0.95` is `max_fraction: 0.05`,
and `row_condition` is `where`.

{GX}

## PostGIS

The rules give the answers of these functions without a database; `source: {{uri: "postgresql:",
layer: gis.roads}}` reads a table. Queries of a nightly job become rules with a name and a limit.

{PostGIS}

## Other tools

Rules without a counterpart above, with their names in GDAL, Soda, dbt and others:

{others}
"""


def page() -> str:
    """Text of the page."""
    names = {rule: peer_names().get(rule, {}) for rule in CATALOGUE}
    tables = {tool: "\n".join(_table(tool, names)) for tool in TOOLS}
    others = [r for r in CATALOGUE if not any(t in TOOLS for t in names[r])]
    rows = [
        f"| `{rule}` | {'; '.join(f'{t}: {_listed(n)}' for t, n in names[rule].items())} |"
        for rule in others
    ]
    head = ["| rule | elsewhere |", "| --- | --- |"]
    return PAGE.format(**tables, others="\n".join([*head, *rows]))


def _table(tool: str, names: dict[str, dict[str, tuple[str, ...]]]) -> Iterator[str]:
    """One row for each set of rules that share names there."""
    rules: dict[str, list[str]] = {}
    for rule, tools in names.items():
        for name in tools.get(tool, ()):
            rules.setdefault(name, []).append(rule)
    grouped: dict[tuple[str, ...], list[str]] = {}
    for name, found in rules.items():
        grouped.setdefault(tuple(found), []).append(name)
    yield f"| {'expectation' if tool == 'GX' else f'in {tool}'} | rule |"
    yield "| --- | --- |"
    for found, theirs in grouped.items():
        yield f"| {_listed(tuple(theirs))} | {', '.join(f'`{r}`' for r in found)} |"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names).replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
